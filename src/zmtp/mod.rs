//! Room `zmtp`.
