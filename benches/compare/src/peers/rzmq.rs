//! rzmq, over tcp, its Unix sockets and inproc, in tasks of one thread or of two workers.
//!
//! An actor for each connection stands between the caller and the wire. The throttle that each connection has by
//! default is off, as in its own benchmarks. A PUB waits for slow subscribers (`XPUB_NODROP`), but cannot say who has
//! subscribed: it sends probes until each subscriber has had one.

use std::sync::OnceLock;

use rzmq::socket::options::{
    ADAPTIVE_THROTTLE, LAST_ENDPOINT, RCVHWM, SNDHWM, SUBSCRIBE, XPUB_NODROP,
};
use rzmq::socket::{MonitorReceiver, SocketEvent};
use rzmq::{Context, Msg, Socket, SocketType};

use super::credit::{Credit, Creditor, PROBE};
use super::{About, Part, files, kinds, locked};
use crate::Outcome;
use crate::cells::{Cell, Shape, Transport};
use crate::drive::{TaskEnd, Tasked};
use crate::job::Job;
use crate::payload::{Got, read};

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

/// rzmq on a current-thread runtime, or on workers.
pub struct Rzmq {
    workers: bool,
    context: OnceLock<Context>,
}

pub struct Wired {
    socket: Socket,
    kind: SocketType,
    /// Whom a router answers.
    asker: Option<Msg>,
    events: Option<MonitorReceiver>,
    /// A publisher's.
    credit: Option<Credit>,
}

impl Wired {
    async fn question(&mut self) -> Outcome<Got> {
        let frames = self.socket.recv_multipart().await?;
        let [asker, body] = <[Msg; 2]>::try_from(frames)
            .map_err(|frames| format!("a question of {} frames", frames.len()))?;
        self.asker = Some(asker);
        Ok(read(body.data().unwrap_or_default()))
    }
}

impl TaskEnd for Wired {
    #[inline]
    async fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let message = Msg::from_vec(vec![tag; len]);
        match self.asker.take() {
            Some(asker) => self.socket.send_multipart(vec![asker, message]).await?,
            None => self.socket.send(message).await?,
        }
        Ok(())
    }

    #[inline]
    async fn recv(&mut self) -> Outcome<Got> {
        if self.kind == SocketType::Router {
            return self.question().await;
        }
        loop {
            let message = self.socket.recv().await?;
            let got = read(message.data().unwrap_or_default());
            if got.tag != PROBE {
                return Ok(got);
            }
        }
    }

    async fn settle(&mut self, fars: usize) -> Outcome<()> {
        let mut connected = 0;
        while let Some(events) = &self.events
            && connected < fars
        {
            let event = events.recv().await?;
            let handshake = matches!(event, SocketEvent::HandshakeSucceeded { .. });
            connected += usize::from(handshake);
        }
        if let Some(credit) = &mut self.credit {
            let mut here = 0;
            while !credit.all_here(&mut here).await? {
                self.socket.send(Msg::from_static(&[PROBE])).await?;
            }
        }
        Ok(())
    }
}

impl Rzmq {
    pub fn new(workers: bool) -> Self {
        Rzmq {
            workers,
            context: OnceLock::new(),
        }
    }

    async fn open(&self, kind: SocketType, job: &Job) -> Outcome<Wired> {
        let context = match self.context.get() {
            Some(context) => context,
            None => {
                let context = Context::new()?;
                self.context.get_or_init(|| context)
            }
        };
        let socket = context.socket(kind)?;
        let window = i32::try_from(job.cell.window())?;
        socket.set_option(SNDHWM, window).await?;
        socket.set_option(RCVHWM, window).await?;
        socket.set_option(ADAPTIVE_THROTTLE, 0_i32).await?;
        Ok(Wired {
            socket,
            kind,
            asker: None,
            events: None,
            credit: None,
        })
    }
}

impl Tasked for Rzmq {
    type End = Wired;

    fn about(&self) -> About {
        let (id, manner) = if self.workers {
            ("rzmq-mt", "async calls in tasks, two workers")
        } else {
            ("rzmq", "async calls, current-thread runtime")
        };
        About {
            id: id.to_owned(),
            version: format!("rzmq {}", locked("rzmq")),
            manner: format!("{manner}, its adaptive throttle off"),
            part: Part::Other,
            quick: self.workers,
        }
    }

    fn lacks(&self, _cell: &Cell) -> Option<&'static str> {
        None
    }

    async fn near(&self, job: &Job) -> Outcome<(Wired, String)> {
        let kind = kinds(job.cell.shape, KINDS).0;
        let mut wired = self.open(kind, job).await?;
        if kind == SocketType::Pub {
            wired.socket.set_option(XPUB_NODROP, 1_i32).await?;
            wired.credit = Some(Credit::listen(job)?);
        }
        let listen = match job.cell.transport {
            Transport::Inproc => format!("inproc://{}", job.name()),
            Transport::Ipc => format!("ipc://{}", files::path(job, "socket")?),
            Transport::Tcp => "tcp://127.0.0.1:0".to_owned(),
        };
        if job.cell.transport != Transport::Inproc {
            wired.events = Some(wired.socket.monitor(1024).await?);
        }
        wired.socket.bind(&listen).await?;
        let place = match job.cell.transport {
            Transport::Tcp => {
                let place = wired.socket.get_option(LAST_ENDPOINT).await?;
                String::from_utf8(place)?.trim_end_matches('\0').to_owned()
            }
            _ => listen,
        };
        Ok((wired, place))
    }

    async fn far(&self, job: &Job, index: usize) -> Outcome<Wired> {
        let kind = kinds(job.cell.shape, KINDS).1;
        let wired = self.open(kind, job).await?;
        if kind == SocketType::Sub {
            wired.socket.set_option(SUBSCRIBE, "").await?;
        }
        wired.socket.connect(&job.place).await?;
        if let Shape::Publish(_) = job.cell.shape {
            wired.socket.recv().await?;
            Creditor::connect(job, index)?.here().await?;
        }
        Ok(wired)
    }

    fn clean(&self, run: u32) {
        files::clean(run);
    }
}
