//! omq-tokio over its shared-memory transport (`shm://`), the fastest it has, with its blocking sockets.
//!
//! Three ways: owned buffers with default waiting, the same with receivers that spin for 50 us before they sleep
//! (round trips only), and large messages written straight into its shared-memory pool.

use std::time::Duration;

use omq_tokio::blocking::Socket;
use omq_tokio::{Context, Message, Options, PayloadPool, SocketType, shm_payload_pool};

use super::{Peer, locked};
use crate::Outcome;
use crate::cells::{Cell, Shape};
use crate::drive::{self, Receives, Sends};
use crate::job::Job;
use crate::lines::Fars;
use crate::meter::Sample;
use crate::payload::read;
use crate::spin::Spin;

/// One way to use omq.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Owned,
    Spinning,
    Pooled,
}

pub const WAYS: &[Way] = &[Way::Owned, Way::Pooled, Way::Spinning];

const INLINE: usize = 64;
const SOON: Duration = Duration::from_secs(10);

struct End {
    socket: Socket,
    pool: Option<PayloadPool>,
}

impl Sends for End {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let message = match &self.pool {
            Some(pool) => pooled(pool, len, tag)?,
            None if len <= INLINE => Message::from_slice(&[tag; INLINE][..len]),
            None => Message::from(vec![tag; len]),
        };
        Ok(self.socket.send(message)?)
    }
}

impl Receives for End {
    #[inline]
    fn recv(&mut self) -> Outcome<(usize, u64)> {
        let message = self.socket.recv()?;
        let bytes = message.part_slice(0).unwrap_or_default();
        Ok((bytes.len(), read(bytes)))
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

impl Way {
    fn open(self, context: &Context, kind: SocketType, sends: bool, job: &Job) -> Outcome<End> {
        let window = job.cell.window();
        let mut options = Options::default()
            .send_hwm(u32::try_from(window)?)
            .recv_hwm(u32::try_from(window)?)
            // The default of 64 MiB would keep the large messages out of shared memory.
            .shm_max_memory(256 << 20);
        options.xpub_nodrop = true;
        if self == Way::Spinning {
            options = options.recv_spin(Duration::from_micros(50));
        }
        // What waits at both ends, and one being written.
        let slots = 2 * window + 2;
        let pool = (self == Way::Pooled && sends)
            .then(|| shm_payload_pool([(job.cell.size, slots)]))
            .transpose()?;
        Ok(End {
            socket: context.blocking_socket(kind, options),
            pool,
        })
    }
}

fn endpoint(job: &Job) -> String {
    format!("shm://@{}", job.name())
}

impl Peer for Way {
    fn id(&self) -> &'static str {
        match self {
            Way::Owned => "omq",
            Way::Spinning => "omq-spin",
            Way::Pooled => "omq-pool",
        }
    }

    fn version(&self) -> String {
        format!("omq-tokio {}", locked("omq-tokio"))
    }

    fn manner(&self) -> &'static str {
        match self {
            Way::Owned => "shm://, blocking calls, sleeps",
            Way::Spinning => "shm://, blocking calls, receivers spin 50 us before they sleep",
            Way::Pooled => "shm://, blocking calls, sleeps, messages written into its shared pool",
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        match self {
            Way::Owned => None,
            Way::Spinning if cell.shape == Shape::RoundTrip => None,
            Way::Spinning => Some("measured in round trips only"),
            Way::Pooled if cell.size >= 4096 => None,
            Way::Pooled => Some("small messages do not use the pool"),
        }
    }

    fn near(&self, job: &Job) -> Outcome<Sample> {
        let context = Context::new();
        if let Shape::FanOut(subscribers) = job.cell.shape {
            let mut end = self.open(&context, SocketType::Pub, true, job)?;
            end.socket.bind(&*endpoint(job))?;
            let fars = Fars::launch(job, String::new())?;
            end.socket.wait_subscribed(subscribers as u64, SOON)?;
            return drive::send_all(&mut end, fars, job);
        }
        let stream = job.cell.shape == Shape::Stream;
        let kind = if stream {
            SocketType::Push
        } else {
            SocketType::Req
        };
        let fars = Fars::launch(job, String::new())?;
        let mut end = self.open(&context, kind, true, job)?;
        end.socket.connect(&*endpoint(job))?;
        end.socket.wait_connected(1, SOON)?;
        if stream {
            return drive::send_all(&mut end, fars, job);
        }
        drive::ask(&mut end, fars, job)
    }

    fn far(&self, job: &Job) -> Outcome<()> {
        let context = Context::new();
        let (kind, sends) = match job.cell.shape {
            Shape::Stream => (SocketType::Pull, false),
            Shape::RoundTrip => (SocketType::Rep, true),
            Shape::FanOut(_) => (SocketType::Sub, false),
        };
        let mut end = self.open(&context, kind, sends, job)?;
        match job.cell.shape {
            Shape::FanOut(_) => {
                end.socket.subscribe("")?;
                end.socket.connect(&*endpoint(job))?;
            }
            _ => drop(end.socket.bind(&*endpoint(job))?),
        }
        if job.cell.shape == Shape::RoundTrip {
            return drive::answer(&mut end, job);
        }
        drive::receive_all(&mut end, job)
    }
}
