//! What the conformance tests share: fresh addresses, a watchdog, and how two sockets are married.
//!
//! No test sleeps to wait for a connection, and none asserts how long something may take at the most: a
//! test that would hang is ended by its watchdog.

#![allow(dead_code)]

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use taipan::{
    Context, Endpoint, Kind, Message, Monitor, MonitorEvent, Options, Receives, Sends, Socket,
};

/// Ends the process when it is not dropped in time.
pub struct Watchdog(#[allow(dead_code)] Sender<()>);

/// Watches over the test that holds it. A hang ends the whole run, with the name of the test.
pub fn watchdog(secs: u64) -> Watchdog {
    let (alive, gone) = mpsc::channel();
    let test = thread::current().name().unwrap_or("?").to_owned();
    thread::spawn(move || {
        if gone.recv_timeout(Duration::from_secs(secs)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("watchdog: {test} did not end within {secs} s");
            std::process::exit(86);
        }
    });
    Watchdog(alive)
}

/// A number no other call in this run got.
pub fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A fresh in-process address.
pub fn inproc() -> String {
    format!("inproc://test-{}", unique())
}

/// Addresses of the transports that are byte streams.
pub fn streams() -> Vec<String> {
    let name = format!("taipan-{}-{}", std::process::id(), unique());
    let path = std::env::temp_dir().join(&name);
    vec![
        "tcp://127.0.0.1:*".to_owned(),
        format!("ipc://{}", path.display()),
        format!("ipc://@{name}"),
    ]
}

/// A fresh address of every transport.
pub fn transports() -> Vec<String> {
    let mut addresses = streams();
    addresses.insert(0, inproc());
    addresses
}

/// An address that can be connected to before anybody has bound it.
pub fn fixed(address: &str) -> String {
    if !address.ends_with(":*") {
        return address.to_owned();
    }
    // Below the range that the system hands out by itself.
    let mut port = 20_000 + (std::process::id() * 31) % 10_000;
    loop {
        port = 20_000 + (port - 20_000 + unique() + 1) % 12_000;
        let port16 = port as u16;
        if TcpListener::bind(("127.0.0.1", port16)).is_ok() {
            return format!("tcp://127.0.0.1:{port}");
        }
    }
}

/// The default options, changed.
pub fn options(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    change(&mut options);
    options
}

/// Links of a socket that are up.
pub fn links<K: Kind>(socket: &Socket<K>) -> usize {
    socket
        .stats()
        .peers
        .iter()
        .filter(|peer| peer.connected)
        .count()
}

/// Binds `a`, connects `b`, and waits until both know of each other.
pub fn marry<A: Kind, B: Kind>(a: &Socket<A>, b: &Socket<B>, address: &str) -> Endpoint {
    let endpoint = a.bind(address).expect("bind");
    join(a, b, &endpoint);
    endpoint
}

/// Connects `b` to `a`, which is bound, and waits until both know of each other.
pub fn join<A: Kind, B: Kind>(a: &Socket<A>, b: &Socket<B>, endpoint: &Endpoint) {
    let (of_a, of_b) = (links(a), links(b));
    b.connect(endpoint.clone()).expect("connect");
    assert!(a.blocking_wait_for_peers(of_a + 1, None));
    assert!(b.blocking_wait_for_peers(of_b + 1, None));
}

/// As [`marry`], but connects before anybody has bound the address.
pub fn marry_early<A: Kind, B: Kind>(a: &Socket<A>, b: &Socket<B>, address: &str) -> Endpoint {
    let address = fixed(address);
    let (of_a, of_b) = (links(a), links(b));
    b.connect(address.as_str()).expect("connect");
    let endpoint = a.bind(address.as_str()).expect("bind");
    assert!(a.blocking_wait_for_peers(of_a + 1, None));
    assert!(b.blocking_wait_for_peers(of_b + 1, None));
    endpoint
}

/// Waits for something that a socket will notice by itself in the background.
pub fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until a socket has exactly so many links.
pub fn until_links<K: Kind>(socket: &Socket<K>, count: usize) {
    until(|| links(socket) == count);
}

/// A message of one frame, as text.
pub fn text(message: &Message) -> String {
    assert_eq!(message.frame_count(), 1, "{message:?}");
    String::from_utf8(message.first().to_vec()).expect("text")
}

/// A message as its frames.
pub fn frames(message: &Message) -> Vec<Vec<u8>> {
    message
        .frames()
        .iter()
        .map(|frame| frame.to_vec())
        .collect()
}

/// A message of several frames.
pub fn parts<const N: usize>(frames: [&[u8]; N]) -> Message {
    Message::from_frames(frames)
}

/// Receives so many messages of one frame.
pub fn take<K: Receives>(socket: &Socket<K>, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| text(&socket.blocking_recv().expect("recv")))
        .collect()
}

/// Sends until there is no room; returns how many were accepted.
pub fn fill<K: Sends>(socket: &Socket<K>, mut make: impl FnMut(usize) -> Message) -> usize {
    let mut count = 0;
    loop {
        match socket.try_send(make(count)) {
            Ok(()) => count += 1,
            Err(error) => {
                assert_eq!(error.kind(), taipan::SendErrorKind::WouldBlock);
                return count;
            }
        }
    }
}

/// Messages of texts from `from` on, `count` of them.
pub fn numbered(from: usize, count: usize) -> Vec<String> {
    (from..from + count)
        .map(|number| number.to_string())
        .collect()
}

/// The next event of a monitor that `wanted` lets through.
pub fn event(monitor: &mut Monitor, wanted: impl Fn(&MonitorEvent) -> bool) -> MonitorEvent {
    loop {
        let event = monitor.blocking_recv().expect("an event");
        if wanted(&event) {
            return event;
        }
    }
}

/// What a NULL handshake of ZMTP 3.1 sends: greeting and READY.
pub fn hello(kind: &str) -> Vec<u8> {
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1];
    bytes.extend_from_slice(b"NULL");
    bytes.resize(64, 0);
    let mut ready = b"\x05READY\x0bSocket-Type".to_vec();
    ready.extend_from_slice(&(kind.len() as u32).to_be_bytes());
    ready.extend_from_slice(kind.as_bytes());
    bytes.push(0x04);
    bytes.push(ready.len() as u8);
    bytes.extend_from_slice(&ready);
    bytes
}

/// A raw connection to a tcp endpoint.
pub fn raw(endpoint: &Endpoint) -> TcpStream {
    let text = endpoint.to_string();
    TcpStream::connect(text.strip_prefix("tcp://").expect("tcp")).expect("connect")
}

/// Polls `done` until it holds or the time is over; for what must not happen.
pub fn stays(duration: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        if !holds() {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

/// A context for one test.
pub fn context() -> Context {
    Context::new()
}
