//! libzmq through the `zmq` crate.
//!
//! Small messages are copied from the stack, larger ones are vectors that libzmq takes over. The crate has no way to
//! set `ZMQ_XPUB_NODROP`, so publishing does what a libzmq program does that must not lose messages: subscribers
//! hand out credit on a second socket, and the publisher stays within it.

use std::sync::LazyLock;

use zmq::{Context, Message, SNDMORE, Socket, SocketType};

use super::{About, Part, kinds, locked};
use crate::Outcome;
use crate::cells::{Cell, Placement, Shape, Transport};
use crate::drive::{End, Threaded};
use crate::job::Job;
use crate::payload::{Got, read};

pub struct Libzmq {
    context: LazyLock<Context>,
}

impl Default for Libzmq {
    fn default() -> Self {
        Libzmq {
            context: LazyLock::new(Context::new),
        }
    }
}

/// No message begins with it; subscribing to it and its index makes each subscriber known to the publisher.
const HERE: u8 = 0xff;

const INLINE: usize = 64;

const KINDS: [SocketType; 8] = [
    SocketType::PUSH,
    SocketType::PULL,
    SocketType::REQ,
    SocketType::REP,
    SocketType::DEALER,
    SocketType::ROUTER,
    SocketType::XPUB,
    SocketType::SUB,
];

/// Where the near end listens, for messages or for credit.
fn listen(job: &Job, what: &str) -> String {
    match job.cell.transport {
        Transport::Inproc => format!("inproc://{}-{what}", job.name()),
        Transport::Ipc => format!("ipc://@{}-{what}", job.name()),
        Transport::Tcp => "tcp://127.0.0.1:*".to_owned(),
    }
}

fn bind(socket: &Socket, endpoint: &str) -> Outcome<String> {
    socket.bind(endpoint)?;
    let place = socket.get_last_endpoint()?;
    Ok(place.map_err(|_| "an endpoint that is not text")?)
}

/// How many messages a subscriber receives for each credit it gives.
fn credit_step(job: &Job) -> usize {
    job.cell.window() / 4
}

fn send(socket: &Socket, len: usize, tag: u8) -> Outcome<()> {
    if len <= INLINE {
        socket.send(&[tag; INLINE][..len], 0)?;
    } else {
        socket.send(Message::from(vec![tag; len]), 0)?;
    }
    Ok(())
}

pub struct Wired {
    socket: Socket,
    message: Message,
    role: Role,
}

/// What a socket does besides sending and receiving.
enum Role {
    Plain,
    /// Keeps the name of the asker.
    Router(Message),
    Publisher(Publisher),
    Subscriber(Subscriber),
}

/// Never further ahead of the slowest subscriber than the window.
struct Publisher {
    credit: Socket,
    sent: usize,
    received: Vec<usize>,
    window: usize,
    step: usize,
}

impl Publisher {
    fn wait_for_credit(&mut self) -> Outcome<()> {
        while self.sent - self.received.iter().min().copied().unwrap_or(0) >= self.window {
            let from = self.credit.recv_bytes(0)?;
            let from = usize::from(*from.first().ok_or("an empty credit")?);
            *self.received.get_mut(from).ok_or("a credit of nobody")? += self.step;
        }
        self.sent += 1;
        Ok(())
    }
}

struct Subscriber {
    credit: Socket,
    received: usize,
    step: usize,
    index: u8,
}

impl Subscriber {
    fn give_credit(&mut self) -> Outcome<()> {
        self.received += 1;
        if self.received.is_multiple_of(self.step) {
            self.credit.send(&[self.index][..], 0)?;
        }
        Ok(())
    }
}

impl End for Wired {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        match &mut self.role {
            Role::Plain | Role::Subscriber(_) => {}
            Role::Router(asker) => {
                let asker = std::mem::replace(asker, Message::new());
                self.socket.send(asker, SNDMORE)?;
            }
            Role::Publisher(publisher) => publisher.wait_for_credit()?,
        }
        send(&self.socket, len, tag)
    }

    #[inline]
    fn recv(&mut self) -> Outcome<Got> {
        if let Role::Router(asker) = &mut self.role {
            self.socket.recv(asker, 0)?;
        }
        self.socket.recv(&mut self.message, 0)?;
        if let Role::Subscriber(subscriber) = &mut self.role {
            subscriber.give_credit()?;
        }
        Ok(read(&self.message))
    }

    fn settle(&mut self, fars: usize) -> Outcome<()> {
        if let Role::Publisher(_) = self.role {
            let mut here = 0;
            while here < fars {
                here += usize::from(self.socket.recv_bytes(0)?.get(1) == Some(&HERE));
            }
        }
        Ok(())
    }
}

impl Libzmq {
    fn open(&self, kind: SocketType, job: &Job) -> Outcome<Wired> {
        let socket = self.context.socket(kind)?;
        let window = i32::try_from(job.cell.window())?;
        socket.set_sndhwm(window)?;
        socket.set_rcvhwm(window)?;
        let role = match kind {
            SocketType::ROUTER => Role::Router(Message::new()),
            _ => Role::Plain,
        };
        Ok(Wired {
            socket,
            message: Message::new(),
            role,
        })
    }
}

impl Threaded for Libzmq {
    type End = Wired;

    fn about(&self) -> About {
        let (major, minor, patch) = zmq::version();
        About {
            id: "libzmq".to_owned(),
            version: format!("libzmq {major}.{minor}.{patch} (zmq {})", locked("zmq")),
            manner: "blocking calls, sleeps, one I/O thread; publishes on credit".to_owned(),
            part: Part::Other,
            quick: true,
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        (cell.placement == Placement::OneThread).then_some("it has no async calls")
    }

    fn near(&self, job: &Job) -> Outcome<(Wired, String)> {
        let mut wired = self.open(kinds(job.cell.shape, KINDS).0, job)?;
        if let Shape::Publish(subscribers) = job.cell.shape {
            // The credit alone bounds what waits. libzmq learns in batches what was taken, so that a watermark as high
            // as the credit drops messages that it had room for.
            wired.socket.set_sndhwm(0)?;
            let credit = self.context.socket(SocketType::PULL)?;
            let place = bind(&credit, &listen(job, "credit"))?;
            wired.role = Role::Publisher(Publisher {
                credit,
                sent: 0,
                received: vec![0; subscribers],
                window: job.cell.window(),
                step: credit_step(job),
            });
            let messages = bind(&wired.socket, &listen(job, "messages"))?;
            return Ok((wired, format!("{messages} {place}")));
        }
        let place = bind(&wired.socket, &listen(job, "messages"))?;
        Ok((wired, place))
    }

    fn far(&self, job: &Job, index: usize) -> Outcome<Wired> {
        let mut wired = self.open(kinds(job.cell.shape, KINDS).1, job)?;
        let (place, credit_place) = job.place.split_once(' ').unwrap_or((&job.place, ""));
        if let Shape::Publish(_) = job.cell.shape {
            let index = u8::try_from(index)?;
            let credit = self.context.socket(SocketType::PUSH)?;
            credit.connect(credit_place)?;
            wired.socket.set_subscribe(b"")?;
            wired.socket.set_subscribe(&[HERE, index])?;
            wired.role = Role::Subscriber(Subscriber {
                credit,
                received: 0,
                step: credit_step(job),
                index,
            });
        }
        wired.socket.connect(place)?;
        Ok(wired)
    }
}
