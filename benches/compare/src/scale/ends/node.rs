//! The socket that is measured: the same few calls on taipan, libzmq and omq, all blocking, over tcp.

use omq_tokio::blocking;
use taipan::{AnySocket, Frame, Message, Options, SocketKind};

use crate::Outcome;
use crate::peers::locked;

/// Whom this can measure.
pub const LIBRARIES: [&str; 3] = ["taipan", "libzmq", "omq"];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Router,
    Dealer,
    Publisher,
}

/// A socket with the context that it is in.
pub trait Node: Send {
    /// Listens; where, as address and port.
    fn bind(&self) -> Outcome<String>;

    /// Connects to an address and port.
    fn connect(&self, place: &str) -> Outcome<()>;

    fn send(&self, body: &[u8]) -> Outcome<()>;

    /// Receives a question and, if `answers`, sends it back; the first byte of it.
    fn serve(&self, answers: bool) -> Outcome<u8>;

    /// One more socket of this kind in the same context.
    fn another(&self) -> Outcome<Box<dyn Node>>;
}

/// Pending connections of a listener, for everybody who lets it be said.
const BACKLOG: u32 = 1024;

/// A socket of a library, in a context of its own. `window` messages may wait for each peer.
pub fn open(library: &str, kind: Kind, window: usize) -> Outcome<Box<dyn Node>> {
    match library {
        "taipan" => Taipan::open(taipan::Context::new(), kind, window),
        "libzmq" => Libzmq::open(zmq::Context::new(), kind, window),
        "omq" => Omq::open(omq_tokio::Context::new(), kind, window),
        other => Err(format!("no library {other:?}").into()),
    }
}

/// What is measured, for people.
pub fn version(library: &str) -> String {
    match library {
        "taipan" => format!("taipan {}", locked("taipan")),
        "libzmq" => {
            let (major, minor, patch) = zmq::version();
            format!("libzmq {major}.{minor}.{patch} (zmq {})", locked("zmq"))
        }
        "omq" => format!("omq-tokio {}", locked("omq-tokio")),
        _ => "raw tcp sockets".to_owned(),
    }
}

fn without_scheme(endpoint: &str) -> String {
    endpoint.trim_start_matches("tcp://").to_owned()
}

fn with_scheme(place: &str) -> String {
    format!("tcp://{place}")
}

struct Taipan {
    socket: AnySocket,
    context: taipan::Context,
    kind: Kind,
    window: usize,
}

impl Taipan {
    fn open(context: taipan::Context, kind: Kind, window: usize) -> Outcome<Box<dyn Node>> {
        let mut options = Options::default();
        options.send_hwm = window;
        options.recv_hwm = window;
        options.backlog = BACKLOG;
        options.xpub_nodrop = true;
        let name = match kind {
            Kind::Router => SocketKind::Router,
            Kind::Dealer => SocketKind::Dealer,
            Kind::Publisher => SocketKind::Pub,
        };
        Ok(Box::new(Taipan {
            socket: AnySocket::of(&context, name, options)?,
            context,
            kind,
            window,
        }))
    }
}

impl Node for Taipan {
    fn bind(&self) -> Outcome<String> {
        let endpoint = self.socket.bind("tcp://127.0.0.1:*")?;
        Ok(without_scheme(&endpoint.to_string()))
    }

    fn connect(&self, place: &str) -> Outcome<()> {
        self.socket.connect(&*with_scheme(place))?;
        Ok(())
    }

    fn send(&self, body: &[u8]) -> Outcome<()> {
        Ok(self.socket.blocking_send(body)?)
    }

    fn serve(&self, answers: bool) -> Outcome<u8> {
        let mut message = self.socket.blocking_recv()?;
        let asker: Frame = message.pop_front().ok_or("nobody asked")?;
        let body = message.first();
        let first = body.first().copied().unwrap_or(0);
        if answers {
            let answer = Message::from_frames([asker, body.clone()]);
            self.socket.blocking_send(answer)?;
        }
        Ok(first)
    }

    fn another(&self) -> Outcome<Box<dyn Node>> {
        Taipan::open(self.context.clone(), self.kind, self.window)
    }
}

struct Libzmq {
    socket: zmq::Socket,
    context: zmq::Context,
    kind: Kind,
    window: usize,
}

impl Libzmq {
    fn open(context: zmq::Context, kind: Kind, window: usize) -> Outcome<Box<dyn Node>> {
        let name = match kind {
            Kind::Router => zmq::ROUTER,
            Kind::Dealer => zmq::DEALER,
            Kind::Publisher => zmq::PUB,
        };
        let socket = context.socket(name)?;
        socket.set_sndhwm(i32::try_from(window)?)?;
        socket.set_rcvhwm(i32::try_from(window)?)?;
        socket.set_backlog(i32::try_from(BACKLOG)?)?;
        socket.set_linger(0)?;
        Ok(Box::new(Libzmq {
            socket,
            context,
            kind,
            window,
        }))
    }
}

impl Node for Libzmq {
    fn bind(&self) -> Outcome<String> {
        self.socket.bind("tcp://127.0.0.1:*")?;
        let place = self.socket.get_last_endpoint()?;
        let place = place.map_err(|_| "an endpoint that is not text")?;
        Ok(without_scheme(&place))
    }

    fn connect(&self, place: &str) -> Outcome<()> {
        Ok(self.socket.connect(&with_scheme(place))?)
    }

    fn send(&self, body: &[u8]) -> Outcome<()> {
        Ok(self.socket.send(body, 0)?)
    }

    fn serve(&self, answers: bool) -> Outcome<u8> {
        let mut asker = zmq::Message::new();
        let mut body = zmq::Message::new();
        self.socket.recv(&mut asker, 0)?;
        self.socket.recv(&mut body, 0)?;
        let first = body.first().copied().unwrap_or(0);
        if answers {
            self.socket.send(asker, zmq::SNDMORE)?;
            self.socket.send(body, 0)?;
        }
        Ok(first)
    }

    fn another(&self) -> Outcome<Box<dyn Node>> {
        Libzmq::open(self.context.clone(), self.kind, self.window)
    }
}

struct Omq {
    socket: blocking::Socket,
    context: omq_tokio::Context,
    kind: Kind,
    window: usize,
}

impl Omq {
    fn open(context: omq_tokio::Context, kind: Kind, window: usize) -> Outcome<Box<dyn Node>> {
        let limit = u32::try_from(window)?;
        let mut options = omq_tokio::Options::default()
            .send_hwm(limit)
            .recv_hwm(limit);
        options.xpub_nodrop = true;
        let name = match kind {
            Kind::Router => omq_tokio::SocketType::Router,
            Kind::Dealer => omq_tokio::SocketType::Dealer,
            Kind::Publisher => omq_tokio::SocketType::Pub,
        };
        Ok(Box::new(Omq {
            socket: context.blocking_socket(name, options),
            context,
            kind,
            window,
        }))
    }
}

impl Node for Omq {
    fn bind(&self) -> Outcome<String> {
        let endpoint = self.socket.bind("tcp://127.0.0.1:0")?;
        Ok(without_scheme(&endpoint.to_string()))
    }

    fn connect(&self, place: &str) -> Outcome<()> {
        Ok(self.socket.connect(&*with_scheme(place))?)
    }

    fn send(&self, body: &[u8]) -> Outcome<()> {
        Ok(self.socket.send(omq_tokio::Message::from_slice(body))?)
    }

    fn serve(&self, answers: bool) -> Outcome<u8> {
        let mut message = self.socket.recv()?;
        let asker = message.pop_front().ok_or("nobody asked")?;
        let body = message.part_slice(0).unwrap_or_default();
        let first = body.first().copied().unwrap_or(0);
        if answers {
            self.socket
                .send(omq_tokio::Message::with_prefix(asker, message))?;
        }
        Ok(first)
    }

    fn another(&self) -> Outcome<Box<dyn Node>> {
        Omq::open(self.context.clone(), self.kind, self.window)
    }
}
