//! Ends a test that hangs.
//!
//! What it is not: a measure of speed; the limits are those after which nothing can be hoped for.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Ends the whole process with a message unless it is dropped in time: a test that hangs cannot be ended in any
/// other way.
#[derive(Debug)]
pub struct Watchdog {
    _alive: Sender<()>,
}

impl Watchdog {
    /// Watches until it is dropped.
    pub fn new(name: impl Into<String>, limit: Duration) -> Self {
        let name = name.into();
        let (alive, gone) = channel();
        std::thread::spawn(move || {
            if gone.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                eprintln!("watchdog: {name} was not done within {limit:?}");
                std::process::abort();
            }
        });
        Self { _alive: alive }
    }

    /// Two minutes, named after the test that this thread runs.
    pub fn for_test() -> Self {
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        Self::new(name, Duration::from_secs(120))
    }
}
