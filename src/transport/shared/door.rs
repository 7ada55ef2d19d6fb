//! The side door of the lane, for fuzz targets: a lane, and a peer that can play by the rules or write anything.
//!
//! Both are in this process, over real memory files. Reached through `internals` only.

use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{SharedLane, SharedParts};
use crate::config::PoolExhausted;
use crate::message::{Frame, Message};
use crate::pipe::{CloseKind, Flush, Got, Lane, LaneEvent, LaneIdle, Limits, Subscription};
use crate::shm::{
    Bell, Channel, PeerPool, PeerSegment, Pool, RecordKind, SEGMENT_HEAD, Segment, Signal,
    record_len, scribble, ticket,
};
use crate::transport::memory::Memory;

/// The smallest ring.
const RING: usize = 64 * 1024;
/// Small enough to be exhausted.
const POOL: usize = 256 * 1024;

/// What the lane says when it is asked for a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedGot {
    /// A message.
    Message(Message),
    /// A subscription, or one taken back.
    Topic(Vec<u8>),
    /// Nothing for now.
    Nothing,
    /// The end of the link: whether it is the peer's fault, and the reason.
    Closed(bool, String),
}

/// A record as its reader has it: its kind, whether more follow, and its payload.
pub type SharedRecord = (u8, bool, Vec<u8>);

/// The honest end.
pub struct SharedSide {
    lane: SharedLane,
    pool: Arc<Pool>,
    start: Instant,
}

/// The other end: its rings and its memory.
pub struct SharedPeer {
    channel: Channel,
    segment: Segment,
    pool: Segment,
    socket: UnixStream,
}

fn segment() -> (Segment, PeerSegment) {
    let len = SEGMENT_HEAD + RING;
    let segment = Segment::create("taipan-fuzz", len, Some(SEGMENT_HEAD)).expect("a segment");
    let fd = sent(segment.fd());
    let peer = PeerSegment::adopt(fd, len as u64, len as u64, Some(SEGMENT_HEAD));
    (segment, peer.expect("a good segment"))
}

fn sent(fd: Option<BorrowedFd<'_>>) -> OwnedFd {
    let fd = fd.expect("still open").try_clone_to_owned();
    fd.expect("a second descriptor")
}

fn sockets() -> io::Result<(UnixStream, UnixStream)> {
    let (one, other) = UnixStream::pair()?;
    one.set_nonblocking(true)?;
    other.set_nonblocking(true)?;
    Ok((one, other))
}

impl SharedSide {
    /// A link of a lane with this watermark (0 is none), which reads chunks in place or copies them, waits for chunks
    /// or does without, keeps the newest message only or all.
    pub fn pair(hwm: usize, views: bool, wait: bool, conflate: bool) -> (SharedSide, SharedPeer) {
        let ((local, local_there), (theirs, theirs_here)) = (segment(), segment());
        let (here, there) = sockets().expect("a pair of sockets");
        let pool = Pool::create(POOL).expect("a pool");
        let peers = Segment::create("taipan-fuzz", POOL, None).expect("a segment");
        let peer_pool = PeerPool::adopt(sent(peers.fd()), POOL as u64, POOL as u64);
        let lane = SharedLane::new(SharedParts {
            socket: here.into(),
            local,
            peer: theirs_here,
            memory: Memory::default(),
            pool: Some(pool.clone()),
            peer_pool: Some(peer_pool.expect("a good pool")),
            views,
            exhausted: if wait {
                PoolExhausted::Wait
            } else {
                PoolExhausted::Copy
            },
            limits: Limits {
                messages: hwm,
                bytes: 0,
            },
            peer_limits: Limits {
                messages: hwm,
                bytes: 0,
            },
            conflate,
            max_message_size: Some(1 << 20),
            heartbeat: None,
            peer_ttl: Duration::from_millis(100),
            wants_ticks: Box::new(|| ()),
        });
        let bell = Bell::new(there.try_clone().expect("a second descriptor").into());
        let peer = SharedPeer {
            channel: Channel::new(theirs.map(), local_there.map(), bell),
            segment: theirs,
            pool: peers,
            socket: there,
        };
        let start = Instant::now();
        (SharedSide { lane, pool, start }, peer)
    }

    /// Sends a message of frames of these lengths, in the socket's own memory if there is room and it is wanted;
    /// whether it was taken.
    pub fn send(&mut self, lens: &[usize], loaned: bool) -> bool {
        let frame = |len: &usize| match self.pool.take(*len) {
            Some(chunk) if loaned => Frame::from(Bytes::from_owner(chunk)),
            _ => Frame::from(vec![*len as u8; *len]),
        };
        let frames: Vec<Frame> = lens.iter().map(frame).collect();
        self.lane.try_send(&mut Message::from_frames(frames))
    }

    /// Subscribes.
    pub fn subscribe(&mut self, len: usize) {
        self.lane.subscribe(Subscription::Add(vec![7; len].into()));
    }

    /// Takes the next packet.
    pub fn receive(&mut self) -> SharedGot {
        let mut message = Message::new();
        match self.lane.try_recv(&mut message) {
            Ok(Got::Message { .. }) => SharedGot::Message(message),
            Ok(Got::Subscription(subscription)) => SharedGot::Topic(subscription.topic().to_vec()),
            Err(LaneIdle::Empty) => SharedGot::Nothing,
            Err(LaneIdle::Closed(cause)) => {
                SharedGot::Closed(cause.kind == CloseKind::Protocol, cause.detail.to_string())
            }
        }
    }

    /// Puts out what is possible; `None` if the link is broken, else whether nothing is left.
    pub fn flush(&mut self) -> Option<bool> {
        match self.lane.flush() {
            Flush::Done => Some(true),
            Flush::Blocked => Some(false),
            Flush::Broken => None,
        }
    }

    /// Looks for news, and falls asleep if there are none; whether there is something to receive, and room.
    pub fn glance(&mut self, sleep: bool) -> (bool, bool) {
        let glance = self.lane.glance(sleep).unwrap_or_default();
        (glance.readable, glance.writable)
    }

    /// The bell has rung.
    pub fn hear(&mut self) {
        self.lane.on_event(LaneEvent::Readable);
    }

    /// Nobody receives just now.
    pub fn prefetch(&mut self) {
        self.lane.on_event(LaneEvent::Prefetch(1 << 16));
    }

    /// Nothing more is sent.
    pub fn finish(&mut self) {
        self.lane.on_event(LaneEvent::Finish);
    }

    /// Time passes.
    pub fn tick(&mut self, milliseconds: u64) {
        self.start += Duration::from_millis(milliseconds);
        self.lane.on_event(LaneEvent::Tick(self.start));
    }

    /// Messages that wait outside of the ring.
    pub fn waiting(&self) -> usize {
        self.lane.depth().messages
    }

    /// Ends it and then its peer; the bytes of the pool that nobody gave back.
    pub fn end(mut self, peer: SharedPeer) -> usize {
        let (kept, _) = self.lane.reclaim();
        drop(kept);
        drop(self.lane);
        drop(peer);
        self.pool.settle();
        self.pool.len() - self.pool.free_bytes()
    }
}

impl SharedPeer {
    /// Puts a record as the rules say, if there is room; whether there was. Kinds from 5 on begin anew at 0.
    pub fn put(&mut self, kind: u8, more: bool, payload: &[u8]) -> bool {
        let kinds = [
            RecordKind::Frame,
            RecordKind::Chunk,
            RecordKind::Subscribe,
            RecordKind::Cancel,
            RecordKind::Piece,
        ];
        let tx = &mut self.channel.tx;
        if tx.free() < record_len(payload.len()) {
            let _ = tx.refresh();
        }
        let fits = tx.free() >= record_len(payload.len());
        if fits {
            tx.put(kinds[usize::from(kind) % kinds.len()], more, payload);
        }
        fits
    }

    /// Publishes what was put, and rings if it is due.
    pub fn publish(&mut self) {
        if self.channel.tx.publish_and_look() {
            self.channel.bell.send(Signal::Bell);
        }
    }

    /// Reads a record and gives back its chunk, if it is one. `Err` says what the lane did wrong.
    pub fn read(&mut self) -> Result<Option<SharedRecord>, &'static str> {
        let rx = &mut self.channel.rx;
        let Some(record) = rx.next().map_err(|violation| violation.0)? else {
            return Ok(None);
        };
        let payload = rx.to_vec(record);
        rx.advance(record);
        if let (RecordKind::Chunk, Some((chunk, generation))) = (
            record.kind,
            payload.first_chunk::<8>().map(|name| name.split_at(4)),
        ) {
            let word = |bytes: &[u8]| {
                bytes
                    .iter()
                    .rev()
                    .fold(0, |word, byte| word << 8 | u32::from(*byte))
            };
            let returner = &self.channel.returner;
            returner.give_back(ticket(word(chunk), word(generation)));
        }
        Ok(Some((record.kind as u8, record.more, payload)))
    }

    /// Counts a message as read.
    pub fn count(&mut self, bytes: usize) {
        self.channel.rx.taken.count(bytes);
    }

    /// Gives back the room of what was read, and rings if it is due.
    pub fn release(&mut self) {
        if self.channel.rx.release_and_look() {
            self.channel.bell.send(Signal::Bell);
        }
    }

    /// Writes anything anywhere into its segment.
    pub fn scribble(&mut self, offset: usize, bytes: &[u8]) {
        scribble(&self.segment, offset, bytes);
    }

    /// Writes anything anywhere into its pool.
    pub fn scribble_pool(&mut self, offset: usize, bytes: &[u8]) {
        scribble(&self.pool, offset, bytes);
    }

    /// Writes any bytes to the bell.
    pub fn ring(&mut self, bytes: &[u8]) {
        // A full socket is as good as one that hears.
        let _ = self.socket.write(bytes);
    }

    /// Publishes all and says that nothing follows.
    pub fn close(&mut self) {
        self.channel.tx.close();
        self.channel.bell.send(Signal::Bell);
    }
}
