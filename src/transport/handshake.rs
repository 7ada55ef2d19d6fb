//! The handshake on a fresh byte stream, driven by the context's own thread; what comes out is a lane.
//!
//! On a Unix socket it begins with a look at who is there, and may go on with the upgrade to shared memory
//! (`upgrade.rs`), all within `handshake_timeout`.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::failure::HandshakeFailure;
use super::stream::{StreamLane, StreamParts};
use super::upgrade::{Agreed, SharedState, Side, Upgraded, upgrade};
use super::{ByteStream, Memory};
use crate::config::{Options, PeerCredentials, SHM_PROPERTY, SocketKind};
use crate::pipe::{Lane, Limits};
use crate::zmtp::{Established, Handshake, HandshakeConfig, Heartbeat, PeerProperties, Progress};

/// The value of the property by which we say that we can share memory: the version of the conversation. What counts
/// is that it is there; versions are compared in the conversation itself.
const SHM_VERSION: &[u8] = &[1];

/// A link that is ready for messages.
pub(crate) struct Link {
    pub(crate) lane: Box<dyn Lane>,
    /// For readiness; the lane owns it and closes it when dropped.
    pub(crate) fd: RawFd,
    pub(crate) peer: PeerProperties,
    pub(crate) user_id: String,
    pub(crate) address: String,
    /// The process at the other end of a Unix socket.
    pub(crate) credentials: Option<PeerCredentials>,
    /// What became of shared memory.
    pub(crate) shared: SharedState,
}

/// Runs the handshake to its end, within `handshake_timeout`. `wants_ticks` goes to the lane.
pub(crate) async fn shake(
    stream: Box<dyn ByteStream>,
    kind: SocketKind,
    options: &Options,
    memory: &Memory,
    wants_ticks: Box<dyn Fn() + Send>,
) -> Result<Link, HandshakeFailure> {
    let address = stream.peer_address();
    let credentials = stream.unix().and_then(|peer| peer.credentials);
    if stream.unix().is_some() && !options.ipc_peers.allow(credentials) {
        return Err(HandshakeFailure::PeerRefused(credentials));
    }
    let offers = offers_memory(&*stream, options);
    let mut metadata = options.metadata.clone();
    if offers {
        metadata.push((SHM_PROPERTY.to_owned(), Bytes::from_static(SHM_VERSION)));
    }
    let config = HandshakeConfig {
        kind,
        routing_id: options.routing_id.clone(),
        security: options.security.clone(),
        metadata,
        max_message_size: options.max_message_size,
        peer_address: address.clone(),
        zap_domain: options.zap_domain.clone(),
    };
    let side = Side {
        kind,
        options,
        memory,
        peer: credentials,
    };
    let run = meet(stream, Handshake::new(config), &side, offers);
    let met = match options.handshake_timeout {
        Some(limit) => tokio::time::timeout(limit, run)
            .await
            .map_err(|_| HandshakeFailure::TimedOut)??,
        None => run.await?,
    };
    met.into_link(&side, address, wants_ticks)
}

/// Whether we can share memory with this peer, so far as this side has a say.
fn offers_memory(stream: &dyn ByteStream, options: &Options) -> bool {
    let wanted = &options.shared_memory;
    let in_the_clear = matches!(options.security.mechanism(), "NULL" | "PLAIN");
    cfg!(target_os = "linux")
        && stream.unix().is_some()
        && wanted.enabled
        && (in_the_clear || wanted.trust_local_host)
}

/// What is left when both ends have said all.
struct Met {
    stream: Box<dyn ByteStream>,
    established: Established,
    shared: SharedState,
    agreed: Option<Box<Agreed>>,
}

/// The handshake, and the upgrade if both ends offer it.
async fn meet(
    stream: Box<dyn ByteStream>,
    handshake: Handshake,
    side: &Side<'_>,
    offers: bool,
) -> Result<Met, HandshakeFailure> {
    // Sound as it asks for: the stream owns its descriptor, which stays open until the stream is taken out again.
    #[allow(deprecated)]
    let stream = AsyncFd::with_interest(Watched(stream), Interest::READABLE | Interest::WRITABLE)?;
    let mut established = converse(&stream, handshake).await?;
    let (mut shared, mut agreed) = (SharedState::NotOffered, None);
    if offers && established.peer.metadata.get(SHM_PROPERTY).is_some() {
        let leftover = std::mem::take(&mut established.leftover);
        match upgrade(&stream, side, established.peer.kind, leftover).await? {
            Upgraded::Agreed(parts) => {
                shared = SharedState::Used;
                agreed = Some(parts);
            }
            Upgraded::Stays { refusal, leftover } => {
                shared = SharedState::Refused(refusal);
                established.leftover = leftover;
            }
        }
    }
    Ok(Met {
        stream: stream.into_inner().0,
        established,
        shared,
        agreed,
    })
}

/// A stream as tokio wants it for the time of the handshake.
struct Watched(Box<dyn ByteStream>);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

async fn converse(
    stream: &AsyncFd<Watched>,
    mut handshake: Handshake,
) -> Result<Established, HandshakeFailure> {
    let mut buffer = Vec::with_capacity(1024);
    loop {
        write_all(stream, &mut handshake).await?;
        buffer.clear();
        let count = stream
            .async_io(Interest::READABLE, |stream| stream.0.read(&mut buffer))
            .await?;
        if count == 0 {
            return Err(HandshakeFailure::closed());
        }
        match handshake.input(&buffer) {
            Ok(Progress::NeedMore) => {}
            Ok(Progress::Done) => {
                write_all(stream, &mut handshake).await?;
                return Ok(handshake.finish()?);
            }
            Err(error) => {
                // The last words tell the peer why; whether they arrive does not matter.
                let _ = write_all(stream, &mut handshake).await;
                return Err(error.into());
            }
        }
    }
}

async fn write_all(stream: &AsyncFd<Watched>, handshake: &mut Handshake) -> io::Result<()> {
    while !handshake.output().is_empty() {
        let output = handshake.output();
        let count = stream
            .async_io(Interest::WRITABLE, |stream| {
                stream.0.write(&[IoSlice::new(output)])
            })
            .await?;
        handshake.consume_output(count);
    }
    Ok(())
}

impl Met {
    fn into_link(
        self,
        side: &Side<'_>,
        address: String,
        wants_ticks: Box<dyn Fn() + Send>,
    ) -> Result<Link, HandshakeFailure> {
        let options = side.options;
        // Older peers know no PING and would be taken for dead.
        let interval = options
            .heartbeat_interval
            .filter(|_| self.established.version.has_heartbeat());
        let heartbeat = interval.map(|interval| {
            Heartbeat::new(
                Some(interval),
                options.heartbeat_ttl,
                options.heartbeat_timeout,
                Instant::now(),
            )
        });
        let fd = self.stream.as_fd().as_raw_fd();
        let user_id = self.established.user_id.clone();
        let (peer, encoder, decoder) = self.established.split();
        let lane: Box<dyn Lane> = match self.agreed {
            Some(agreed) => agreed.lane(side, self.stream, heartbeat, wants_ticks)?,
            None => Box::new(StreamLane::new(StreamParts {
                stream: self.stream,
                decoder,
                encoder,
                limits: Limits {
                    messages: options.send_hwm,
                    bytes: options.send_hwm_bytes,
                },
                conflate: options.conflate,
                heartbeat,
                wants_ticks,
            })),
        };
        Ok(Link {
            lane,
            fd,
            peer,
            user_id,
            address,
            credentials: side.peer,
            shared: self.shared,
        })
    }
}
