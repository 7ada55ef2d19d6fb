//! To come.
pub fn limited(_args: &[&str]) {}
