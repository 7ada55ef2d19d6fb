//! omq-tokio's exclusive sockets: driven by their only owner, without tasks behind them. They exist over tcp, between
//! two ends, for what asks and answers.

use bytes::Bytes;
use omq_tokio::exclusive::{Options, Socket};
use omq_tokio::{Message, SocketType};

use super::{About, Part, kinds, locked};
use crate::Outcome;
use crate::cells::{Cell, Transport};
use crate::drive::{TaskEnd, Tasked};
use crate::job::Job;
use crate::payload::{Got, read};

pub struct Exclusive;

const INLINE: usize = 64;

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

pub struct Wired {
    socket: Socket,
    routes: bool,
    asker: Option<Bytes>,
}

impl TaskEnd for Wired {
    async fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let message = if len <= INLINE {
            Message::from_slice(&[tag; INLINE][..len])
        } else {
            Message::from(vec![tag; len])
        };
        let message = match self.asker.take() {
            Some(asker) => Message::with_prefix(asker, message),
            None => message,
        };
        Ok(self.socket.send(&message).await?)
    }

    async fn recv(&mut self) -> Outcome<Got> {
        let mut message = self.socket.recv().await?;
        if self.routes {
            self.asker = message.pop_front();
        }
        Ok(read(message.part_slice(0).unwrap_or_default()))
    }

    /// Accepts the far end.
    async fn settle(&mut self, _fars: usize) -> Outcome<()> {
        Ok(self.socket.maintain().await?)
    }
}

impl Tasked for Exclusive {
    type End = Wired;

    fn about(&self) -> About {
        About {
            id: "omq-exclusive".to_owned(),
            version: format!("omq-tokio {}", locked("omq-tokio")),
            manner: "async calls, current-thread runtime, sockets that one task owns".to_owned(),
            part: Part::Other,
            quick: true,
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        match cell.transport {
            Transport::Tcp if cell.is_latency() => None,
            // It writes to the end before it reads, at both ends.
            Transport::Tcp if cell.asks() && cell.size <= 1024 => None,
            Transport::Tcp if cell.asks() => {
                Some("both ends would wait to write, and neither read")
            }
            Transport::Tcp => Some("it has no such sockets"),
            Transport::Inproc | Transport::Ipc => Some("it has tcp only"),
        }
    }

    async fn near(&self, job: &Job) -> Outcome<(Wired, String)> {
        let kind = kinds(job.cell.shape, KINDS).0;
        let bound = Socket::bind(kind, "tcp://127.0.0.1:0", Options::default()).await?;
        let wired = Wired {
            socket: bound.0,
            routes: false,
            asker: None,
        };
        Ok((wired, bound.1.to_string()))
    }

    async fn far(&self, job: &Job, _index: usize) -> Outcome<Wired> {
        let kind = kinds(job.cell.shape, KINDS).1;
        Ok(Wired {
            socket: Socket::connect(kind, &*job.place, Options::default()).await?,
            routes: kind == SocketType::Router,
            asker: None,
        })
    }
}
