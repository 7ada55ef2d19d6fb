//! monocoque over tcp and its Unix sockets, on its tokio backend, in tasks of a current-thread runtime.
//!
//! Its sockets write and read in the caller's task, each for one connection. In its default manner each message is a
//! write; in the other its user collects messages and calls flush, which is how it is fast: here before it waits for
//! something, and when no more is sent for now. A PUB hands to worker threads of its own and drops what those cannot
//! take, so it publishes on credit. Fan-in is what its `PullFanIn` does (which wants a `LocalSet`), in tasks.

use std::collections::VecDeque;

use bytes::Bytes;
use monocoque::rt::{TcpListener, TcpStream, UnixListener, UnixStream};
use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushFanOut, PushSocket, RepSocket, ReqSocket,
    RouterSocket, SocketOptions, SubSocket,
};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::credit::{Credit, Creditor};
use super::{About, Part, files, kinds, locked};
use crate::Outcome;
use crate::cells::{Cell, Course, Shape, Transport};
use crate::drive::{TaskEnd, Tasked, aside};
use crate::job::Job;
use crate::payload::{Got, read};

/// monocoque, with a write for each message or flushed by its user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Monocoque {
    pub flushes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Push,
    Pull,
    Req,
    Rep,
    Dealer,
    Router,
    Pub,
    Sub,
}

const ROLES: [Role; 8] = [
    Role::Push,
    Role::Pull,
    Role::Req,
    Role::Rep,
    Role::Dealer,
    Role::Router,
    Role::Pub,
    Role::Sub,
];

/// Something over either transport.
enum Either<T, U> {
    Tcp(T),
    Unix(U),
}

type Stream = Either<TcpStream, UnixStream>;
type Listener = Either<TcpListener, UnixListener>;

/// Does the same with a socket over either transport.
macro_rules! either {
    ($either:expr, $socket:ident => $what:expr) => {
        match $either {
            Either::Tcp($socket) => $what,
            Either::Unix($socket) => $what,
        }
    };
}

/// A socket over a connection.
macro_rules! over {
    ($kind:ident, $stream:expr, $options:expr) => {
        match $stream {
            Either::Tcp(stream) => {
                Either::Tcp($kind::from_tcp_with_options(stream, $options).await?)
            }
            Either::Unix(stream) => {
                Either::Unix($kind::from_unix_stream_with_options(stream, $options).await?)
            }
        }
    };
}

enum Socket {
    /// The near end before anybody has connected.
    Listening(Listener),
    Push(Either<PushSocket<TcpStream>, PushSocket<UnixStream>>),
    Pull(Either<PullSocket<TcpStream>, PullSocket<UnixStream>>),
    Req(Either<ReqSocket<TcpStream>, ReqSocket<UnixStream>>),
    Rep(Either<RepSocket<TcpStream>, RepSocket<UnixStream>>),
    Dealer(Either<DealerSocket<TcpStream>, DealerSocket<UnixStream>>),
    Router(Either<RouterSocket<TcpStream>, RouterSocket<UnixStream>>),
    Pub(PubSocket, Credit),
    Sub(SubSocket<TcpStream>, Creditor),
    FanOut(PushFanOut),
    FanIn(mpsc::Receiver<Batch>, VecDeque<Vec<Bytes>>),
}

/// Some of what one read of a connection brought.
type Batch = Vec<Vec<Bytes>>;

/// A fan-in holds so many of them, each of so many messages at most, as `PullFanIn` does.
const BATCHES: usize = 64;
const BATCH: usize = 128;

fn options(job: &Job, flushes: bool) -> SocketOptions {
    let window = job.cell.window();
    let one_way = !job.cell.asks();
    SocketOptions::default()
        .with_send_hwm(window)
        .with_recv_hwm(window)
        // What asks has a way of its own to collect messages.
        .with_write_coalescing(flushes && one_way)
}

/// An abstract name leaves no file.
fn unix_path(place: &str) -> String {
    format!("\0{place}")
}

impl Socket {
    async fn over(stream: Stream, role: Role, options: SocketOptions) -> Outcome<Socket> {
        Ok(match role {
            Role::Push => Socket::Push(over!(PushSocket, stream, options)),
            Role::Pull => Socket::Pull(over!(PullSocket, stream, options)),
            Role::Req => Socket::Req(over!(ReqSocket, stream, options)),
            Role::Rep => Socket::Rep(over!(RepSocket, stream, options)),
            Role::Dealer => Socket::Dealer(over!(DealerSocket, stream, options)),
            Role::Router => Socket::Router(over!(RouterSocket, stream, options)),
            Role::Pub | Role::Sub => return Err("publishing has its own way".into()),
        })
    }

    /// The near end once all far ends have connected.
    async fn accept(self, job: &Job, options: SocketOptions) -> Outcome<Socket> {
        let listener = match self {
            Socket::Listening(listener) => listener,
            Socket::Pub(mut publisher, credit) => {
                for _ in 0..job.cell.far_ends() {
                    publisher.accept_subscriber().await?;
                }
                return Ok(Socket::Pub(publisher, credit));
            }
            connected => return Ok(connected),
        };
        match (job.cell.shape, listener) {
            (Shape::FanOut(ends), Either::Tcp(listener)) => {
                let workers = PushFanOut::accept_workers(&listener, ends, options).await?;
                Ok(Socket::FanOut(workers))
            }
            (Shape::FanIn(ends), Either::Tcp(listener)) => {
                let (sender, receiver) = mpsc::channel(BATCHES);
                for _ in 0..ends {
                    let (stream, _) = listener.accept().await?;
                    let pull = PullSocket::from_tcp_with_options(stream, options.clone()).await?;
                    tokio::spawn(drain(pull, sender.clone()));
                }
                Ok(Socket::FanIn(receiver, VecDeque::new()))
            }
            (shape, listener) => {
                let stream = match listener {
                    Either::Tcp(listener) => Either::Tcp(listener.accept().await?.0),
                    Either::Unix(listener) => Either::Unix(listener.accept().await?.0),
                };
                Socket::over(stream, kinds(shape, ROLES).0, options).await
            }
        }
    }
}

/// Hands on what a connection of a fan-in brings.
async fn drain(mut pull: PullSocket<TcpStream>, batches: mpsc::Sender<Batch>) {
    while let Ok(Some(messages)) = pull.recv_batch().await {
        let mut messages = messages.into_iter();
        loop {
            let batch: Batch = messages.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            if batches.send(batch).await.is_err() {
                return;
            }
        }
    }
}

/// Connects or accepts: the handshakes of this library cannot move between threads, so that no task may wait for them.
async fn shake_hands<T: Send + 'static, F: Future<Output = Outcome<T>>>(
    hands: impl FnOnce() -> F + Send + 'static,
) -> Outcome<T> {
    let runtime = Handle::current();
    aside(move || runtime.block_on(hands())).await?
}

pub struct Wired {
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
}

fn closed() -> Outcome<()> {
    Err("the connection is closed".into())
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
            Socket::Router(either) => {
                let asker = self.frames.first().ok_or("nobody asked")?.clone();
                let reply = vec![asker, body];
                if self.flushes {
                    either!(either, socket => socket.send_buffered(reply)?);
                } else {
                    either!(either, socket => socket.send(reply).await?);
                }
            }
            Socket::FanOut(workers) => workers.send_one(body).await?,
            Socket::Pub(publisher, credit) => {
                credit.spend().await?;
                publisher.send(vec![body]).await?;
            }
            _ => return Err("this end does not send".into()),
        }
        Ok(())
    }

    async fn recv(&mut self) -> Outcome<Got> {
        let frames = &mut self.frames;
        let open = match self.socket.as_mut().ok_or("no socket")? {
            Socket::Pull(either) => either!(either, socket => socket.recv_into(frames).await?),
            Socket::Req(either) => either!(either, socket => socket.recv_into(frames).await?),
            Socket::Rep(either) => either!(either, socket => socket.recv_into(frames).await?),
            Socket::Dealer(either) => either!(either, socket => {
                if self.flushes && socket.try_recv_into(frames)? {
                    return Ok(read(&frames[0]));
                }
                if self.flushes {
                    socket.flush().await?;
                }
                socket.recv_into(frames).await?
            }),
            Socket::Router(either) => either!(either, socket => {
                if self.flushes && socket.try_recv_into(frames)? {
                    return Ok(read(&frames[1]));
                }
                if self.flushes {
                    socket.flush().await?;
                }
                socket.recv_into(frames).await?
            }),
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
            closed()?;
        }
        Ok(read(self.frames.last().ok_or("an empty message")?))
    }

    async fn settle(&mut self, _fars: usize) -> Outcome<()> {
        let socket = self.socket.take().ok_or("no socket")?;
        let job = self.job.clone();
        let options = options(&job, self.flushes);
        let accepted = shake_hands(|| async move { socket.accept(&job, options).await });
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
        let many = cell.far_ends() > 1 || matches!(cell.shape, Shape::Publish(_));
        match cell.transport {
            Transport::Inproc => Some("its sockets have no inproc"),
            Transport::Ipc if many => Some("a socket with many connections has tcp only"),
            // It writes to the end before it reads, at both ends.
            _ if cell.course() != Course::Ask(1) && cell.asks() && cell.size > 1024 => {
                Some("both ends would wait to write, and neither read")
            }
            _ if !self.flushes => None,
            _ if cell.is_latency() => Some("nothing to collect: as without flush"),
            _ => match cell.shape {
                Shape::Publish(_) => Some("a PUB has no flush"),
                _ => None,
            },
        }
    }

    async fn near(&self, job: &Job) -> Outcome<(Wired, String)> {
        let local = "127.0.0.1:0";
        let (socket, place) = match (job.cell.shape, job.cell.transport) {
            (Shape::Publish(_), _) => {
                let options = options(job, self.flushes);
                let publisher = PubSocket::bind_with_options(local, options).await?;
                let place = publisher.local_addr()?.to_string();
                (Socket::Pub(publisher, Credit::listen(job)?), place)
            }
            (_, Transport::Ipc) => {
                let listener = UnixListener::bind(unix_path(&job.name())).await?;
                (Socket::Listening(Either::Unix(listener)), job.name())
            }
            _ => {
                let listener = TcpListener::bind(local).await?;
                let place = listener.local_addr()?.to_string();
                (Socket::Listening(Either::Tcp(listener)), place)
            }
        };
        Ok((Wired::of(socket, job, self.flushes), place))
    }

    async fn far(&self, job: &Job, index: usize) -> Outcome<Wired> {
        let options = options(job, self.flushes);
        let there = job.clone();
        let connected = shake_hands(move || async move {
            let job = there;
            let role = kinds(job.cell.shape, ROLES).1;
            if role == Role::Sub {
                let address: std::net::SocketAddr = job.place.parse()?;
                let mut socket = SubSocket::connect_with_options(address, options).await?;
                socket.subscribe(b"").await?;
                return Ok(Socket::Sub(socket, Creditor::connect(&job, index)?));
            }
            let stream = match job.cell.transport {
                Transport::Ipc => Either::Unix(UnixStream::connect(unix_path(&job.place)).await?),
                _ => Either::Tcp(TcpStream::connect(&*job.place).await?),
            };
            Socket::over(stream, role, options).await
        });
        Ok(Wired::of(connected.await?, job, self.flushes))
    }

    fn clean(&self, run: u32) {
        files::clean(run);
    }
}
