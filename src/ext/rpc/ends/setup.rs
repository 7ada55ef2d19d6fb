//! Why a client, server or peer did not come to be.

use std::error::Error;
use std::fmt;

use crate::config::OptionError;
use crate::socket::{BindError, ConnectError};

/// Why an end of calls was not built.
#[derive(Debug)]
#[non_exhaustive]
pub enum SetupError {
    /// An address to listen at.
    Bind(BindError),
    /// An address to connect to.
    Connect(ConnectError),
    /// An option.
    Option(OptionError),
    /// A client without an address.
    NoAddress,
    /// Two services have this name.
    Twice(String),
    /// Not called within a tokio runtime, whose tasks the end needs.
    NoRuntime,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Bind(error) => write!(f, "{error}"),
            SetupError::Connect(error) => write!(f, "{error}"),
            SetupError::Option(error) => write!(f, "{error}"),
            SetupError::NoAddress => f.write_str("there is no address to connect to"),
            SetupError::Twice(name) => write!(f, "two services are called {name}"),
            SetupError::NoRuntime => f.write_str("calls need a tokio runtime around them"),
        }
    }
}

impl Error for SetupError {}

impl From<BindError> for SetupError {
    fn from(error: BindError) -> Self {
        SetupError::Bind(error)
    }
}

impl From<ConnectError> for SetupError {
    fn from(error: ConnectError) -> Self {
        SetupError::Connect(error)
    }
}

impl From<OptionError> for SetupError {
    fn from(error: OptionError) -> Self {
        SetupError::Option(error)
    }
}
