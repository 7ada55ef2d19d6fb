//! A monocoque socket of any kind over either transport: how it comes to be.
//!
//! Each is for one connection, but for those that publish, share or gather, which have tcp only. Fan-in is what the
//! library's `PullFanIn` does, which wants a `LocalSet`: here in tasks.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use monocoque::rt::{TcpListener, TcpStream, UnixListener, UnixStream};
use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushFanOut, PushSocket, RepSocket, ReqSocket,
    RouterSocket, SocketOptions, SubSocket,
};
use tokio::sync::mpsc;

use super::super::credit::{Credit, Creditor};
use super::super::kinds;
use crate::Outcome;
use crate::cells::{Shape, Transport};
use crate::job::Job;

#[derive(Clone, Copy)]
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
pub enum Either<T, U> {
    Tcp(T),
    Unix(U),
}

pub enum Socket {
    /// The near end before anybody has connected.
    Listening(Either<TcpListener, UnixListener>),
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
pub type Batch = Vec<Vec<Bytes>>;

/// A fan-in holds so many of them, each of so many messages at most, as `PullFanIn` does.
const BATCHES: usize = 64;
const BATCH: usize = 128;

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

/// An abstract name leaves no file.
fn unix_path(place: &str) -> String {
    format!("\0{place}")
}

impl Socket {
    async fn over(
        stream: Either<TcpStream, UnixStream>,
        role: Role,
        options: SocketOptions,
    ) -> Outcome<Socket> {
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

    /// The near end, and where far ends connect to.
    pub async fn listen(job: &Job, options: SocketOptions) -> Outcome<(Socket, String)> {
        let local = "127.0.0.1:0";
        if let Shape::Publish(_) = job.cell.shape {
            let publisher = PubSocket::bind_with_options(local, options).await?;
            let place = publisher.local_addr()?.to_string();
            return Ok((Socket::Pub(publisher, Credit::listen(job)?), place));
        }
        if job.cell.transport == Transport::Ipc {
            let listener = UnixListener::bind(unix_path(&job.name())).await?;
            return Ok((Socket::Listening(Either::Unix(listener)), job.name()));
        }
        let listener = TcpListener::bind(local).await?;
        let place = listener.local_addr()?.to_string();
        Ok((Socket::Listening(Either::Tcp(listener)), place))
    }

    /// The near end once all far ends have connected.
    pub async fn accept(self, job: &Job, options: SocketOptions) -> Outcome<Socket> {
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

    /// A far end.
    pub async fn connect(job: &Job, index: usize, options: SocketOptions) -> Outcome<Socket> {
        let role = kinds(job.cell.shape, ROLES).1;
        if let Role::Sub = role {
            let address: SocketAddr = job.place.parse()?;
            let mut socket = SubSocket::connect_with_options(address, options).await?;
            socket.subscribe(b"").await?;
            return Ok(Socket::Sub(socket, Creditor::connect(job, index)?));
        }
        let stream = match job.cell.transport {
            Transport::Ipc => Either::Unix(UnixStream::connect(unix_path(&job.place)).await?),
            _ => Either::Tcp(TcpStream::connect(&*job.place).await?),
        };
        Socket::over(stream, role, options).await
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
