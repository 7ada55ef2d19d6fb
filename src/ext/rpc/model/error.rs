//! What goes wrong with calls, whose fault it is, and whether the method may have run.

use std::error::Error;
use std::fmt;

use super::codec::CodecError;
use crate::ext::rpc::wire::{Code, Failure};

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RpcError {
    /// The method returned an error; it has run.
    Application(Fault),
    /// Nobody serves it there.
    NoSuchService(String),
    /// The service has no such method.
    NoSuchMethod(String),
    /// The arguments cannot be encoded, or are not those of the method.
    BadArguments(String),
    /// The result cannot be encoded, or is not what the caller expects; it has run.
    BadResult(String),
    /// The deadline passed.
    Timeout {
        /// Whether the call reached a server's link.
        may_have_run: bool,
    },
    /// The caller took it back, or the stream it belongs to.
    Cancelled,
    /// The server went away, or another one has its place.
    Disconnected {
        /// Whether the call was sent to it.
        may_have_run: bool,
    },
    /// Too many calls are running there; it did not run.
    Overloaded,
    /// The method panicked with these words; it has run in part.
    Panicked(String),
    /// It was sent twice, and its answer is no longer remembered; it has run.
    Forgotten,
    /// One of both does not speak the protocol.
    Protocol(String),
    /// This end is closed.
    Closed {
        /// Whether the call was sent before.
        may_have_run: bool,
    },
}

impl RpcError {
    /// Whether the method may have run, in whole or in part.
    pub fn may_have_run(&self) -> bool {
        match self {
            RpcError::Application(_)
            | RpcError::BadResult(_)
            | RpcError::Panicked(_)
            | RpcError::Cancelled
            | RpcError::Forgotten => true,
            RpcError::Timeout { may_have_run }
            | RpcError::Disconnected { may_have_run }
            | RpcError::Closed { may_have_run } => *may_have_run,
            RpcError::NoSuchService(_)
            | RpcError::NoSuchMethod(_)
            | RpcError::BadArguments(_)
            | RpcError::Overloaded
            | RpcError::Protocol(_) => false,
        }
    }

    pub(in crate::ext::rpc) fn to_failure(&self) -> Failure {
        let plain = |code, message: String| Failure {
            code,
            kind: String::new(),
            message,
            chain: Vec::new(),
        };
        match self {
            RpcError::Application(fault) => Failure {
                code: Code::Application,
                kind: fault.kind.clone(),
                message: fault.message.clone(),
                chain: fault.chain.clone(),
            },
            RpcError::NoSuchService(name) => plain(Code::NoSuchService, name.clone()),
            RpcError::NoSuchMethod(name) => plain(Code::NoSuchMethod, name.clone()),
            RpcError::BadArguments(why) => plain(Code::BadArguments, why.clone()),
            RpcError::BadResult(why) => plain(Code::BadResult, why.clone()),
            RpcError::Timeout { .. } => plain(Code::Timeout, self.to_string()),
            RpcError::Cancelled => plain(Code::Cancelled, self.to_string()),
            RpcError::Overloaded => plain(Code::Overloaded, self.to_string()),
            RpcError::Panicked(words) => plain(Code::Panicked, words.clone()),
            RpcError::Forgotten => plain(Code::Forgotten, self.to_string()),
            RpcError::Protocol(why) => plain(Code::Protocol, why.clone()),
            // Met while serving a call: the method's own call elsewhere.
            RpcError::Disconnected { .. } | RpcError::Closed { .. } => Failure {
                code: Code::Application,
                kind: "RpcError".to_owned(),
                message: self.to_string(),
                chain: Vec::new(),
            },
        }
    }
}

impl From<Failure> for RpcError {
    fn from(failure: Failure) -> Self {
        match failure.code {
            Code::NoSuchService => RpcError::NoSuchService(failure.message),
            Code::NoSuchMethod => RpcError::NoSuchMethod(failure.message),
            Code::BadArguments => RpcError::BadArguments(failure.message),
            Code::Overloaded => RpcError::Overloaded,
            Code::Timeout => RpcError::Timeout { may_have_run: true },
            Code::Cancelled => RpcError::Cancelled,
            Code::Panicked => RpcError::Panicked(failure.message),
            Code::Forgotten => RpcError::Forgotten,
            Code::BadResult => RpcError::BadResult(failure.message),
            Code::Protocol => RpcError::Protocol(failure.message),
            Code::Application => RpcError::Application(Fault {
                kind: failure.kind,
                message: failure.message,
                chain: failure.chain,
            }),
        }
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ran = |may: bool| {
            if may {
                "; it may have run"
            } else {
                "; it did not run"
            }
        };
        match self {
            RpcError::Application(fault) => write!(f, "{fault}"),
            RpcError::NoSuchService(name) => write!(f, "no such service: {name}"),
            RpcError::NoSuchMethod(name) => write!(f, "no such method: {name}"),
            RpcError::BadArguments(why) => write!(f, "wrong arguments: {why}"),
            RpcError::BadResult(why) => write!(f, "wrong result: {why}"),
            RpcError::Timeout { may_have_run } => {
                write!(f, "the deadline passed{}", ran(*may_have_run))
            }
            RpcError::Cancelled => f.write_str("cancelled"),
            RpcError::Disconnected { may_have_run } => {
                write!(f, "the server went away{}", ran(*may_have_run))
            }
            RpcError::Overloaded => f.write_str("too many calls are running there"),
            RpcError::Panicked(words) => write!(f, "the method panicked: {words}"),
            RpcError::Forgotten => f.write_str("it ran, and its answer is no longer remembered"),
            RpcError::Protocol(why) => write!(f, "not understood: {why}"),
            RpcError::Closed { may_have_run } => {
                write!(f, "this end is closed{}", ran(*may_have_run))
            }
        }
    }
}

impl Error for RpcError {}

/// An error that a method returns: what the caller gets to know of it.
///
/// Made from any error with `?`. It is no [`Error`] itself, so that it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The type of the error, or whatever name the caller should tell it by.
    pub kind: String,
    /// Its words.
    pub message: String,
    /// The words of what caused it, the nearest first.
    pub chain: Vec<String>,
}

impl Fault {
    /// With a name of its own and words.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Fault {
            kind: kind.into(),
            message: message.into(),
            chain: Vec::new(),
        }
    }
}

impl<E: Error> From<E> for Fault {
    fn from(error: E) -> Self {
        Fault {
            kind: std::any::type_name::<E>().to_owned(),
            message: error.to_string(),
            chain: causes(&error),
        }
    }
}

/// The words of what caused an error, the nearest first.
pub(in crate::ext::rpc) fn causes(error: &dyn Error) -> Vec<String> {
    let mut chain = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        chain.push(cause.to_string());
        next = cause.source();
    }
    chain
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.is_empty() {
            true => f.write_str(&self.message),
            false => write!(f, "{}: {}", self.kind, self.message),
        }
    }
}

impl From<Fault> for RpcError {
    fn from(fault: Fault) -> Self {
        RpcError::Application(fault)
    }
}

impl RpcError {
    pub(in crate::ext::rpc) fn bad_arguments(error: &CodecError) -> Self {
        RpcError::BadArguments(error.to_string())
    }

    pub(in crate::ext::rpc) fn bad_result(error: &CodecError) -> Self {
        RpcError::BadResult(error.to_string())
    }
}
