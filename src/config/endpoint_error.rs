//! Why a text is not an endpoint: one variant a cause, each saying what was found and where.

use std::fmt;

/// Why a text is not an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    /// There is no `://`.
    NoScheme {
        /// The whole text.
        text: String,
    },
    /// What stands before `://` is not a scheme.
    BadScheme {
        /// What stands there.
        scheme: String,
    },
    /// Nothing stands behind `://`.
    EmptyAddress {
        /// What stands before it.
        scheme: String,
    },
    /// The address is too long.
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The longest one allowed, in bytes.
        limit: usize,
    },
    /// A TCP address without a port.
    NoPort {
        /// The address.
        address: String,
    },
    /// The port is neither `*` nor a number up to 65535.
    BadPort {
        /// What stands there.
        port: String,
    },
    /// The host is neither `*` nor an IP address nor a name.
    BadHost {
        /// What stands there.
        host: String,
    },
    /// An `ipc` address with a zero byte in it.
    NulInPath,
    /// A value put together by hand whose text means another endpoint.
    Ambiguous {
        /// Its text.
        text: String,
    },
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme { text } => write!(
                f,
                "endpoint {text:?} has no scheme: expected scheme://address"
            ),
            Self::BadScheme { scheme } => {
                write!(
                    f,
                    "{scheme:?} before :// is not a scheme: expected lower case letters, as in tcp://"
                )
            }
            Self::EmptyAddress { scheme } => write!(f, "nothing stands behind {scheme}://"),
            Self::TooLong { length, limit } => {
                write!(
                    f,
                    "the address behind :// has {length} bytes, the limit is {limit}"
                )
            }
            Self::NoPort { address } => {
                write!(f, "TCP address {address:?} has no port: expected host:port")
            }
            Self::BadPort { port } => {
                write!(f, "port {port:?} is neither * nor a number from 0 to 65535")
            }
            Self::BadHost { host } => {
                write!(f, "host {host:?} is neither * nor an IP address nor a name")
            }
            Self::NulInPath => f.write_str("the ipc address holds a zero byte"),
            Self::Ambiguous { text } => write!(
                f,
                "written out as {text:?}, this endpoint would mean another one"
            ),
        }
    }
}

/// So that an [`Endpoint`](super::Endpoint) may stand where a text may.
impl From<std::convert::Infallible> for EndpointError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl std::error::Error for EndpointError {}
