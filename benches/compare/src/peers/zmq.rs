//! libzmq over its ipc transport, through the `zmq` crate.
//!
//! Small messages are copied from the stack, larger ones are vectors that libzmq takes over. The crate has no way to
//! set `ZMQ_XPUB_NODROP`, so the fan-out does what a libzmq program does that must not lose messages: subscribers
//! hand out credit on a second socket, and the publisher stays within it.

use zmq::{Context, Message, Socket, SocketType};

use super::{Peer, locked};
use crate::Outcome;
use crate::cells::{Cell, Shape};
use crate::drive::{self, Receives, Sends};
use crate::job::Job;
use crate::lines::Fars;
use crate::meter::Sample;
use crate::payload::read;

pub struct Libzmq;

/// No message begins with it; subscribing to it and its index makes each subscriber known to the publisher.
const HERE: u8 = 0xff;

const INLINE: usize = 64;

fn endpoint(job: &Job) -> String {
    format!("ipc://@{}", job.name())
}

fn credit_endpoint(job: &Job) -> String {
    format!("ipc://@{}-credit", job.name())
}

fn socket(context: &Context, kind: SocketType, job: &Job) -> Outcome<Socket> {
    let socket = context.socket(kind)?;
    let window = i32::try_from(job.cell.window())?;
    socket.set_sndhwm(window)?;
    socket.set_rcvhwm(window)?;
    Ok(socket)
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

struct Plain {
    socket: Socket,
    message: Message,
}

impl Plain {
    fn new(socket: Socket) -> Self {
        Plain {
            socket,
            message: Message::new(),
        }
    }
}

impl Sends for Plain {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        send(&self.socket, len, tag)
    }
}

impl Receives for Plain {
    #[inline]
    fn recv(&mut self) -> Outcome<(usize, u64)> {
        self.socket.recv(&mut self.message, 0)?;
        Ok((self.message.len(), read(&self.message)))
    }
}

/// Never further ahead of the slowest subscriber than the window.
struct Publisher {
    socket: Socket,
    credit: Socket,
    sent: usize,
    received: Vec<usize>,
    window: usize,
    step: usize,
}

impl Sends for Publisher {
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        while self.sent - self.received.iter().min().copied().unwrap_or(0) >= self.window {
            let from = self.credit.recv_bytes(0)?;
            let from = usize::from(*from.first().ok_or("an empty credit")?);
            *self.received.get_mut(from).ok_or("a credit of nobody")? += self.step;
        }
        self.sent += 1;
        send(&self.socket, len, tag)
    }
}

struct Subscriber {
    plain: Plain,
    credit: Socket,
    received: usize,
    step: usize,
    index: u8,
}

impl Receives for Subscriber {
    fn recv(&mut self) -> Outcome<(usize, u64)> {
        let got = self.plain.recv()?;
        self.received += 1;
        if self.received.is_multiple_of(self.step) {
            self.credit.send(&[self.index][..], 0)?;
        }
        Ok(got)
    }
}

fn near_fan_out(context: &Context, subscribers: usize, job: &Job) -> Outcome<Sample> {
    let socket = socket(context, zmq::XPUB, job)?;
    // The credit alone bounds what waits. libzmq learns in batches what was taken, so that a watermark as high as the
    // credit drops messages that it had room for.
    socket.set_sndhwm(0)?;
    socket.bind(&endpoint(job))?;
    let credit = context.socket(zmq::PULL)?;
    credit.bind(&credit_endpoint(job))?;
    let fars = Fars::launch(job, String::new())?;
    let mut here = 0;
    while here < subscribers {
        here += usize::from(socket.recv_bytes(0)?.get(1) == Some(&HERE));
    }
    let mut publisher = Publisher {
        socket,
        credit,
        sent: 0,
        received: vec![0; subscribers],
        window: job.cell.window(),
        step: credit_step(job),
    };
    drive::send_all(&mut publisher, fars, job)
}

fn far_fan_out(context: &Context, job: &Job) -> Outcome<()> {
    let index = u8::try_from(job.index)?;
    let credit = context.socket(zmq::PUSH)?;
    credit.set_linger(0)?;
    credit.connect(&credit_endpoint(job))?;
    let socket = socket(context, zmq::SUB, job)?;
    socket.set_subscribe(b"")?;
    socket.set_subscribe(&[HERE, index])?;
    socket.connect(&endpoint(job))?;
    let mut subscriber = Subscriber {
        plain: Plain::new(socket),
        credit,
        received: 0,
        step: credit_step(job),
        index,
    };
    drive::receive_all(&mut subscriber, job)
}

impl Peer for Libzmq {
    fn id(&self) -> &'static str {
        "libzmq"
    }

    fn version(&self) -> String {
        let (major, minor, patch) = zmq::version();
        format!("libzmq {major}.{minor}.{patch} (zmq {})", locked("zmq"))
    }

    fn manner(&self) -> &'static str {
        "blocking calls, sleeps"
    }

    fn lacks(&self, _cell: &Cell) -> Option<&'static str> {
        None
    }

    fn near(&self, job: &Job) -> Outcome<Sample> {
        let context = Context::new();
        let kind = match job.cell.shape {
            Shape::FanOut(subscribers) => return near_fan_out(&context, subscribers, job),
            Shape::Stream => zmq::PUSH,
            Shape::RoundTrip => zmq::REQ,
        };
        let fars = Fars::launch(job, String::new())?;
        let mut end = Plain::new(socket(&context, kind, job)?);
        end.socket.connect(&endpoint(job))?;
        if job.cell.shape == Shape::Stream {
            return drive::send_all(&mut end, fars, job);
        }
        drive::ask(&mut end, fars, job)
    }

    fn far(&self, job: &Job) -> Outcome<()> {
        let context = Context::new();
        let kind = match job.cell.shape {
            Shape::FanOut(_) => return far_fan_out(&context, job),
            Shape::Stream => zmq::PULL,
            Shape::RoundTrip => zmq::REP,
        };
        let mut end = Plain::new(socket(&context, kind, job)?);
        end.socket.bind(&endpoint(job))?;
        if job.cell.shape == Shape::Stream {
            return drive::receive_all(&mut end, job);
        }
        drive::answer(&mut end, job)
    }
}
