//! Why a command failed, and how that is told: one line on stderr and an exit code.
//!
//! Invariant: every way out of the program but success is one of these variants.

use std::fmt;
use std::io::{self, Write};

/// The end of a command that did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// The command line makes no sense. Exit code 2.
    Usage(String),
    /// Something went wrong while running. Exit code 1.
    Runtime(String),
    /// Nothing happened for as long as the user wanted to wait. Exit code 1.
    TimedOut(String),
    /// The user interrupted a command that had not finished. Exit code 130, as a shell reports SIGINT.
    Interrupted,
    /// Nobody reads our output any more. Ends quietly with exit code 0.
    OutputClosed,
}

impl Failure {
    /// A runtime failure with its context: `what: why`.
    pub fn because(what: impl fmt::Display, why: impl fmt::Display) -> Failure {
        Failure::Runtime(format!("{what}: {why}"))
    }

    /// What an error of writing to stdout means.
    pub fn output(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::because("stdout", error),
        }
    }

    /// The exit code.
    pub fn code(&self) -> i32 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Runtime(_) | Failure::TimedOut(_) => 1,
            Failure::Interrupted => 130,
            Failure::OutputClosed => 0,
        }
    }

    /// Says it on stderr and returns the exit code.
    pub fn report(&self) -> i32 {
        match self {
            Failure::Interrupted | Failure::OutputClosed => {}
            _ => say(self),
        }
        self.code()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(text) | Failure::Runtime(text) => f.write_str(text),
            Failure::TimedOut(text) => write!(f, "timed out: {text}"),
            Failure::Interrupted => f.write_str("interrupted"),
            Failure::OutputClosed => f.write_str("the output was closed"),
        }
    }
}

impl std::error::Error for Failure {}

/// One line on stderr, in the name of the program. There is nobody left to tell if that fails.
pub fn say(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "taipan: {text}");
}

/// `1 message`, `2 messages`.
pub fn messages(count: u64) -> String {
    format!("{count} message{}", if count == 1 { "" } else { "s" })
}
