//! Engines in pairs on a simulated network, with simulated stores and a virtual clock.

mod chaos;
mod world;
