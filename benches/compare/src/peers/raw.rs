//! The bound of what goes through the kernel: a raw connection over tcp or a Unix socket, blocking, `TCP_NODELAY`.
//!
//! Messages have a length of four bytes in front and are collected until 64 KiB are there (1 MiB if messages are
//! large), or until the end has to wait for an answer: so a stream is written at its best sizes, and a round trip is
//! one write and one read at each end. What is published is encoded once and written to every connection in turn; what
//! is shared goes out by the batch.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use super::{About, Part};
use crate::Outcome;
use crate::cells::{Cell, Course, IN_FLIGHT, Placement, Transport};
use crate::drive::{End, Threaded};
use crate::job::Job;
use crate::payload::{Got, read};

pub struct Raw;

/// The length in front of a message.
const LENGTH: usize = size_of::<u32>();
/// What is written at once, and read at once.
const BATCH: usize = 64 << 10;
const LARGE_BATCH: usize = 1 << 20;
const READ: usize = 256 << 10;

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

pub struct Wire {
    listener: Option<Listener>,
    streams: Vec<Box<dyn Stream>>,
    publishes: bool,
    turn: usize,
    out: Vec<u8>,
    batch: usize,
    input: Vec<u8>,
    /// What of the input was received and not read.
    from: usize,
    to: usize,
}

impl Wire {
    fn new(job: &Job, listener: Option<Listener>, streams: Vec<Box<dyn Stream>>) -> Wire {
        let size = job.cell.size + LENGTH;
        let batch = if size > BATCH { LARGE_BATCH } else { BATCH };
        Wire {
            listener,
            streams,
            publishes: job.cell.course() == Course::Out,
            turn: 0,
            out: Vec::with_capacity(batch + size),
            batch,
            input: vec![0; READ.max(2 * size)],
            from: 0,
            to: 0,
        }
    }

    fn write_out(&mut self) -> Outcome<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        if self.publishes {
            for stream in &mut self.streams {
                stream.write_all(&self.out)?;
            }
        } else {
            let turn = self.turn % self.streams.len().max(1);
            self.turn = turn + 1;
            let stream = self.streams.get_mut(turn).ok_or("not connected")?;
            stream.write_all(&self.out)?;
        }
        self.out.clear();
        Ok(())
    }

    /// Reads until this many bytes are there.
    fn fill(&mut self, needed: usize) -> Outcome<()> {
        while self.to - self.from < needed {
            if self.from > 0 && self.from + needed > self.input.len() {
                self.input.copy_within(self.from..self.to, 0);
                self.to -= self.from;
                self.from = 0;
            }
            let stream = self.streams.first_mut().ok_or("not connected")?;
            match stream.read(&mut self.input[self.to..])? {
                0 => return Err("the other side is gone".into()),
                read => self.to += read,
            }
        }
        Ok(())
    }
}

impl End for Wire {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        self.out.extend_from_slice(&(len as u32).to_le_bytes());
        self.out.resize(self.out.len() + len, tag);
        if self.out.len() >= self.batch {
            self.write_out()?;
        }
        Ok(())
    }

    #[inline]
    fn recv(&mut self) -> Outcome<Got> {
        if self.to - self.from < LENGTH {
            // Nothing is left to do before the other side does something.
            self.write_out()?;
            self.fill(LENGTH)?;
        }
        let length = &self.input[self.from..self.from + LENGTH];
        let len = u32::from_le_bytes(length.try_into()?) as usize;
        if self.to - self.from < LENGTH + len {
            self.fill(LENGTH + len)?;
        }
        let start = self.from + LENGTH;
        let got = read(&self.input[start..start + len]);
        self.from = start + len;
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        }
        Ok(got)
    }

    fn settle(&mut self, fars: usize) -> Outcome<()> {
        for _ in 0..fars {
            let stream: Box<dyn Stream> = match &self.listener {
                Some(Listener::Tcp(listener)) => Box::new(tcp(listener.accept()?.0)?),
                Some(Listener::Unix(listener)) => Box::new(listener.accept()?.0),
                None => return Err("it does not listen".into()),
            };
            self.streams.push(stream);
        }
        Ok(())
    }

    fn flush(&mut self) -> Outcome<()> {
        self.write_out()
    }
}

fn tcp(stream: TcpStream) -> Outcome<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Threaded for Raw {
    type End = Wire;

    fn about(&self) -> About {
        About {
            id: "raw".to_owned(),
            version: "raw tcp and Unix stream sockets".to_owned(),
            manner: "blocking calls, writes of 64 KiB (1 MiB for large messages), reads of 256 KiB"
                .to_owned(),
            part: Part::Bound,
            quick: true,
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        match (cell.transport, cell.course()) {
            (Transport::Inproc, _) => Some("within a process nothing needs the kernel"),
            (_, Course::Ask(IN_FLIGHT)) if cell.size > 1024 => {
                Some("both ends would wait to write, and neither read")
            }
            (_, Course::Gather) => Some("one blocking reader reads one connection"),
            _ => (cell.placement == Placement::OneThread).then_some("it blocks its thread"),
        }
    }

    fn near(&self, job: &Job) -> Outcome<(Wire, String)> {
        let (listener, place) = match job.cell.transport {
            Transport::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                let place = listener.local_addr()?.to_string();
                (Listener::Tcp(listener), place)
            }
            Transport::Ipc | Transport::Inproc => {
                let place = job.name();
                let address = SocketAddr::from_abstract_name(&place)?;
                (Listener::Unix(UnixListener::bind_addr(&address)?), place)
            }
        };
        Ok((Wire::new(job, Some(listener), Vec::new()), place))
    }

    fn far(&self, job: &Job, _index: usize) -> Outcome<Wire> {
        let stream: Box<dyn Stream> = match job.cell.transport {
            Transport::Tcp => Box::new(tcp(TcpStream::connect(&job.place)?)?),
            Transport::Ipc | Transport::Inproc => {
                let address = SocketAddr::from_abstract_name(&job.place)?;
                Box::new(UnixStream::connect_addr(&address)?)
            }
        };
        Ok(Wire::new(job, None, vec![stream]))
    }
}
