//! Takes a Unix socket through the upgrade: reads and writes for the conversation, makes our memory, adopts the
//! peer's, and makes a lane of both.
//!
//! Not here: what is said when (`conversation.rs`), or how long it may take (`handshake.rs`). Invariants:
//! - descriptors come in with close-on-exec set, and each is closed unless it was adopted (then it is mapped and
//!   closed as well);
//! - not a byte behind the peer's RESULT is read, so the lane misses nothing;
//! - memory is made only for a peer whose parameters suit ours.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::conversation::{Arrived, Offer, Step, Upgrade};
use super::refusal::UpgradeRefusal;
use super::wire::{Hello, Terms};
use crate::config::{Options, PeerCredentials, SocketKind, Views};
use crate::pipe::{Lane, Limits};
use crate::shm::{PeerPool, PeerSegment, Pool, SEGMENT_HEAD, Segment, ShmError};
use crate::transport::shared::{SharedLane, SharedParts};
use crate::transport::{ByteStream, HandshakeFailure, Memory};
use crate::zmtp::{Heartbeat, ProtocolError};

/// Descriptors that are told apart from each other; more are lost, and refused for that.
const MOST_DESCRIPTORS: usize = 4;

/// Our side of a link that may be upgraded.
pub(in crate::transport) struct Side<'a> {
    pub(in crate::transport) kind: SocketKind,
    pub(in crate::transport) options: &'a Options,
    pub(in crate::transport) memory: &'a Memory,
    /// Who the system says is at the other end.
    pub(in crate::transport) peer: Option<PeerCredentials>,
}

/// How a conversation ended.
pub(in crate::transport) enum Upgraded {
    Agreed(Box<Agreed>),
    /// The link stays a ZMTP stream; its first bytes are here.
    Stays {
        refusal: UpgradeRefusal,
        leftover: Vec<u8>,
    },
}

/// What both ends have of each other.
pub(in crate::transport) struct Agreed {
    local: Segment,
    pool: Option<Arc<Pool>>,
    peer: PeerSegment,
    peer_pool: Option<Arc<PeerPool>>,
    peer_hello: Hello,
}

/// Our memory for one link.
struct Mine {
    segment: Segment,
    pool: Option<Arc<Pool>>,
}

/// The peer's.
struct Theirs {
    segment: PeerSegment,
    pool: Option<Arc<PeerPool>>,
}

/// Runs the conversation. `leftover` is what came behind the handshake.
pub(in crate::transport) async fn upgrade<S: AsFd + AsRawFd>(
    stream: &AsyncFd<S>,
    side: &Side<'_>,
    peer_kind: Option<SocketKind>,
    leftover: Vec<u8>,
) -> Result<Upgraded, HandshakeFailure> {
    let terms = side.terms(peer_kind);
    let peer_bytes = terms.peer_bytes;
    let mut talk = Upgrade::new(terms);
    let (mut mine, mut theirs) = (None, None);
    // What came by plain recv() came without its descriptors.
    talk.input(Arrived {
        bytes: &leftover,
        descriptors: Vec::new(),
        cut: false,
    })?;
    loop {
        match talk.step() {
            Step::Write => write(stream, &mut talk, mine.as_ref()).await?,
            Step::Read => read(stream, &mut talk).await?,
            Step::Make => match side.make() {
                Ok(made) => {
                    talk.made(made.segment.len() as u64, made.pool_len());
                    mine = Some(made);
                }
                Err(error) => talk.refuse(UpgradeRefusal::NoMemory(error.to_string())),
            },
            Step::Adopt => match talk.take_offer().map(|offer| adopt(offer, peer_bytes)) {
                Some(Ok(adopted)) => {
                    theirs = Some(adopted);
                    talk.adopted();
                }
                Some(Err(error)) => talk.refuse(refusal_of(&error)),
                None => {}
            },
            Step::Over => break,
        }
    }
    match (talk.outcome(), talk.peer().cloned(), mine, theirs) {
        (Some(Ok(())), Some(peer_hello), Some(mut mine), Some(theirs)) => {
            mine.segment.close_fd();
            Ok(Upgraded::Agreed(Box::new(Agreed {
                local: mine.segment,
                pool: mine.pool,
                peer: theirs.segment,
                peer_pool: theirs.pool,
                peer_hello,
            })))
        }
        (Some(Err(refusal)), ..) => Ok(Upgraded::Stays {
            refusal,
            leftover: talk.into_leftover(),
        }),
        // Not reached: who agrees has both memories. A link that one end takes for something else would be worse.
        _ => Err(ProtocolError::HandshakeIncomplete.into()),
    }
}

impl Side<'_> {
    fn terms(&self, peer_kind: Option<SocketKind>) -> Terms {
        let options = self.options;
        let ttl = options.heartbeat_interval.and(options.heartbeat_ttl);
        Terms {
            hello: Hello {
                page_size: u32::try_from(rustix::param::page_size()).unwrap_or(0),
                ring_bytes: options.shared_memory.ring_bytes as u64,
                pool_bytes: self.pool_bytes() as u64,
                recv_hwm: options.recv_hwm as u64,
                recv_hwm_bytes: options.recv_hwm_bytes as u64,
                ttl_ms: ttl.map_or(0, |ttl| u64::try_from(ttl.as_millis()).unwrap_or(0)),
                kind: self.kind.number(),
            },
            segment_head: SEGMENT_HEAD as u64,
            peer_bytes: options.shared_memory.peer_bytes,
            peer_kind,
        }
    }

    /// A socket that never sends messages needs no memory for large ones. Who has the pool can read the messages for
    /// all other peers in it, so it is only for those who could look into this process anyway.
    fn pool_bytes(&self) -> usize {
        let trusted = self
            .peer
            .is_some_and(|peer| peer.uid == 0 || peer.uid == own_user());
        match self.kind.can_send() && trusted {
            true => self.options.shared_memory.pool_bytes,
            false => 0,
        }
    }

    fn make(&self) -> Result<Mine, ShmError> {
        let len = SEGMENT_HEAD + self.options.shared_memory.ring_bytes;
        Ok(Mine {
            segment: Segment::create("taipan-ring", len, Some(SEGMENT_HEAD))?,
            pool: self.memory.pool(self.pool_bytes()).transpose()?,
        })
    }
}

impl Mine {
    fn pool_len(&self) -> u64 {
        self.pool.as_ref().map_or(0, |pool| pool.len() as u64)
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let pool = self.pool.as_ref().map(|pool| pool.fd());
        self.segment.fd().into_iter().chain(pool).collect()
    }
}

impl Agreed {
    /// The lane over what was agreed on. The socket is the stream's own, freed of it.
    pub(in crate::transport) fn lane(
        self,
        side: &Side<'_>,
        stream: Box<dyn ByteStream>,
        heartbeat: Option<Heartbeat>,
        wants_ticks: Box<dyn Fn() + Send>,
    ) -> io::Result<Box<dyn Lane>> {
        let options = side.options;
        let kept = || io::Error::other("the stream does not give its descriptor away");
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let hello = self.peer_hello;
        Ok(Box::new(SharedLane::new(SharedParts {
            socket: stream.into_fd().ok_or_else(kept)?,
            local: self.local,
            peer: self.peer,
            memory: side.memory.clone(),
            pool: self.pool,
            peer_pool: self.peer_pool,
            views: views(options.shared_memory.views, side.peer),
            exhausted: options.shared_memory.exhausted,
            limits: Limits {
                messages: options.send_hwm,
                bytes: options.send_hwm_bytes,
            },
            peer_limits: Limits {
                messages: whole(hello.recv_hwm),
                bytes: whole(hello.recv_hwm_bytes),
            },
            conflate: options.conflate,
            max_message_size: options.max_message_size,
            heartbeat,
            peer_ttl: Duration::from_millis(hello.ttl_ms).min(Options::HEARTBEAT_TTL_LIMIT),
            wants_ticks,
        })))
    }
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether this peer's memory is read in place.
fn views(wanted: Views, peer: Option<PeerCredentials>) -> bool {
    match wanted {
        Views::SameUser => peer.is_some_and(|peer| peer.uid == own_user()),
        Views::Always => true,
        Views::Never => false,
    }
}

/// Everything is checked before anything is mapped; see `shm/memfd.rs`.
fn adopt(offer: Offer<OwnedFd>, limit: u64) -> Result<Theirs, ShmError> {
    let (fd, announced) = offer.segment;
    let segment = PeerSegment::adopt(fd, announced, limit, Some(SEGMENT_HEAD))?;
    let limit = limit.saturating_sub(announced);
    let pool = match offer.pool {
        Some((fd, announced)) => Some(PeerPool::adopt(fd, announced, limit)?),
        None => None,
    };
    Ok(Theirs { segment, pool })
}

/// Whose fault it is that the peer's memory was not adopted.
fn refusal_of(error: &ShmError) -> UpgradeRefusal {
    let text = error.to_string();
    match error {
        ShmError::System { .. } => UpgradeRefusal::NoMemory(text),
        _ => UpgradeRefusal::BadDescriptor(text),
    }
}

/// Writes once.
async fn write<S: AsFd + AsRawFd>(
    stream: &AsyncFd<S>,
    talk: &mut Upgrade<OwnedFd>,
    mine: Option<&Mine>,
) -> Result<(), HandshakeFailure> {
    let Some((bytes, with_descriptors)) = talk.output() else {
        return Ok(());
    };
    let descriptors = match mine {
        Some(mine) if with_descriptors => mine.descriptors(),
        _ => Vec::new(),
    };
    let written = stream
        .async_io(Interest::WRITABLE, |stream| {
            send(stream.as_fd(), bytes, &descriptors)
        })
        .await;
    match written {
        Ok(count) => talk.consume_output(count),
        Err(error) if with_descriptors && !is_end(&error) => {
            let text = format!("the descriptors cannot be sent: {error}");
            talk.refuse(UpgradeRefusal::NoMemory(text));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Whether the connection is gone, so that nothing else can be sent either.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}

fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::TOOMANYREFS.into());
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let slices = [IoSlice::new(bytes)];
    let sent =
        rustix::io::retry_on_intr(|| rustix::net::sendmsg(socket, &slices, &mut control, flags));
    Ok(sent?)
}

/// Reads once, not further than the next command.
async fn read<S: AsFd + AsRawFd>(
    stream: &AsyncFd<S>,
    talk: &mut Upgrade<OwnedFd>,
) -> Result<(), HandshakeFailure> {
    let mut buffer = vec![0; talk.wants()];
    let (count, descriptors, cut) = stream
        .async_io(Interest::READABLE, |stream| {
            receive(stream.as_fd(), &mut buffer)
        })
        .await?;
    if count == 0 {
        return Err(HandshakeFailure::closed());
    }
    talk.input(Arrived {
        bytes: &buffer[..count],
        descriptors,
        cut,
    })?;
    Ok(())
}

/// The bytes read, the descriptors that came with them, and whether some were lost.
fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>, bool)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = rustix::io::retry_on_intr(|| {
        let mut slices = [IoSliceMut::new(buffer)];
        rustix::net::recvmsg(socket, &mut slices, &mut control, flags)
    })?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = message {
            descriptors.extend(came);
        }
    }
    let cut = received.flags.contains(ReturnFlags::CTRUNC);
    Ok((received.bytes, descriptors, cut))
}
