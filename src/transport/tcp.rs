//! `tcp://`: names resolved at every attempt, options through socket2.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::{BoxFuture, ByteStream, FdStream, Listener, Transport};
use crate::config::{Endpoint, Host, Options, Port, TcpAddress};

/// The tcp transport.
#[derive(Debug, Default)]
pub struct Tcp;

fn address_of(endpoint: &Endpoint) -> io::Result<&TcpAddress> {
    match endpoint {
        Endpoint::Tcp(address) => Ok(address),
        other => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("not a tcp address: {other}"),
        )),
    }
}

impl Transport for Tcp {
    fn bind(&self, endpoint: &Endpoint, options: &Options) -> io::Result<Box<dyn Listener>> {
        let address = address_of(endpoint)?;
        let mut last = None;
        for candidate in local_candidates(&address.host, address.port, options)? {
            match listen(candidate, options) {
                Ok(listener) => {
                    return Ok(Box::new(TcpAcceptor {
                        listener,
                        options: options.clone(),
                    }));
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address")
        }))
    }

    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        options: &'a Options,
    ) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async move {
            let address = address_of(endpoint)?;
            let source = match &address.source {
                Some(source) => local_candidates(&source.host, source.port, options)?
                    .into_iter()
                    .next(),
                None => None,
            };
            let mut last = None;
            for candidate in resolve(&address.host, address.port, options).await? {
                match connect_one(candidate, source, options).await {
                    Ok(stream) => return wrap(stream, options),
                    Err(error) => last = Some(error),
                }
            }
            Err(last.unwrap_or_else(|| {
                io::Error::new(io::ErrorKind::NotFound, "the name has no address")
            }))
        })
    }
}

fn wildcard(options: &Options) -> IpAddr {
    if options.ipv6 {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    }
}

/// Addresses to bind to: an ip, everything, an interface, or a name from the hosts file.
fn local_candidates(host: &Host, port: Port, options: &Options) -> io::Result<Vec<SocketAddr>> {
    match host {
        Host::Any => Ok(vec![SocketAddr::new(wildcard(options), port)]),
        Host::Ip(ip) => Ok(vec![SocketAddr::new(*ip, port)]),
        Host::Name(name) => {
            let interface: Vec<SocketAddr> = interface_addresses(name, port);
            if !interface.is_empty() {
                return Ok(prefer(interface, options));
            }
            let addresses = std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), port))
                .map_err(|error| {
                    io::Error::new(io::ErrorKind::AddrNotAvailable, format!("{name}: {error}"))
                })?;
            Ok(prefer(addresses.collect(), options))
        }
    }
}

/// The addresses of a network interface, if `name` is one.
fn interface_addresses(name: &str, port: Port) -> Vec<SocketAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces
        .iter()
        .filter(|interface| interface.name == name)
        .map(|interface| SocketAddr::new(interface.ip(), port))
        .collect()
}

async fn resolve(host: &Host, port: Port, options: &Options) -> io::Result<Vec<SocketAddr>> {
    match host {
        Host::Any => Ok(vec![SocketAddr::new(
            if options.ipv6 {
                IpAddr::V6(Ipv6Addr::LOCALHOST)
            } else {
                IpAddr::V4(Ipv4Addr::LOCALHOST)
            },
            port,
        )]),
        Host::Ip(ip) => Ok(vec![SocketAddr::new(*ip, port)]),
        Host::Name(name) => {
            let addresses = tokio::net::lookup_host((name.as_str(), port)).await?;
            Ok(prefer(addresses.collect(), options))
        }
    }
}

/// Without the `ipv6` option only IPv4 addresses of a name are used, as libzmq does.
fn prefer(mut addresses: Vec<SocketAddr>, options: &Options) -> Vec<SocketAddr> {
    if !options.ipv6 && addresses.iter().any(SocketAddr::is_ipv4) {
        addresses.retain(SocketAddr::is_ipv4);
    }
    addresses
}

fn listen(address: SocketAddr, options: &Options) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    tune_before(&socket, options)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

async fn connect_one(
    address: SocketAddr,
    source: Option<SocketAddr>,
    options: &Options,
) -> io::Result<TcpStream> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()?
    } else {
        TcpSocket::new_v4()?
    };
    tune_before(&SockRef::from(&socket), options)?;
    if let Some(source) = source {
        socket.set_reuseaddr(true)?;
        socket.bind(source)?;
    }
    socket.connect(address).await
}

/// Options that must be set before the connection exists.
fn tune_before(socket: &Socket, options: &Options) -> io::Result<()> {
    if let Some(size) = options.send_buffer {
        socket.set_send_buffer_size(size)?;
    }
    if let Some(size) = options.recv_buffer {
        socket.set_recv_buffer_size(size)?;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(device) = &options.bind_to_device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    Ok(())
}

/// Options of a connection.
fn tune(stream: &TcpStream, options: &Options) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    if let Some(tos) = options.tos {
        socket.set_tos_v4(tos)?;
    }
    if let Some(on) = options.tcp_keepalive {
        socket.set_keepalive(on)?;
        if on {
            socket.set_tcp_keepalive(&keepalive(options))?;
        }
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(most) = options.tcp_max_retransmit {
        socket.set_tcp_user_timeout(Some(most))?;
    }
    Ok(())
}

fn keepalive(options: &Options) -> TcpKeepalive {
    let mut keepalive = TcpKeepalive::new();
    if let Some(idle) = options.tcp_keepalive_idle {
        keepalive = keepalive.with_time(idle);
    }
    if let Some(interval) = options.tcp_keepalive_interval {
        keepalive = keepalive.with_interval(interval);
    }
    if let Some(count) = options.tcp_keepalive_count {
        keepalive = keepalive.with_retries(count);
    }
    keepalive
}

fn wrap(stream: TcpStream, options: &Options) -> io::Result<Box<dyn ByteStream>> {
    tune(&stream, options)?;
    let address = stream
        .peer_addr()
        .map(|address| address.to_string())
        .unwrap_or_default();
    Ok(Box::new(FdStream::new(stream.into_std()?, address)))
}

struct TcpAcceptor {
    listener: TcpListener,
    options: Options,
}

impl Listener for TcpAcceptor {
    fn endpoint(&self) -> Endpoint {
        let address = self
            .listener
            .local_addr()
            .unwrap_or_else(|_| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        Endpoint::Tcp(TcpAddress {
            source: None,
            host: Host::Ip(address.ip()),
            port: address.port(),
        })
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async move {
            let (stream, _) = self.listener.accept().await?;
            wrap(stream, &self.options)
        })
    }
}
