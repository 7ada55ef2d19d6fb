//! taipan with blocking calls: owned buffers handed over, or buffers loaned from shared memory.
//!
//! Messages of up to 64 bytes are copied from the stack (they travel inline), larger ones are vectors that the
//! library takes over.

use taipan::{Context, Options, Pub, Pull, Push, Rep, Req, Socket, Sub};

use super::{Peer, locked};
use crate::Outcome;
use crate::cells::{Cell, Shape};
use crate::drive::{self, Receives, Sends};
use crate::job::Job;
use crate::lines::Fars;
use crate::meter::Sample;
use crate::payload::read;

/// The options of every taipan socket here, all others at their defaults. Between two processes on one machine the
/// watermarks of both ends count together, so each has half of the window.
pub fn options(job: &Job) -> Options {
    let window = job.cell.window();
    let mut options = Options::default();
    options.send_hwm = window / 2;
    options.recv_hwm = window - window / 2;
    options.xpub_nodrop = true;
    options
}

/// Where the run's sockets meet: an abstract name, which leaves no file.
pub fn endpoint(job: &Job) -> String {
    format!("ipc://@{}", job.name())
}

pub fn version() -> String {
    format!("taipan {}", locked("taipan"))
}

/// Messages of up to this many bytes are copied from the stack.
pub const INLINE: usize = 64;

/// Blocking calls, owned buffers.
pub struct Blocking;

/// Blocking calls, buffers loaned from the socket. Only with the feature `loan`.
pub struct Loaned;

struct Owned<K: taipan::Kind>(Socket<K>);

impl<K: taipan::Sends> Sends for Owned<K> {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        if len <= INLINE {
            self.0.blocking_send(&[tag; INLINE][..len])?;
        } else {
            self.0.blocking_send(vec![tag; len])?;
        }
        Ok(())
    }
}

impl<K: taipan::Receives> Receives for Owned<K> {
    #[inline]
    fn recv(&mut self) -> Outcome<(usize, u64)> {
        let message = self.0.blocking_recv()?;
        let bytes = message.first();
        Ok((bytes.len(), read(bytes)))
    }
}

struct Lent<K: taipan::Kind>(Socket<K>);

impl<K: taipan::Sends> Sends for Lent<K> {
    #[cfg(feature = "loan")]
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let mut loan = self.0.loan(len)?;
        loan.fill(tag);
        self.0.blocking_send(loan)?;
        Ok(())
    }

    #[cfg(not(feature = "loan"))]
    fn send(&mut self, _len: usize, _tag: u8) -> Outcome<()> {
        let _ = &self.0;
        Err("built without the feature `loan`".into())
    }
}

/// Opens the near end of a stream or fan-out and runs it with the given way to send.
fn near_sends<A: Sends, B: Sends>(
    job: &Job,
    push_way: impl Fn(Push) -> A,
    publish_way: impl Fn(Pub) -> B,
) -> Outcome<Sample> {
    let context = Context::new();
    if let Shape::FanOut(subscribers) = job.cell.shape {
        let publisher = Pub::with_options(&context, options(job))?;
        publisher.bind(&*endpoint(job))?;
        let fars = Fars::launch(job, String::new())?;
        publisher.blocking_wait_for_subscribers(subscribers, None);
        return drive::send_all(&mut publish_way(publisher), fars, job);
    }
    let fars = Fars::launch(job, String::new())?;
    let push = Push::with_options(&context, options(job))?;
    push.connect(&*endpoint(job))?;
    drive::send_all(&mut push_way(push), fars, job)
}

fn far(job: &Job) -> Outcome<()> {
    let context = Context::new();
    match job.cell.shape {
        Shape::Stream => {
            let pull = Pull::with_options(&context, options(job))?;
            pull.bind(&*endpoint(job))?;
            drive::receive_all(&mut Owned(pull), job)
        }
        Shape::RoundTrip => {
            let rep = Rep::with_options(&context, options(job))?;
            rep.bind(&*endpoint(job))?;
            drive::answer(&mut Owned(rep), job)
        }
        Shape::FanOut(_) => {
            let sub = Sub::with_options(&context, options(job))?;
            sub.subscribe("")?;
            sub.connect(&*endpoint(job))?;
            drive::receive_all(&mut Owned(sub), job)
        }
    }
}

impl Peer for Blocking {
    fn id(&self) -> &'static str {
        "taipan"
    }

    fn version(&self) -> String {
        version()
    }

    fn manner(&self) -> &'static str {
        "blocking calls, default waiting"
    }

    fn lacks(&self, _cell: &Cell) -> Option<&'static str> {
        None
    }

    fn near(&self, job: &Job) -> Outcome<Sample> {
        if job.cell.shape != Shape::RoundTrip {
            return near_sends(job, Owned, Owned);
        }
        let fars = Fars::launch(job, String::new())?;
        let context = Context::new();
        let req = Req::with_options(&context, options(job))?;
        req.connect(&*endpoint(job))?;
        drive::ask(&mut Owned(req), fars, job)
    }

    fn far(&self, job: &Job) -> Outcome<()> {
        far(job)
    }
}

impl Peer for Loaned {
    fn id(&self) -> &'static str {
        "taipan-loaned"
    }

    fn version(&self) -> String {
        version()
    }

    fn manner(&self) -> &'static str {
        "blocking calls, default waiting, buffers loaned from shared memory"
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        (cell.size < 4096).then_some("a loan is for large messages")
    }

    fn near(&self, job: &Job) -> Outcome<Sample> {
        near_sends(job, Lent, Lent)
    }

    fn far(&self, job: &Job) -> Outcome<()> {
        far(job)
    }
}
