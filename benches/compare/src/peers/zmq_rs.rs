//! zeromq (zmq.rs), over tcp and its Unix sockets, in tasks of one thread or of two workers.
//!
//! It has no watermarks: each connection has a queue of 100,000 messages. Where those are small that is left as it is,
//! a larger stream goes on credit, and what is published always does, because a PUB drops what its queues cannot take.
//! A request or reply is written by its caller, all else by a task for each connection.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use zeromq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket,
    SocketEvent, SocketRecv, SocketSend, SubSocket, ZmqMessage,
};

use super::credit::{Credit, Creditor, PROBE};
use super::{About, Part, files, locked};
use crate::Outcome;
use crate::cells::{Cell, Shape, Transport};
use crate::drive::{TaskEnd, Tasked};
use crate::job::Job;
use crate::payload::{Got, read};

/// Messages of up to this size may fill the queue of a connection.
const SMALL: usize = 1 << 10;

/// zeromq on a current-thread runtime, or on workers.
pub struct ZmqRs {
    pub workers: bool,
}

enum Kind {
    Push(PushSocket),
    Pull(PullSocket),
    Req(ReqSocket),
    Rep(RepSocket),
    Dealer(DealerSocket),
    Router(RouterSocket),
    Pub(PubSocket),
    Sub(SubSocket),
}

/// Does the same with a socket of any kind.
macro_rules! any {
    ($kind:expr, $socket:ident => $what:expr) => {
        match $kind {
            Kind::Push($socket) => $what,
            Kind::Pull($socket) => $what,
            Kind::Req($socket) => $what,
            Kind::Rep($socket) => $what,
            Kind::Dealer($socket) => $what,
            Kind::Router($socket) => $what,
            Kind::Pub($socket) => $what,
            Kind::Sub($socket) => $what,
        }
    };
}

pub struct Wired {
    kind: Kind,
    /// Whom a router answers.
    asker: Option<Bytes>,
    events: Option<BoxStream<'static, SocketEvent>>,
    credit: Option<Credit>,
    creditor: Option<Creditor>,
}

/// Whether what is sent stays within credit.
fn on_credit(cell: &Cell) -> bool {
    match cell.shape {
        Shape::Publish(_) => true,
        Shape::Stream => cell.size > SMALL,
        _ => false,
    }
}

impl Kind {
    async fn send(&mut self, message: ZmqMessage) -> Outcome<()> {
        match self {
            Kind::Push(socket) => socket.send(message).await?,
            Kind::Req(socket) => socket.send(message).await?,
            Kind::Rep(socket) => socket.send(message).await?,
            Kind::Dealer(socket) => socket.send(message).await?,
            Kind::Router(socket) => socket.send(message).await?,
            Kind::Pub(socket) => socket.send(message).await?,
            Kind::Pull(_) | Kind::Sub(_) => return Err("this end does not send".into()),
        }
        Ok(())
    }

    async fn recv(&mut self) -> Outcome<ZmqMessage> {
        Ok(match self {
            Kind::Pull(socket) => socket.recv().await?,
            Kind::Req(socket) => socket.recv().await?,
            Kind::Rep(socket) => socket.recv().await?,
            Kind::Dealer(socket) => socket.recv().await?,
            Kind::Router(socket) => socket.recv().await?,
            Kind::Sub(socket) => socket.recv().await?,
            Kind::Push(_) | Kind::Pub(_) => return Err("this end does not receive".into()),
        })
    }
}

impl Wired {
    fn of(kind: Kind) -> Wired {
        Wired {
            kind,
            asker: None,
            events: None,
            credit: None,
            creditor: None,
        }
    }

    #[inline]
    fn take(&mut self, message: ZmqMessage) -> Outcome<Got> {
        if let Kind::Router(_) = self.kind {
            let [asker, body] = <[Bytes; 2]>::try_from(message.into_vec())
                .map_err(|_| "a question of other than two frames")?;
            self.asker = Some(asker);
            return Ok(read(&body));
        }
        Ok(read(message.get(0).ok_or("an empty message")?))
    }
}

impl TaskEnd for Wired {
    async fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        if let Some(credit) = &mut self.credit {
            credit.spend().await?;
        }
        let mut message = ZmqMessage::from(vec![tag; len]);
        if let Some(asker) = self.asker.take() {
            message.push_front(asker);
        }
        self.kind.send(message).await
    }

    async fn recv(&mut self) -> Outcome<Got> {
        loop {
            let message = self.kind.recv().await?;
            let got = self.take(message)?;
            match &mut self.creditor {
                Some(_) if got.tag == PROBE => continue,
                Some(creditor) => creditor.received().await?,
                None => {}
            }
            return Ok(got);
        }
    }

    async fn settle(&mut self, fars: usize) -> Outcome<()> {
        let mut accepted = 0;
        while accepted < fars {
            let events = self.events.as_mut().ok_or("nobody listens for events")?;
            let event = events.next().await.ok_or("no more events")?;
            accepted += usize::from(matches!(event, SocketEvent::Accepted(..)));
        }
        // A connection is known before what it subscribed to.
        if let Some(credit) = &mut self.credit {
            let mut here = 0;
            while !credit.all_here(&mut here).await? {
                self.kind.send(vec![PROBE].into()).await?;
            }
        }
        Ok(())
    }
}

impl Tasked for ZmqRs {
    type End = Wired;

    fn about(&self) -> About {
        let (id, manner) = if self.workers {
            ("zeromq-mt", "async calls in tasks, two workers")
        } else {
            ("zeromq", "async calls, current-thread runtime")
        };
        About {
            id: id.to_owned(),
            version: format!("zeromq {}", locked("zeromq")),
            manner: format!("{manner}; publishes and streams more than 1 KiB on credit"),
            part: Part::Other,
            quick: self.workers,
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        let shares = matches!(cell.shape, Shape::FanIn(_) | Shape::FanOut(_));
        match cell.transport {
            Transport::Inproc => Some("it has tcp and ipc only"),
            _ if shares && cell.size > SMALL => {
                Some("its queues of 100,000 messages cannot be bounded")
            }
            _ => None,
        }
    }

    async fn near(&self, job: &Job) -> Outcome<(Wired, String)> {
        let kind = match job.cell.shape {
            Shape::Stream | Shape::FanOut(_) => Kind::Push(PushSocket::new()),
            Shape::FanIn(_) => Kind::Pull(PullSocket::new()),
            Shape::RoundTrip => Kind::Req(ReqSocket::new()),
            Shape::Routed | Shape::InFlight => Kind::Dealer(DealerSocket::new()),
            Shape::Publish(_) => Kind::Pub(PubSocket::new()),
        };
        let mut wired = Wired::of(kind);
        wired.events = Some(any!(&mut wired.kind, socket => socket.monitor().boxed()));
        if on_credit(&job.cell) {
            wired.credit = Some(Credit::listen(job)?);
        }
        let listen = match job.cell.transport {
            Transport::Ipc => format!("ipc://{}", files::path(job, "socket")?),
            _ => "tcp://127.0.0.1:0".to_owned(),
        };
        let place = any!(&mut wired.kind, socket => socket.bind(&listen).await?);
        Ok((wired, place.to_string()))
    }

    async fn far(&self, job: &Job, index: usize) -> Outcome<Wired> {
        let kind = match job.cell.shape {
            Shape::Stream | Shape::FanOut(_) => Kind::Pull(PullSocket::new()),
            Shape::FanIn(_) => Kind::Push(PushSocket::new()),
            Shape::RoundTrip => Kind::Rep(RepSocket::new()),
            Shape::Routed | Shape::InFlight => Kind::Router(RouterSocket::new()),
            Shape::Publish(_) => Kind::Sub(SubSocket::new()),
        };
        let mut wired = Wired::of(kind);
        any!(&mut wired.kind, socket => socket.connect(&job.place).await?);
        if let Kind::Sub(socket) = &mut wired.kind {
            socket.subscribe("").await?;
        }
        if on_credit(&job.cell) {
            let mut creditor = Creditor::connect(job, index)?;
            wired.kind.recv().await?;
            creditor.here().await?;
            wired.creditor = Some(creditor);
        }
        Ok(wired)
    }

    fn clean(&self, run: u32) {
        files::clean(run);
    }
}
