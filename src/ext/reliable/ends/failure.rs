//! Why a messenger did not start.

use std::error::Error;
use std::fmt;

use crate::config::OptionError;
use crate::ext::reliable::model::IdentError;
use crate::ext::store::StoreError;
use crate::socket::{BindError, ConnectError};

/// Why a messenger did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Its name.
    Ident(IdentError),
    /// An address to listen at.
    Bind(BindError),
    /// An address to connect to.
    Connect(ConnectError),
    /// An option of the sockets.
    Option(OptionError),
    /// A bound that cannot be held: zero, or `max_message` over 256 MiB.
    Setting(&'static str),
    /// The store.
    Store(StoreError),
    /// The system gave no thread.
    Thread(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Ident(error) => error.fmt(f),
            StartError::Bind(error) => error.fmt(f),
            StartError::Connect(error) => error.fmt(f),
            StartError::Option(error) => error.fmt(f),
            StartError::Setting(which) => write!(f, "the setting {which} is out of range"),
            StartError::Store(error) => write!(f, "the store: {error}"),
            StartError::Thread(error) => write!(f, "no thread: {error}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::Ident(error) => Some(error),
            StartError::Bind(error) => Some(error),
            StartError::Connect(error) => Some(error),
            StartError::Option(error) => Some(error),
            StartError::Setting(_) => None,
            StartError::Store(error) => Some(error),
            StartError::Thread(error) => Some(error),
        }
    }
}

impl From<BindError> for StartError {
    fn from(error: BindError) -> Self {
        StartError::Bind(error)
    }
}

impl From<ConnectError> for StartError {
    fn from(error: ConnectError) -> Self {
        StartError::Connect(error)
    }
}

impl From<OptionError> for StartError {
    fn from(error: OptionError) -> Self {
        StartError::Option(error)
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        StartError::Store(error)
    }
}
