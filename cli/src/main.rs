//! The command-line companion of taipan.
fn main() {}
