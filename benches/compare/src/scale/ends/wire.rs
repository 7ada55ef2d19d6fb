//! ZMTP by hand, as much of it as a peer needs that does little: greeting, READY, small frames.
//!
//! What it is not: a library. It answers no heartbeats, and what it does not expect is an error.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::Outcome;

const GREETING: usize = 64;
/// The first byte of a message that subscribes.
const SUBSCRIBE: u8 = 1;
/// What is read at a time.
const READ: usize = 64 << 10;

/// What a peer of this socket type says first: a greeting of ZMTP 3.0 with the NULL mechanism, and READY.
fn hello(kind: &str) -> Vec<u8> {
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0];
    bytes.extend_from_slice(b"NULL");
    bytes.resize(GREETING, 0);
    let mut ready = b"\x05READY\x0bSocket-Type\x00\x00\x00".to_vec();
    ready.push(kind.len() as u8);
    ready.extend_from_slice(kind.as_bytes());
    bytes.extend_from_slice(&[4, ready.len() as u8]);
    bytes.extend_from_slice(&ready);
    bytes
}

/// Waits until the other side has said all of its own hello: then it has connected.
fn greeted(stream: &mut TcpStream) -> Outcome<()> {
    let mut greeting = [0; GREETING + 2];
    stream.read_exact(&mut greeting)?;
    let [flags, len] = [greeting[GREETING], greeting[GREETING + 1]];
    let mut ready = [0; 255];
    let ready = &mut ready[..usize::from(len)];
    stream.read_exact(ready)?;
    if flags != 4 || !ready.starts_with(b"\x05READY") {
        return Err("no READY".into());
    }
    Ok(())
}

/// Opens connections up to `count`, with so many under way at a time; `each` is told how many there are.
pub fn open_many(
    streams: &mut Vec<TcpStream>,
    place: &str,
    kind: &str,
    count: usize,
    under_way: usize,
    mut each: impl FnMut(usize),
) -> Outcome<()> {
    let hello = hello(kind);
    let mut fresh = VecDeque::with_capacity(under_way);
    while streams.len() < count {
        while fresh.len() < under_way && streams.len() + fresh.len() < count {
            let mut stream = TcpStream::connect(place)?;
            stream.write_all(&hello)?;
            fresh.push_back(stream);
        }
        let mut stream = fresh.pop_front().ok_or("no connection is under way")?;
        greeted(&mut stream)?;
        streams.push(stream);
        each(streams.len());
    }
    Ok(())
}

/// A connection with frames of one part.
pub struct Client {
    stream: BufReader<TcpStream>,
    frame: Vec<u8>,
}

impl Client {
    pub fn connect(place: &str, kind: &str) -> Outcome<Client> {
        let mut stream = TcpStream::connect(place)?;
        stream.set_nodelay(true)?;
        stream.write_all(&hello(kind))?;
        greeted(&mut stream)?;
        Ok(Client {
            stream: BufReader::with_capacity(READ, stream),
            frame: Vec::new(),
        })
    }

    /// Sends this many copies of a body in one write.
    pub fn send(&mut self, body: &[u8], copies: usize) -> Outcome<()> {
        self.frame.clear();
        for _ in 0..copies {
            frame(&mut self.frame, &[], body);
        }
        Ok(self.stream.get_mut().write_all(&self.frame)?)
    }

    /// Subscribes to all these topics in one write.
    pub fn subscribe<T: AsRef<[u8]>>(
        &mut self,
        topics: impl IntoIterator<Item = T>,
    ) -> Outcome<()> {
        self.frame.clear();
        for topic in topics {
            frame(&mut self.frame, &[SUBSCRIBE], topic.as_ref());
        }
        Ok(self.stream.get_mut().write_all(&self.frame)?)
    }

    /// Receives one body.
    pub fn recv(&mut self) -> Outcome<&[u8]> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        if head[0] != 0 {
            return Err(format!("a frame with flags {}", head[0]).into());
        }
        self.frame.resize(usize::from(head[1]), 0);
        self.stream.read_exact(&mut self.frame)?;
        Ok(&self.frame)
    }

    /// Reads until nothing has come for so long.
    pub fn drain(&mut self, quiet: Duration) -> Outcome<()> {
        self.stream.get_mut().set_read_timeout(Some(quiet))?;
        loop {
            let got = match self.stream.fill_buf() {
                Ok(bytes) => bytes.len(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            if got == 0 {
                return Err("the other side is gone".into());
            }
            self.stream.consume(got);
        }
        Ok(self.stream.get_mut().set_read_timeout(None)?)
    }

    /// The connection itself, of which nothing that has come is kept here.
    pub fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }
}

/// Appends a short frame of two pieces.
fn frame(bytes: &mut Vec<u8>, first: &[u8], second: &[u8]) {
    bytes.extend_from_slice(&[0, (first.len() + second.len()) as u8]);
    bytes.extend_from_slice(first);
    bytes.extend_from_slice(second);
}

/// What no library could be faster than: accepts, greets, and keeps the connection.
pub struct Raw(TcpListener);

impl Raw {
    pub fn listen() -> Outcome<(Raw, String)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let place = listener.local_addr()?.to_string();
        Ok((Raw(listener), place))
    }

    /// Accepts and greets `count`, and keeps them until the last one ends.
    pub fn serve(self, count: usize) {
        thread::spawn(move || {
            let hello = hello("ROUTER");
            let mut streams = Vec::new();
            while streams.len() < count
                && let Ok((mut stream, _)) = self.0.accept()
            {
                if greeted(&mut stream).is_ok() && stream.write_all(&hello).is_ok() {
                    streams.push(stream);
                }
            }
            if let Some(last) = streams.last_mut() {
                let _ = last.read(&mut [0]);
            }
        });
    }
}
