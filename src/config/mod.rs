//! What a user can say about a socket, as plain data: its [`SocketKind`], an [`Endpoint`], the [`Options`] and how
//! its peers prove who they are ([`Security`]).
//!
//! Not here: anything that acts on these values. Text becomes a checked value in this room and is not checked again
//! above it; this room knows only `std` and the `bytes` crate.
//!
//! ```text
//!   "tcp://*:5555" --parse--> Endpoint  --> transport
//!   Options        --validate---------->  socket, session, zmtp
//! ```

mod authenticator;
mod endpoint;
mod endpoint_error;
mod kind;
mod options;
mod peers;
mod security;
mod shm;
mod tcp_address;
mod validate;

pub use authenticator::{AuthRequest, Authenticator, Credentials, RejectStatus, Verdict};
pub use endpoint::{Endpoint, IpcAddress};
pub use endpoint_error::EndpointError;
pub use kind::{SocketKind, UnknownKind};
pub use options::{Options, ReconnectStop, RouterNotify};
pub use peers::{IpcPeers, PeerCredentials};
pub use security::{PlainUsers, Security};
pub(crate) use shm::SHM_PROPERTY;
pub use shm::{PoolExhausted, SharedMemory, Spin, Views};
pub use tcp_address::{Host, HostPort, Port, TcpAddress};
pub use validate::OptionError;
