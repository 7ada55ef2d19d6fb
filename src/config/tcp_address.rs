//! What stands behind `tcp://`: hosts, ports and an optional source address.
//!
//! What it is not: a resolver. A name stays a name (of a host, or of a network interface) until something connects
//! or binds, because what it stands for changes with time.
//!
//! ```text
//!   tcp:// 10.0.0.1:* ; example.net:5555        source (optional) ; host : port
//!          *:5555   [::1]:5555   eth0:5555   [fe80::1%eth0]:5555
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::endpoint_error::EndpointError;

/// A TCP port; 0 stands for a free port that the system chooses, written `*`.
pub type Port = u16;

/// The longest host name, in bytes, that is accepted: what DNS allows.
const NAME_LIMIT: usize = 253;

/// Where a TCP socket listens, or connects to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TcpAddress {
    /// The local address to connect from; `None` leaves it to the system.
    pub source: Option<HostPort>,
    /// The address to listen on or the host to connect to.
    pub host: Host,
    /// The port to listen on or to connect to; 0 to listen on a free one.
    pub port: Port,
}

/// A host and a port: `localhost:5555`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port; 0 for a free one.
    pub port: Port,
}

/// A host as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// `*`: all interfaces.
    Any,
    /// An IP address.
    Ip(IpAddr),
    /// The name of a host or of a network interface, or an IPv6 address with a zone (`fe80::1%eth0`): resolved when
    /// it is used.
    Name(String),
}

impl FromStr for TcpAddress {
    type Err = EndpointError;

    /// Reads what stands behind `tcp://`.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let (source, target) = match text.rsplit_once(';') {
            Some((source, target)) => (Some(source.parse()?), target),
            None => (None, text),
        };
        let HostPort { host, port } = target.parse()?;
        Ok(Self { source, host, port })
    }
}

impl FromStr for HostPort {
    type Err = EndpointError;

    /// Reads `host:port`. The last colon separates, so that `::1:5555` means what `[::1]:5555` does.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let no_port = || EndpointError::NoPort {
            address: text.to_owned(),
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(no_port)?;
        if port.ends_with(']') {
            return Err(no_port());
        }
        Ok(Self {
            host: host.parse()?,
            port: parse_port(port)?,
        })
    }
}

/// Reads a port in decimal digits, or `*` for 0.
fn parse_port(text: &str) -> Result<Port, EndpointError> {
    if text == "*" {
        return Ok(0);
    }
    let bad_port = || EndpointError::BadPort {
        port: text.to_owned(),
    };
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad_port());
    }
    text.parse().map_err(|_| bad_port())
}

impl FromStr for Host {
    type Err = EndpointError;

    /// Reads `*`, an IP address (IPv6 with or without brackets) or a name.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let bad_host = || EndpointError::BadHost {
            host: text.to_owned(),
        };
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or_else(bad_host)?;
            return parse_ipv6(inner).ok_or_else(bad_host);
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(ip.into()));
        }
        if text.contains(':') {
            return parse_ipv6(text).ok_or_else(bad_host);
        }
        if is_name(text) {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err(bad_host())
        }
    }
}

/// An IPv6 address; with a zone it stays text, because only the system can resolve that.
fn parse_ipv6(text: &str) -> Option<Host> {
    match text.split_once('%') {
        None => text.parse::<Ipv6Addr>().ok().map(|ip| Host::Ip(ip.into())),
        Some((ip, zone)) => {
            let known = ip.parse::<Ipv6Addr>().is_ok()
                && !zone.is_empty()
                && zone.bytes().all(is_name_byte);
            known.then(|| Host::Name(text.to_owned()))
        }
    }
}

/// Whether this can be the name of a host or an interface. One without any letter is refused, because it is a
/// mistyped IPv4 address (`10.0.0.256`) which would otherwise fail much later, as an unknown host.
fn is_name(text: &str) -> bool {
    (1..=NAME_LIMIT).contains(&text.len())
        && text.bytes().all(is_name_byte)
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

impl fmt::Display for TcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source};")?;
        }
        write_host_port(f, &self.host, self.port)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_host_port(f, &self.host, self.port)
    }
}

fn write_host_port(f: &mut fmt::Formatter<'_>, host: &Host, port: Port) -> fmt::Result {
    match port {
        0 => write!(f, "{host}:*"),
        port => write!(f, "{host}:{port}"),
    }
}

impl fmt::Display for Host {
    /// As it is written in an endpoint: IPv6 addresses stand in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Name(name) if name.contains(':') => write!(f, "[{name}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl From<std::net::SocketAddr> for HostPort {
    fn from(address: std::net::SocketAddr) -> Self {
        Self {
            host: Host::Ip(address.ip()),
            port: address.port(),
        }
    }
}

impl From<std::net::SocketAddr> for TcpAddress {
    fn from(address: std::net::SocketAddr) -> Self {
        Self {
            source: None,
            host: Host::Ip(address.ip()),
            port: address.port(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<TcpAddress, EndpointError> {
        text.parse()
    }

    fn name(text: &str) -> Host {
        Host::Name(text.to_owned())
    }

    #[test]
    fn hosts_and_ports_in_every_form() {
        let cases = [
            ("*:*", Host::Any, 0, "*:*"),
            ("*:0", Host::Any, 0, "*:*"),
            ("*:5555", Host::Any, 5555, "*:5555"),
            (
                "127.0.0.1:65535",
                Host::Ip(Ipv4Addr::LOCALHOST.into()),
                65535,
                "127.0.0.1:65535",
            ),
            (
                "[::1]:5",
                Host::Ip(Ipv6Addr::LOCALHOST.into()),
                5,
                "[::1]:5",
            ),
            ("::1:5", Host::Ip(Ipv6Addr::LOCALHOST.into()), 5, "[::1]:5"),
            (
                "[::]:*",
                Host::Ip(Ipv6Addr::UNSPECIFIED.into()),
                0,
                "[::]:*",
            ),
            ("eth0:5", name("eth0"), 5, "eth0:5"),
            ("eth0.100:5", name("eth0.100"), 5, "eth0.100:5"),
            (
                "my_host-1.example.net.:80",
                name("my_host-1.example.net."),
                80,
                "my_host-1.example.net.:80",
            ),
            (
                "[fe80::1%eth0]:9",
                name("fe80::1%eth0"),
                9,
                "[fe80::1%eth0]:9",
            ),
        ];
        for (text, host, port, shown) in cases {
            let address = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                address,
                TcpAddress {
                    source: None,
                    host,
                    port
                },
                "{text}"
            );
            assert_eq!(address.to_string(), shown);
            assert_eq!(parse(shown), Ok(address));
        }
    }

    #[test]
    fn a_source_stands_before_the_semicolon() {
        let address = parse("10.0.0.1:*;example.net:80").expect("source and target");
        let source = address.source.as_ref().expect("a source");
        assert_eq!(source.host, Host::Ip(Ipv4Addr::new(10, 0, 0, 1).into()));
        assert_eq!(source.port, 0);
        assert_eq!((&address.host, address.port), (&name("example.net"), 80));
        assert_eq!(address.to_string(), "10.0.0.1:*;example.net:80");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let no_port = |address: &str| EndpointError::NoPort {
            address: address.to_owned(),
        };
        let bad_port = |port: &str| EndpointError::BadPort {
            port: port.to_owned(),
        };
        let bad_host = |host: &str| EndpointError::BadHost {
            host: host.to_owned(),
        };
        let long = "a".repeat(254);
        let cases = [
            ("localhost", no_port("localhost")),
            ("[::1]", no_port("[::1]")),
            ("", no_port("")),
            ("a;b:1", no_port("a")),
            ("a:1;", no_port("")),
            ("a:", bad_port("")),
            ("a:65536", bad_port("65536")),
            ("a:+5", bad_port("+5")),
            ("a:-1", bad_port("-1")),
            ("a:http", bad_port("http")),
            ("a: 5", bad_port(" 5")),
            ("a:99999999999999999999", bad_port("99999999999999999999")),
            (":5", bad_host("")),
            ("10.0.0.256:5", bad_host("10.0.0.256")),
            ("10.1:5", bad_host("10.1")),
            ("a b:5", bad_host("a b")),
            ("eth0:1:5", bad_host("eth0:1")),
            ("[::1:5", bad_host("[::1")),
            ("[127.0.0.1]:5", bad_host("[127.0.0.1]")),
            ("[fe80::1%]:5", bad_host("[fe80::1%]")),
            ("a:1;b:2;c:3", bad_host("a:1;b")),
            (&format!("{long}:5"), bad_host(&long)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_resolved_address_is_one_too() {
        let resolved: std::net::SocketAddr = "[::1]:5555".parse().expect("an address");
        assert_eq!(TcpAddress::from(resolved).to_string(), "[::1]:5555");
        assert_eq!(HostPort::from(resolved).to_string(), "[::1]:5555");
    }
}
