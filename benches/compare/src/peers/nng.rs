//! nng, the C library, through the `nng` crate: over tcp, its Unix sockets and inproc, called in threads.
//!
//! Its protocols have no DEALER and ROUTER: the two ends that would be those are a pair, which has no envelopes. A PUB
//! drops the oldest of what its queues cannot take, so it publishes on credit.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::mpsc::{self, Receiver};

use nng::options::protocol::pubsub::Subscribe;
use nng::options::{LocalAddr, Options, RecvBufferSize, RecvMaxSize, SendBufferSize};
use nng::{Listener, Message, PipeEvent, Protocol, Socket, SocketAddr};

use super::credit::{Ledger, make_pipe, pipe_path, step};
use super::{About, Part, files, kinds, locked};
use crate::Outcome;
use crate::cells::{Cell, Placement, Transport};
use crate::drive::{End, Threaded};
use crate::job::Job;
use crate::payload::{Got, read};

pub struct Nng;

const INLINE: usize = 64;

const PROTOCOLS: [Protocol; 8] = [
    Protocol::Push0,
    Protocol::Pull0,
    Protocol::Req0,
    Protocol::Rep0,
    Protocol::Pair0,
    Protocol::Pair0,
    Protocol::Pub0,
    Protocol::Sub0,
];

/// What a socket does besides sending and receiving.
enum Role {
    Plain,
    Publisher(File, Ledger),
    Subscriber {
        credit: File,
        index: u8,
        got: usize,
        step: usize,
    },
}

pub struct Wired {
    socket: Socket,
    role: Role,
    /// One for each far end that has connected.
    connected: Option<Receiver<()>>,
}

impl End for Wired {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        if let Role::Publisher(credit, ledger) = &mut self.role {
            while !ledger.spend() {
                let mut indices = [0; 64];
                let count = credit.read(&mut indices)?;
                ledger.earn(&indices[..count])?;
            }
        }
        let message = if len <= INLINE {
            Message::from(&[tag; INLINE][..len])
        } else {
            let mut message = Message::with_zeros(len);
            message.fill(tag);
            message
        };
        Ok(self.socket.send(message).map_err(|(_, error)| error)?)
    }

    #[inline]
    fn recv(&mut self) -> Outcome<Got> {
        let message = self.socket.recv()?;
        if let Role::Subscriber {
            credit,
            index,
            got,
            step,
        } = &mut self.role
        {
            *got += 1;
            if got.is_multiple_of(*step) {
                credit.write_all(&[*index])?;
            }
        }
        Ok(read(&message))
    }

    fn settle(&mut self, fars: usize) -> Outcome<()> {
        let connected = self.connected.as_ref().ok_or("nobody listens")?;
        for _ in 0..fars {
            connected.recv()?;
        }
        Ok(())
    }
}

fn open(protocol: Protocol, job: &Job) -> Outcome<Wired> {
    let socket = Socket::new(protocol)?;
    let window = i32::try_from(job.cell.window())?;
    if matches!(protocol, Protocol::Push0 | Protocol::Pub0 | Protocol::Pair0) {
        socket.set_opt::<SendBufferSize>(window)?;
    }
    if matches!(protocol, Protocol::Sub0 | Protocol::Pair0) {
        socket.set_opt::<RecvBufferSize>(window)?;
    }
    // Without a limit.
    socket.set_opt::<RecvMaxSize>(0)?;
    Ok(Wired {
        socket,
        role: Role::Plain,
        connected: None,
    })
}

impl Threaded for Nng {
    type End = Wired;

    fn about(&self) -> About {
        About {
            id: "nng".to_owned(),
            version: format!("nng {} (nng-sys {})", locked("nng"), locked("nng-sys")),
            manner: "blocking calls, sleeps; publishes on credit".to_owned(),
            part: Part::Other,
            quick: true,
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        (cell.placement == Placement::OneThread).then_some("it blocks its thread")
    }

    fn near(&self, job: &Job) -> Outcome<(Wired, String)> {
        let protocol = kinds(job.cell.shape, PROTOCOLS).0;
        let mut wired = open(protocol, job)?;
        if protocol == Protocol::Pub0 {
            // Open for writing as well, so that it does not end before the first subscriber is there.
            let credit = File::options()
                .read(true)
                .write(true)
                .open(make_pipe(job)?)?;
            wired.role = Role::Publisher(credit, Ledger::new(job));
        }
        let (sender, connected) = mpsc::channel();
        wired.connected = Some(connected);
        wired.socket.pipe_notify(move |_, event| {
            if event == PipeEvent::AddPost {
                // Nobody listens any more once all are there.
                let _ = sender.send(());
            }
        })?;
        let url = match job.cell.transport {
            Transport::Inproc => format!("inproc://{}", job.name()),
            Transport::Ipc => format!("abstract://{}", job.name()),
            Transport::Tcp => "tcp://127.0.0.1:0".to_owned(),
        };
        let listener = Listener::new(&wired.socket, &url)?;
        let place = match job.cell.transport {
            Transport::Tcp => match listener.get_opt::<LocalAddr>()? {
                // The crate hands out the port as it is on the wire.
                SocketAddr::Inet(address) => {
                    format!("tcp://127.0.0.1:{}", u16::from_be(address.port()))
                }
                other => return Err(format!("listens at {other}").into()),
            },
            _ => url,
        };
        Ok((wired, place))
    }

    fn far(&self, job: &Job, index: usize) -> Outcome<Wired> {
        let protocol = kinds(job.cell.shape, PROTOCOLS).1;
        let mut wired = open(protocol, job)?;
        if protocol == Protocol::Sub0 {
            wired.socket.set_opt::<Subscribe>(Vec::new())?;
            wired.role = Role::Subscriber {
                credit: File::options().write(true).open(pipe_path(job)?)?,
                index: u8::try_from(index)?,
                got: 0,
                step: step(job),
            };
        }
        wired.socket.dial(&job.place)?;
        Ok(wired)
    }

    fn clean(&self, run: u32) {
        files::clean(run);
    }
}
