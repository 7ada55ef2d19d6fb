//! Helpers of the interoperability tests.
