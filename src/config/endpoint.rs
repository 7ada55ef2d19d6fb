//! Endpoints: where a socket binds or connects, as text and as a checked value.
//!
//! What it is not: a resolver, or a list of what this build can do. An unknown scheme is a value too
//! ([`Endpoint::Other`]); the socket floor refuses it if nobody serves it. Invariant: what was parsed prints as text
//! that parses to the same value.
//!
//! ```text
//!   inproc://name             a name in this context, 1 to 256 bytes
//!   tcp://host:port           see tcp_address.rs
//!   ipc://path  @name  *      a file, an abstract name, a temporary file; 107 bytes at most
//!   other://address
//! ```

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::endpoint_error::EndpointError;
use super::tcp_address::TcpAddress;

/// Where a socket binds or connects.
///
/// ```
/// use taipan::config::Endpoint;
///
/// let endpoint: Endpoint = "tcp://127.0.0.1:5555".parse()?;
/// assert_eq!(endpoint.scheme(), "tcp");
/// assert_eq!(endpoint.to_string(), "tcp://127.0.0.1:5555");
/// # Ok::<(), taipan::config::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `inproc://name`: another socket of the same context; the name has 1 to 256 bytes.
    Inproc(String),
    /// `tcp://host:port`.
    Tcp(TcpAddress),
    /// `ipc://path`: another process on the same host.
    Ipc(IpcAddress),
    /// Any other scheme, kept as it was written.
    Other {
        /// What stands before `://`: lower case.
        scheme: String,
        /// What stands behind `://`; not empty.
        address: String,
    },
}

/// Where an `ipc` socket listens or connects to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IpcAddress {
    /// A socket file; the path has 1 to 107 bytes.
    Path(PathBuf),
    /// `@name`: a name in the abstract namespace of the system, which needs no file (Linux); at most 106 bytes.
    Abstract(String),
    /// `*`: a new temporary file (only to bind).
    Temporary,
}

impl Endpoint {
    /// The longest `inproc` name, in bytes.
    pub const INPROC_LIMIT: usize = 256;

    /// The longest `ipc` address, in bytes, an `@` in front included.
    pub const IPC_LIMIT: usize = 107;

    /// What stands before `://`.
    pub fn scheme(&self) -> &str {
        match self {
            Self::Inproc(_) => "inproc",
            Self::Tcp(_) => "tcp",
            Self::Ipc(_) => "ipc",
            Self::Other { scheme, .. } => scheme,
        }
    }

    /// Checks a value that was put together by hand instead of parsed.
    ///
    /// # Errors
    /// What its text would be refused for, or [`EndpointError::Ambiguous`] when its text means something else.
    pub fn validate(&self) -> Result<(), EndpointError> {
        let text = self.to_string();
        if text.parse::<Self>()? == *self {
            Ok(())
        } else {
            Err(EndpointError::Ambiguous { text })
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let no_scheme = || EndpointError::NoScheme {
            text: text.to_owned(),
        };
        let (scheme, address) = text.split_once("://").ok_or_else(no_scheme)?;
        if !is_scheme(scheme) {
            return Err(EndpointError::BadScheme {
                scheme: scheme.to_owned(),
            });
        }
        if address.is_empty() {
            return Err(EndpointError::EmptyAddress {
                scheme: scheme.to_owned(),
            });
        }
        match scheme {
            "inproc" => {
                check_length(address, Self::INPROC_LIMIT)?;
                Ok(Self::Inproc(address.to_owned()))
            }
            "tcp" => address.parse().map(Self::Tcp),
            "ipc" => address.parse().map(Self::Ipc),
            _ => Ok(Self::Other {
                scheme: scheme.to_owned(),
                address: address.to_owned(),
            }),
        }
    }
}

/// A scheme is a lower case letter, then lower case letters, digits, `+`, `-` and `.`.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte)
        })
}

fn check_length(address: &str, limit: usize) -> Result<(), EndpointError> {
    if address.len() > limit {
        return Err(EndpointError::TooLong {
            length: address.len(),
            limit,
        });
    }
    Ok(())
}

impl FromStr for IpcAddress {
    type Err = EndpointError;

    /// Reads what stands behind `ipc://`.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        check_length(text, Endpoint::IPC_LIMIT)?;
        if text.contains('\0') {
            return Err(EndpointError::NulInPath);
        }
        match text.strip_prefix('@') {
            _ if text == "*" => Ok(Self::Temporary),
            Some("") => Err(EndpointError::EmptyAddress {
                scheme: "ipc".to_owned(),
            }),
            Some(name) => Ok(Self::Abstract(name.to_owned())),
            None if text.is_empty() => Err(EndpointError::EmptyAddress {
                scheme: "ipc".to_owned(),
            }),
            None => Ok(Self::Path(PathBuf::from(text))),
        }
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &str) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<&String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<&Endpoint> for Endpoint {
    fn from(endpoint: &Endpoint) -> Self {
        endpoint.clone()
    }
}

impl From<TcpAddress> for Endpoint {
    fn from(address: TcpAddress) -> Self {
        Self::Tcp(address)
    }
}

impl From<IpcAddress> for Endpoint {
    fn from(address: IpcAddress) -> Self {
        Self::Ipc(address)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inproc(name) => write!(f, "inproc://{name}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Ipc(address) => write!(f, "ipc://{address}"),
            Self::Other { scheme, address } => write!(f, "{scheme}://{address}"),
        }
    }
}

impl fmt::Display for IpcAddress {
    /// As it is written in an endpoint. A path that is not UTF-8 prints with replacement characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Abstract(name) => write!(f, "@{name}"),
            Self::Temporary => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Host, HostPort};
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn parse(text: &str) -> Result<Endpoint, EndpointError> {
        text.parse()
    }

    #[test]
    fn every_scheme_becomes_its_own_value() {
        assert_eq!(
            parse("inproc://a b"),
            Ok(Endpoint::Inproc("a b".to_owned()))
        );
        let path = Endpoint::Ipc(IpcAddress::Path("/run/x.sock".into()));
        assert_eq!(parse("ipc:///run/x.sock"), Ok(path));
        let hidden = Endpoint::Ipc(IpcAddress::Abstract("name".to_owned()));
        assert_eq!(parse("ipc://@name"), Ok(hidden));
        assert_eq!(parse("ipc://*"), Ok(Endpoint::Ipc(IpcAddress::Temporary)));
        let tcp = Endpoint::Tcp(TcpAddress {
            source: None,
            host: Host::Any,
            port: 1,
        });
        assert_eq!(parse("tcp://*:1"), Ok(tcp));
        let (scheme, address) = ("ws".to_owned(), "host:80/path".to_owned());
        assert_eq!(
            parse("ws://host:80/path"),
            Ok(Endpoint::Other { scheme, address })
        );
    }

    #[test]
    fn lengths_have_their_limits() {
        let fits =
            |scheme: &str, length: usize| parse(&format!("{scheme}://{}", "n".repeat(length)));
        assert!(fits("inproc", 256).is_ok());
        assert_eq!(
            fits("inproc", 257),
            Err(EndpointError::TooLong {
                length: 257,
                limit: 256
            })
        );
        assert!(fits("ipc", 107).is_ok());
        assert_eq!(
            fits("ipc", 108),
            Err(EndpointError::TooLong {
                length: 108,
                limit: 107
            })
        );
        assert!(fits("ipc", 1).is_ok());
        assert!(parse(&format!("ipc://@{}", "n".repeat(106))).is_ok());
        assert!(parse(&format!("ipc://@{}", "n".repeat(107))).is_err());
    }

    #[test]
    fn what_is_no_endpoint_says_why() {
        let text = String::from;
        let cases = [
            ("", EndpointError::NoScheme { text: text("") }),
            (
                "tcp:/x",
                EndpointError::NoScheme {
                    text: text("tcp:/x"),
                },
            ),
            ("://x", EndpointError::BadScheme { scheme: text("") }),
            (
                "TCP://*:1",
                EndpointError::BadScheme {
                    scheme: text("TCP"),
                },
            ),
            ("1a://x", EndpointError::BadScheme { scheme: text("1a") }),
            (
                " tcp://*:1",
                EndpointError::BadScheme {
                    scheme: text(" tcp"),
                },
            ),
            (
                "tcp://",
                EndpointError::EmptyAddress {
                    scheme: text("tcp"),
                },
            ),
            (
                "inproc://",
                EndpointError::EmptyAddress {
                    scheme: text("inproc"),
                },
            ),
            ("ws://", EndpointError::EmptyAddress { scheme: text("ws") }),
            (
                "ipc://@",
                EndpointError::EmptyAddress {
                    scheme: text("ipc"),
                },
            ),
            ("ipc://a\0b", EndpointError::NulInPath),
            ("tcp://a:x", EndpointError::BadPort { port: text("x") }),
        ];
        for (endpoint, error) in cases {
            assert_eq!(parse(endpoint), Err(error.clone()), "{endpoint:?}");
            assert_eq!(Endpoint::try_from(endpoint), Err(error));
        }
    }

    #[test]
    fn errors_show_the_text_they_are_about() {
        let error = parse("tcp://host:70000").expect_err("no such port");
        assert_eq!(
            error.to_string(),
            "port \"70000\" is neither * nor a number from 0 to 65535"
        );
        let error = parse("localhost:5555").expect_err("no scheme");
        assert!(error.to_string().contains("\"localhost:5555\""), "{error}");
    }

    #[test]
    fn values_made_by_hand_are_checked_through_their_text() {
        let made = |text: &str| Endpoint::Ipc(IpcAddress::Path(text.into()));
        assert_eq!(made("/run/x").validate(), Ok(()));
        let ambiguous = |text: &str| {
            Err(EndpointError::Ambiguous {
                text: text.to_owned(),
            })
        };
        assert_eq!(made("*").validate(), ambiguous("ipc://*"));
        assert_eq!(made("@x").validate(), ambiguous("ipc://@x"));
        let empty = Endpoint::Inproc(String::new());
        let error = EndpointError::EmptyAddress {
            scheme: "inproc".to_owned(),
        };
        assert_eq!(empty.validate(), Err(error));
    }

    fn host() -> impl Strategy<Value = Host> {
        prop_oneof![
            Just(Host::Any),
            any::<IpAddr>().prop_map(Host::Ip),
            "[a-z][a-z0-9_.-]{0,20}".prop_map(Host::Name),
        ]
    }

    fn host_port() -> impl Strategy<Value = HostPort> {
        (host(), any::<u16>()).prop_map(|(host, port)| HostPort { host, port })
    }

    fn endpoint() -> impl Strategy<Value = Endpoint> {
        let tcp = (prop::option::of(host_port()), host_port()).prop_map(|(source, target)| {
            Endpoint::Tcp(TcpAddress {
                source,
                host: target.host,
                port: target.port,
            })
        });
        prop_oneof![
            "\\PC{1,60}".prop_map(Endpoint::Inproc),
            tcp,
            "/[^\\x00]{0,25}".prop_map(|path| Endpoint::Ipc(IpcAddress::Path(path.into()))),
            "[^\\x00]{1,26}".prop_map(|name| Endpoint::Ipc(IpcAddress::Abstract(name))),
            Just(Endpoint::Ipc(IpcAddress::Temporary)),
            ("x[a-z0-9+.-]{0,8}", "\\PC{1,30}")
                .prop_map(|(scheme, address)| Endpoint::Other { scheme, address }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(endpoint in endpoint()) {
            prop_assert_eq!(parse(&endpoint.to_string()), Ok(endpoint.clone()));
            prop_assert_eq!(endpoint.validate(), Ok(()));
        }

        #[test]
        fn any_text_parses_or_is_refused_and_stays_what_it_was(
            text in "(tcp|ipc|inproc|ws|)(://)?[\\]\\[*@:;%.a0-9]{0,30}",
        ) {
            if let Ok(endpoint) = parse(&text) {
                prop_assert_eq!(parse(&endpoint.to_string()), Ok(endpoint));
            }
        }
    }
}
