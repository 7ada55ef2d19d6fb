//! taipan in four manners: blocking calls with owned buffers, the same with buffers loaned from shared memory, and
//! async calls on a current-thread and on a multi-thread runtime.
//!
//! Messages of up to 64 bytes are copied from the stack (they travel inline), larger ones are vectors that the
//! library takes over.

use std::sync::LazyLock;

use taipan::{AnySocket, Context, Frame, Message, Options, SocketKind};

use super::{About, Part, kinds, locked};
use crate::Outcome;
use crate::cells::{Cell, Course, Placement, Transport};
use crate::drive::{End, TaskEnd, Tasked, Threaded};
use crate::job::Job;
use crate::payload::{Got, read};

/// How taipan is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Owned,
    /// Only with the feature `loan`.
    Loaned,
    CurrentThread,
    Workers,
}

/// The peer; its context is that of its process.
pub struct Taipan {
    manner: Manner,
    context: LazyLock<Context>,
}

/// Messages of up to this many bytes are copied from the stack.
const INLINE: usize = 64;

/// The options of every socket here, all others at their defaults. Where both ends' watermarks count together, as
/// they do between two processes on one machine and within one, each has half of the window.
fn options(job: &Job) -> Options {
    let window = job.cell.window();
    let mut options = Options::default();
    let (send, recv) = match job.cell.transport {
        Transport::Inproc | Transport::Ipc => (window / 2, window - window / 2),
        Transport::Tcp => (window, window),
    };
    options.send_hwm = send;
    options.recv_hwm = recv;
    options.xpub_nodrop = true;
    options
}

/// Where the near end listens; an abstract name leaves no file.
fn listen(job: &Job) -> String {
    match job.cell.transport {
        Transport::Inproc => format!("inproc://{}", job.name()),
        Transport::Ipc => format!("ipc://@{}", job.name()),
        Transport::Tcp => "tcp://127.0.0.1:*".to_owned(),
    }
}

/// A socket, and whom it received from last if it is a router.
pub struct Wired {
    socket: AnySocket,
    loans: bool,
    routes: bool,
    asker: Option<Frame>,
}

impl Wired {
    /// What a router answers: the name of the asker in front.
    fn reply(&mut self, len: usize, tag: u8) -> Outcome<Message> {
        let asker = self.asker.take().ok_or("nobody asked")?;
        let body = if len <= INLINE {
            Frame::from(&[tag; INLINE][..len])
        } else {
            Frame::from(vec![tag; len])
        };
        Ok(Message::from_frames([asker, body]))
    }

    /// What is in a message that was received.
    #[inline]
    fn take(&mut self, message: Message) -> Got {
        if self.routes {
            return self.question(message);
        }
        read(message.first())
    }

    fn question(&mut self, mut message: Message) -> Got {
        self.asker = message.pop_front();
        read(message.first())
    }
}

impl End for Wired {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        if self.routes {
            let reply = self.reply(len, tag)?;
            self.socket.blocking_send(reply)?;
        } else if self.loans {
            lend(&self.socket, len, tag)?;
        } else if len <= INLINE {
            self.socket.blocking_send(&[tag; INLINE][..len])?;
        } else {
            self.socket.blocking_send(vec![tag; len])?;
        }
        Ok(())
    }

    #[inline]
    fn recv(&mut self) -> Outcome<Got> {
        let message = self.socket.blocking_recv()?;
        Ok(self.take(message))
    }

    fn settle(&mut self, fars: usize) -> Outcome<()> {
        if self.socket.kind() == SocketKind::Pub {
            self.socket.blocking_wait_for_subscribers(fars, None);
        } else {
            self.socket.blocking_wait_for_peers(fars, None);
        }
        Ok(())
    }
}

#[cfg(feature = "loan")]
#[inline]
fn lend(socket: &AnySocket, len: usize, tag: u8) -> Outcome<()> {
    let mut loan = socket.loan(len)?;
    loan.fill(tag);
    Ok(socket.blocking_send(loan)?)
}

#[cfg(not(feature = "loan"))]
fn lend(_socket: &AnySocket, _len: usize, _tag: u8) -> Outcome<()> {
    Err("built without the feature `loan`".into())
}

/// The same, called in tasks.
pub struct Awaited(Wired);

impl TaskEnd for Awaited {
    #[inline]
    async fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let Wired { socket, routes, .. } = &mut self.0;
        if *routes {
            let reply = self.0.reply(len, tag)?;
            self.0.socket.send(reply).await?;
        } else if len <= INLINE {
            socket.send(&[tag; INLINE][..len]).await?;
        } else {
            socket.send(vec![tag; len]).await?;
        }
        Ok(())
    }

    #[inline]
    async fn recv(&mut self) -> Outcome<Got> {
        let message = self.0.socket.recv().await?;
        Ok(self.0.take(message))
    }

    async fn settle(&mut self, fars: usize) -> Outcome<()> {
        if self.0.socket.kind() == SocketKind::Pub {
            self.0.socket.wait_for_subscribers(fars).await;
        } else {
            self.0.socket.wait_for_peers(fars).await;
        }
        Ok(())
    }
}

const KINDS: [SocketKind; 8] = [
    SocketKind::Push,
    SocketKind::Pull,
    SocketKind::Req,
    SocketKind::Rep,
    SocketKind::Dealer,
    SocketKind::Router,
    SocketKind::Pub,
    SocketKind::Sub,
];

impl Taipan {
    pub fn new(manner: Manner) -> Self {
        Taipan {
            manner,
            context: LazyLock::new(Context::new),
        }
    }

    fn open(&self, kind: SocketKind, job: &Job) -> Outcome<Wired> {
        Ok(Wired {
            socket: AnySocket::of(&self.context, kind, options(job))?,
            loans: self.manner == Manner::Loaned,
            routes: kind == SocketKind::Router,
            asker: None,
        })
    }

    fn bind(&self, job: &Job) -> Outcome<(Wired, String)> {
        let wired = self.open(kinds(job.cell.shape, KINDS).0, job)?;
        let place = wired.socket.bind(&*listen(job))?;
        Ok((wired, place.to_string()))
    }

    fn connect(&self, job: &Job) -> Outcome<Wired> {
        let wired = self.open(kinds(job.cell.shape, KINDS).1, job)?;
        if wired.socket.kind() == SocketKind::Sub {
            wired.socket.subscribe("")?;
        }
        wired.socket.connect(&*job.place)?;
        Ok(wired)
    }

    fn who(&self) -> About {
        let (id, manner) = match self.manner {
            Manner::Owned => ("taipan", "blocking calls, default waiting"),
            Manner::Loaned => (
                "taipan-loaned",
                "blocking calls, default waiting, buffers loaned from shared memory",
            ),
            Manner::CurrentThread => ("taipan-async", "async calls, current-thread runtime"),
            Manner::Workers => ("taipan-async-mt", "async calls in tasks, two workers"),
        };
        About {
            id: id.to_owned(),
            version: format!("taipan {}", locked("taipan")),
            manner: manner.to_owned(),
            part: Part::Ours,
            quick: true,
        }
    }
}

impl Threaded for Taipan {
    type End = Wired;

    fn about(&self) -> About {
        self.who()
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        let one_way = matches!(cell.course(), Course::Out | Course::Share | Course::Gather);
        if cell.placement == Placement::OneThread {
            return Some("two tasks of one thread need async calls");
        }
        if self.manner != Manner::Loaned {
            return None;
        }
        match cell.transport {
            Transport::Ipc if cell.size < 4096 => Some("a loan is for large messages"),
            Transport::Ipc if one_way => None,
            Transport::Ipc => Some("loans are measured one way"),
            Transport::Inproc | Transport::Tcp => Some("loans are for shared memory"),
        }
    }

    fn near(&self, job: &Job) -> Outcome<(Wired, String)> {
        self.bind(job)
    }

    fn far(&self, job: &Job, _index: usize) -> Outcome<Wired> {
        self.connect(job)
    }
}

impl Tasked for Taipan {
    type End = Awaited;

    fn about(&self) -> About {
        self.who()
    }

    fn lacks(&self, _cell: &Cell) -> Option<&'static str> {
        None
    }

    async fn near(&self, job: &Job) -> Outcome<(Awaited, String)> {
        let (wired, place) = self.bind(job)?;
        Ok((Awaited(wired), place))
    }

    async fn far(&self, job: &Job, _index: usize) -> Outcome<Awaited> {
        Ok(Awaited(self.connect(job)?))
    }
}
