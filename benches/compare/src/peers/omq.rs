//! omq-tokio, blocking and async; within one machine over its shared memory (`shm://`, the fastest it has), or over
//! its `ipc://`.
//!
//! Blocking ways: owned buffers with default waiting over shared memory or over Unix sockets, the same with receivers
//! that spin for 50 us before they sleep (round trips only), and large messages written straight into its
//! shared-memory pool. One-way receivers take what is there with `recv_many`. Async calls are made on the caller's own
//! runtime (`Context::current`), but inproc between two runtimes they share a context with an I/O thread.

use std::sync::OnceLock;
use std::time::Duration;

use omq_tokio::blocking;
use omq_tokio::{Context, Message, Options, PayloadPool, Socket, SocketType, shm_payload_pool};

use super::{About, Part, kinds, locked};
use crate::Outcome;
use crate::cells::{Cell, Course, Placement, Shape, Transport};
use crate::drive::{End, TaskEnd, Tasked, Threaded};
use crate::job::Job;
use crate::payload::{Got, read};
use crate::spin::Spin;

/// One way to use omq from threads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Owned,
    Pooled,
    Spinning,
    PlainIpc,
}

pub const WAYS: [Way; 4] = [Way::Owned, Way::Pooled, Way::Spinning, Way::PlainIpc];

const INLINE: usize = 64;
const SOON: Duration = Duration::from_secs(10);
/// What one `recv_many` may take.
const MANY: usize = 256;

const KINDS: [SocketType; 8] = [
    SocketType::Push,
    SocketType::Pull,
    SocketType::Req,
    SocketType::Rep,
    SocketType::Dealer,
    SocketType::Router,
    SocketType::Pub,
    SocketType::Sub,
];

/// Where the near end listens.
fn listen(job: &Job, shared_memory: bool) -> String {
    match job.cell.transport {
        Transport::Inproc => format!("inproc://{}", job.name()),
        Transport::Ipc if shared_memory => format!("shm://@{}", job.name()),
        Transport::Ipc => format!("ipc://@{}", job.name()),
        Transport::Tcp => "tcp://127.0.0.1:0".to_owned(),
    }
}

fn options(job: &Job) -> Outcome<Options> {
    let window = u32::try_from(job.cell.window())?;
    let mut options = Options::default()
        .send_hwm(window)
        .recv_hwm(window)
        // The default of 64 MiB would keep the large messages out of shared memory.
        .shm_max_memory(256 << 20);
    options.xpub_nodrop = true;
    Ok(options)
}

fn owned(len: usize, tag: u8) -> Message {
    if len <= INLINE {
        Message::from_slice(&[tag; INLINE][..len])
    } else {
        Message::from(vec![tag; len])
    }
}

/// A message in the pool. The pool is large enough for all that may be on the way, but a slot may come back late.
fn pooled(pool: &PayloadPool, len: usize, tag: u8) -> Outcome<Message> {
    let mut spin = Spin::new();
    loop {
        if let Some(message) = pool.try_message(len, |body| body.fill(tag))? {
            return Ok(message);
        }
        spin.again();
    }
}

/// Whom a router answers.
#[derive(Default)]
struct Asker {
    routes: bool,
    name: Option<bytes::Bytes>,
}

impl Asker {
    fn new(kind: SocketType) -> Asker {
        Asker {
            routes: kind == SocketType::Router,
            name: None,
        }
    }

    #[inline]
    fn take(&mut self, mut message: Message) -> Got {
        if self.routes {
            self.name = message.pop_front();
        }
        read(message.part_slice(0).unwrap_or_default())
    }

    #[inline]
    fn address(&mut self, message: Message) -> Message {
        match self.name.take() {
            Some(name) => Message::with_prefix(name, message),
            None => message,
        }
    }
}

pub struct Wired {
    socket: blocking::Socket,
    asker: Asker,
    pool: Option<PayloadPool>,
    /// What `recv_many` took, the last first.
    taken: Vec<Message>,
    many: bool,
}

impl End for Wired {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let message = match &self.pool {
            Some(pool) => pooled(pool, len, tag)?,
            None => owned(len, tag),
        };
        Ok(self.socket.send(self.asker.address(message))?)
    }

    #[inline]
    fn recv(&mut self) -> Outcome<Got> {
        if !self.many {
            let message = self.socket.recv()?;
            return Ok(self.asker.take(message));
        }
        if self.taken.is_empty() {
            self.socket.recv_many_into(MANY, &mut self.taken)?;
            self.taken.reverse();
        }
        let message = self.taken.pop().ok_or("recv_many took nothing")?;
        Ok(self.asker.take(message))
    }

    fn settle(&mut self, fars: usize) -> Outcome<()> {
        if self.socket.socket_type() == SocketType::Pub {
            self.socket.wait_subscribed(fars as u64, SOON)?;
        } else {
            self.socket.wait_connected(fars, SOON)?;
        }
        Ok(())
    }
}

pub struct Omq {
    way: Way,
    context: OnceLock<Context>,
}

impl Omq {
    pub fn new(way: Way) -> Self {
        Omq {
            way,
            context: OnceLock::new(),
        }
    }

    fn open(&self, kind: SocketType, job: &Job) -> Outcome<Wired> {
        let mut options = options(job)?;
        if self.way == Way::Spinning {
            options = options.recv_spin(Duration::from_micros(50));
        }
        let sends = !matches!(kind, SocketType::Pull | SocketType::Sub);
        // What waits at both ends, and one being written.
        let slots = 2 * job.cell.window() + 2;
        let pool = (self.way == Way::Pooled && sends)
            .then(|| shm_payload_pool([(job.cell.size, slots)]))
            .transpose()?;
        let context = self.context.get_or_init(Context::new);
        Ok(Wired {
            socket: context.blocking_socket(kind, options),
            asker: Asker::new(kind),
            pool,
            taken: Vec::new(),
            many: !job.cell.asks(),
        })
    }
}

impl Threaded for Omq {
    type End = Wired;

    fn about(&self) -> About {
        let (id, manner) = match self.way {
            Way::Owned => ("omq", "blocking calls, sleeps; ipc is its shm://"),
            Way::Pooled => (
                "omq-pool",
                "shm://, blocking calls, sleeps, messages written into its shared pool",
            ),
            Way::Spinning => (
                "omq-spin",
                "blocking calls, receivers spin 50 us before they sleep; ipc is its shm://",
            ),
            Way::PlainIpc => ("omq-ipc", "blocking calls, sleeps; ipc is its ipc://"),
        };
        About {
            id: id.to_owned(),
            version: version(),
            manner: manner.to_owned(),
            part: Part::Other,
            quick: self.way == Way::Owned,
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        let ipc = cell.transport == Transport::Ipc;
        match self.way {
            _ if cell.placement == Placement::OneThread => Some("it blocks its thread"),
            Way::Owned => None,
            Way::Spinning if cell.is_latency() => None,
            Way::Spinning => Some("measured in round trips"),
            Way::Pooled if !ipc || cell.size < 4096 => Some("measured with large messages on ipc"),
            Way::Pooled if cell.course() == Course::Out => None,
            Way::Pooled => Some("measured in streams and publishing"),
            Way::PlainIpc => (!ipc).then_some("measured on ipc"),
        }
    }

    fn near(&self, job: &Job) -> Outcome<(Wired, String)> {
        let wired = self.open(kinds(job.cell.shape, KINDS).0, job)?;
        let shared_memory = self.way != Way::PlainIpc;
        let place = wired.socket.bind(&*listen(job, shared_memory))?;
        Ok((wired, place.to_string()))
    }

    fn far(&self, job: &Job, _index: usize) -> Outcome<Wired> {
        let wired = self.open(kinds(job.cell.shape, KINDS).1, job)?;
        if let Shape::Publish(_) = job.cell.shape {
            wired.socket.subscribe("")?;
        }
        wired.socket.connect(&*job.place)?;
        wired.socket.wait_connected(1, SOON)?;
        Ok(wired)
    }
}

fn version() -> String {
    format!("omq-tokio {}", locked("omq-tokio"))
}

/// omq in tasks of a current-thread runtime.
#[derive(Default)]
pub struct OmqTasks {
    context: OnceLock<Context>,
}

pub struct Awaited {
    socket: Socket,
    asker: Asker,
}

impl TaskEnd for Awaited {
    #[inline]
    async fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let message = self.asker.address(owned(len, tag));
        Ok(self.socket.send(message).await?)
    }

    #[inline]
    async fn recv(&mut self) -> Outcome<Got> {
        let message = self.socket.recv().await?;
        Ok(self.asker.take(message))
    }

    async fn settle(&mut self, fars: usize) -> Outcome<()> {
        if self.socket.socket_type() == SocketType::Pub {
            self.socket.wait_subscribed(fars as u64, SOON).await?;
        } else {
            self.socket.wait_connected(fars, SOON).await?;
        }
        Ok(())
    }
}

impl OmqTasks {
    fn open(&self, kind: SocketType, job: &Job) -> Outcome<Awaited> {
        let two_runtimes =
            job.cell.transport == Transport::Inproc && job.cell.placement != Placement::OneThread;
        let context = self.context.get_or_init(|| {
            if two_runtimes {
                Context::new()
            } else {
                Context::current()
            }
        });
        Ok(Awaited {
            socket: context.socket(kind, options(job)?),
            asker: Asker::new(kind),
        })
    }
}

impl Tasked for OmqTasks {
    type End = Awaited;

    fn about(&self) -> About {
        About {
            id: "omq-async".to_owned(),
            version: version(),
            manner: "async calls, current-thread runtime; ipc is its shm://".to_owned(),
            part: Part::Other,
            quick: true,
        }
    }

    fn lacks(&self, _cell: &Cell) -> Option<&'static str> {
        None
    }

    async fn near(&self, job: &Job) -> Outcome<(Awaited, String)> {
        let awaited = self.open(kinds(job.cell.shape, KINDS).0, job)?;
        let place = awaited.socket.bind(&*listen(job, true)).await?;
        Ok((awaited, place.to_string()))
    }

    async fn far(&self, job: &Job, _index: usize) -> Outcome<Awaited> {
        let awaited = self.open(kinds(job.cell.shape, KINDS).1, job)?;
        if let Shape::Publish(_) = job.cell.shape {
            awaited.socket.subscribe("").await?;
        }
        awaited.socket.connect(&*job.place).await?;
        awaited.socket.wait_connected(1, SOON).await?;
        Ok(awaited)
    }
}
