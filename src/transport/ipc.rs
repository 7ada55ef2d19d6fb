//! `ipc://`: ZMTP over a Unix stream socket, as libzmq speaks it. What may follow between two of us is in
//! `upgrade.rs`.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use super::{BoxFuture, ByteStream, FdStream, Listener, Transport, UnixPeer};
use crate::config::{Endpoint, IpcAddress, Options, PeerCredentials};

/// The ipc transport.
#[derive(Debug, Default)]
pub struct Ipc;

fn address_of(endpoint: &Endpoint) -> io::Result<&IpcAddress> {
    match endpoint {
        Endpoint::Ipc(address) => Ok(address),
        other => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("not an ipc address: {other}"),
        )),
    }
}

fn socket_address(address: &IpcAddress) -> io::Result<SockAddr> {
    match address {
        IpcAddress::Path(path) => SockAddr::unix(path),
        IpcAddress::Abstract(name) => abstract_address(name.as_ref()),
        IpcAddress::Temporary => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "ipc://* can be bound, not connected",
        )),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &[u8]) -> io::Result<SockAddr> {
    use std::os::unix::ffi::OsStrExt;
    let mut raw = vec![0u8];
    raw.extend_from_slice(name);
    SockAddr::unix(std::ffi::OsStr::from_bytes(&raw))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_address(_name: &[u8]) -> io::Result<SockAddr> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "abstract socket names are a Linux feature",
    ))
}

impl Transport for Ipc {
    fn bind(&self, endpoint: &Endpoint, options: &Options) -> io::Result<Box<dyn Listener>> {
        let (address, directory) = match address_of(endpoint)? {
            IpcAddress::Temporary => {
                let directory = temporary_directory()?;
                (IpcAddress::Path(directory.join("socket")), Some(directory))
            }
            given => (given.clone(), None),
        };
        let cleanup = match &address {
            IpcAddress::Path(path) => {
                remove_stale(path)?;
                Some(path.clone())
            }
            _ => None,
        };
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&socket_address(&address)?)?;
        socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
        socket.set_nonblocking(true)?;
        let listener = UnixListener::from_std(OwnedFd::from(socket).into())?;
        let cleanup = cleanup.map(|path| (path.clone(), identity(&path)));
        Ok(Box::new(IpcAcceptor {
            listener,
            address,
            _file: SocketFile {
                path: cleanup,
                directory,
            },
        }))
    }

    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        options: &'a Options,
    ) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async move {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            if let Some(size) = options.send_buffer {
                socket.set_send_buffer_size(size)?;
            }
            socket.set_nonblocking(true)?;
            // A Unix connect is immediate: done, refused, or the backlog is full (try again).
            socket.connect(&socket_address(address_of(endpoint)?)?)?;
            let stream = UnixStream::from_std(OwnedFd::from(socket).into())?;
            wrap(stream)
        })
    }
}

/// A name left behind by a process that is gone is stolen, as libzmq does; anything else is not touched.
fn remove_stale(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "the path exists and is not a socket",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn temporary_directory() -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    for _ in 0..16 {
        let path = std::env::temp_dir().join(format!("taipan-{:016x}", rand::random::<u64>()));
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "no free name for a temporary directory",
    ))
}

fn wrap(stream: UnixStream) -> io::Result<Box<dyn ByteStream>> {
    let peer = stream.peer_cred().ok().map(|peer| PeerCredentials {
        pid: peer.pid().unwrap_or(0),
        uid: peer.uid(),
        gid: peer.gid(),
    });
    let address = match peer {
        Some(PeerCredentials { pid, uid, gid }) => format!(":{uid}:{gid}:{pid}"),
        None => String::new(),
    };
    let stream = FdStream::local(stream.into_std()?, address, UnixPeer::new(peer));
    Ok(Box::new(stream))
}

/// Removes what the listener put into the file system, unless somebody else has taken the name over.
struct SocketFile {
    /// The path, with the device and the inode that the socket had.
    path: Option<(PathBuf, Option<(u64, u64)>)>,
    directory: Option<PathBuf>,
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path)
        .ok()
        .map(|found| (found.dev(), found.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Some((path, own)) = &self.path
            && identity(path) == *own
        {
            let _ = std::fs::remove_file(path);
        }
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_dir(directory);
        }
    }
}

struct IpcAcceptor {
    listener: UnixListener,
    address: IpcAddress,
    _file: SocketFile,
}

impl Listener for IpcAcceptor {
    fn endpoint(&self) -> Endpoint {
        Endpoint::Ipc(self.address.clone())
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async move {
            let (stream, _) = self.listener.accept().await?;
            wrap(stream)
        })
    }
}
