//! monocoque over tcp and its Unix sockets, on its tokio backend, in tasks of a current-thread runtime.
//!
//! Its sockets write and read in the caller's task. In its default manner each message is a write; in the other its
//! user collects messages and calls flush, which is how it is fast: here before it waits for something, and when no
//! more is sent for now. A PUB hands to worker threads of its own and drops what those cannot take, so it publishes on
//! credit. How the sockets come to be is in `socket.rs`.

mod socket;

use bytes::Bytes;
use monocoque::zmq::SocketOptions;
use tokio::runtime::Handle;

use self::socket::{Either, Socket};
use super::{About, Part, files, locked};
use crate::Outcome;
use crate::cells::{Cell, Shape, Transport};
use crate::drive::{TaskEnd, Tasked, aside};
use crate::job::Job;
use crate::payload::{Got, read};

/// monocoque, with a write for each message or flushed by its user.
pub struct Monocoque {
    pub flushes: bool,
}

fn options(job: &Job, flushes: bool) -> SocketOptions {
    let window = job.cell.window();
    SocketOptions::default()
        .with_send_hwm(window)
        .with_recv_hwm(window)
        // What asks has a way of its own to collect messages.
        .with_write_coalescing(flushes && !job.cell.asks())
}

/// Connects or accepts: the handshakes of this library cannot move between threads, so that no task may wait for them.
async fn shake_hands<F: Future<Output = Outcome<Socket>>>(
    hands: impl FnOnce() -> F + Send + 'static,
) -> Outcome<Socket> {
    let runtime = Handle::current();
    aside(move || runtime.block_on(hands())).await?
}

/// Does the same with a socket over either transport.
macro_rules! either {
    ($either:expr, $socket:ident => $what:expr) => {
        match $either {
            Either::Tcp($socket) => $what,
            Either::Unix($socket) => $what,
        }
    };
}

/// Receives from a socket that has replies or questions to send: those that were collected before it waits.
macro_rules! recv_after_flush {
    ($socket:ident, $frames:ident, $flushes:expr) => {{
        let there = $flushes && $socket.try_recv_into($frames)?;
        if $flushes && !there {
            $socket.flush().await?;
        }
        there || $socket.recv_into($frames).await?
    }};
}

pub struct Wired {
    /// Away only while it is accepted.
    socket: Option<Socket>,
    job: Job,
    flushes: bool,
    /// The frames of the last message; at a router the first is the asker's name.
    frames: Vec<Bytes>,
}

impl Wired {
    fn of(socket: Socket, job: &Job, flushes: bool) -> Wired {
        Wired {
            socket: Some(socket),
            job: job.clone(),
            flushes,
            frames: Vec::new(),
        }
    }

    async fn reply(&mut self, body: Bytes) -> Outcome<()> {
        let Some(Socket::Router(either)) = &mut self.socket else {
            return Err("this end does not send".into());
        };
        let asker = self.frames.first().ok_or("nobody asked")?.clone();
        let reply = vec![asker, body];
        if self.flushes {
            either!(either, socket => socket.send_buffered(reply)?);
        } else {
            either!(either, socket => socket.send(reply).await?);
        }
        Ok(())
    }
}

impl TaskEnd for Wired {
    async fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let body = Bytes::from(vec![tag; len]);
        match self.socket.as_mut().ok_or("no socket")? {
            Socket::Push(either) => either!(either, socket => socket.send_one(body).await?),
            Socket::Req(either) => either!(either, socket => socket.send_one(body).await?),
            Socket::Rep(either) => either!(either, socket => socket.send(vec![body]).await?),
            Socket::Dealer(either) if self.flushes => {
                either!(either, socket => socket.send_buffered(vec![body])?);
            }
            Socket::Dealer(either) => either!(either, socket => socket.send(vec![body]).await?),
            Socket::FanOut(workers) => workers.send_one(body).await?,
            Socket::Pub(publisher, credit) => {
                credit.spend().await?;
                publisher.send(vec![body]).await?;
            }
            _ => self.reply(body).await?,
        }
        Ok(())
    }

    async fn recv(&mut self) -> Outcome<Got> {
        let frames = &mut self.frames;
        let open = match self.socket.as_mut().ok_or("no socket")? {
            Socket::Pull(either) => either!(either, socket => socket.recv_into(frames).await?),
            Socket::Req(either) => either!(either, socket => socket.recv_into(frames).await?),
            Socket::Rep(either) => either!(either, socket => socket.recv_into(frames).await?),
            Socket::Dealer(either) => {
                either!(either, socket => recv_after_flush!(socket, frames, self.flushes))
            }
            Socket::Router(either) => {
                either!(either, socket => recv_after_flush!(socket, frames, self.flushes))
            }
            Socket::Sub(socket, creditor) => {
                let open = socket.recv_into(frames).await?;
                creditor.received().await?;
                open
            }
            Socket::FanIn(batches, messages) => {
                if messages.is_empty() {
                    messages.extend(batches.recv().await.ok_or("no more connections")?);
                }
                *frames = messages.pop_front().ok_or("an empty batch")?;
                true
            }
            _ => return Err("this end does not receive".into()),
        };
        if !open {
            return Err("the connection is closed".into());
        }
        Ok(read(self.frames.last().ok_or("an empty message")?))
    }

    async fn settle(&mut self, _fars: usize) -> Outcome<()> {
        let socket = self.socket.take().ok_or("no socket")?;
        let job = self.job.clone();
        let options = options(&job, self.flushes);
        let accepted = shake_hands(move || async move { socket.accept(&job, options).await });
        self.socket = Some(accepted.await?);
        Ok(())
    }

    async fn flush(&mut self) -> Outcome<()> {
        match self.socket.as_mut().ok_or("no socket")? {
            _ if !self.flushes => {}
            Socket::Push(either) => either!(either, socket => socket.flush().await?),
            Socket::FanOut(workers) => workers.flush().await?,
            Socket::Dealer(either) => either!(either, socket => socket.flush().await?),
            Socket::Router(either) => either!(either, socket => socket.flush().await?),
            _ => {}
        }
        Ok(())
    }
}

impl Tasked for Monocoque {
    type End = Wired;

    fn about(&self) -> About {
        let (id, manner) = if self.flushes {
            (
                "monocoque-flush",
                "its user collects messages and calls flush",
            )
        } else {
            ("monocoque", "a write for each message; publishes on credit")
        };
        About {
            id: id.to_owned(),
            version: format!("monocoque-rs {}", locked("monocoque-rs")),
            manner: format!("async calls, current-thread runtime, {manner}"),
            part: Part::Other,
            quick: true,
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        let publishes = matches!(cell.shape, Shape::Publish(_));
        match cell.transport {
            Transport::Inproc => Some("its sockets have no inproc"),
            Transport::Ipc if publishes || cell.far_ends() > 1 => {
                Some("a socket with many connections has tcp only")
            }
            // It writes to the end before it reads, at both ends.
            _ if cell.asks() && !cell.is_latency() && cell.size > 99999999 => {
                Some("both ends would wait to write, and neither read")
            }
            _ if !self.flushes => None,
            _ if cell.is_latency() => Some("nothing to collect: as without flush"),
            _ if publishes => Some("a PUB has no flush"),
            _ => None,
        }
    }

    async fn near(&self, job: &Job) -> Outcome<(Wired, String)> {
        let (socket, place) = Socket::listen(job, options(job, self.flushes)).await?;
        Ok((Wired::of(socket, job, self.flushes), place))
    }

    async fn far(&self, job: &Job, index: usize) -> Outcome<Wired> {
        let options = options(job, self.flushes);
        let there = job.clone();
        let connected =
            shake_hands(move || async move { Socket::connect(&there, index, options).await });
        Ok(Wired::of(connected.await?, job, self.flushes))
    }

    fn clean(&self, run: u32) {
        files::clean(run);
    }
}
