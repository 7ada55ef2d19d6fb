//! Whether an ipc link uses shared memory: agreed on, declined, or refused with a reason; the link works in any case.

#![cfg(target_os = "linux")]

mod common;

use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use common::*;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use taipan::config::PlainUsers;
use taipan::{
    Context, HandshakeFault, Monitor, MonitorKind, Options, Pair, ProtocolError, Pull, Push,
    Security, UpgradeRefusal,
};

/// What is in front of the ring in a segment.
const HEAD: u64 = 0x10000;
/// The ring of our hand-made peer.
const RING: u64 = 64 * 1024;

fn ipc() -> impl Iterator<Item = String> {
    streams().into_iter().filter(|a| a.starts_with("ipc://"))
}

fn path() -> PathBuf {
    let name = format!("taipan-shm-{}-{}", std::process::id(), unique());
    std::env::temp_dir().join(name)
}

fn pair_with(context: &Context, change: impl FnOnce(&mut Options)) -> Pair {
    Pair::with_options(context, options(change)).expect("options")
}

/// What came of shared memory on the next link.
fn outcome(monitor: &mut Monitor) -> Result<(), UpgradeRefusal> {
    let told = event(monitor, |event| {
        matches!(event.kind, MonitorKind::SharedMemory { .. })
    });
    assert_eq!(told.kind.number(), 0x10_0000);
    assert!(told.peer.is_some_and(|peer| peer.starts_with(':')));
    match told.kind {
        MonitorKind::SharedMemory { outcome } => outcome,
        other => panic!("{other:?}"),
    }
}

/// Messages of all sizes go both ways, whole and in order.
fn talk(a: &Pair, b: &Pair) {
    for (from, to) in [(a, b), (b, a)] {
        for size in [0, 1, 64, 65, 5_000, 100_000, 3_000_000] {
            let sent = vec![size as u8; size];
            from.blocking_send(parts([b"head", &sent])).expect("send");
            let received = to.blocking_recv().expect("recv");
            assert!(frames(&received) == [b"head".to_vec(), sent], "{size}");
        }
    }
}

fn shared(pair: &Pair) -> bool {
    let peers = pair.stats().peers;
    assert_eq!(peers.len(), 1);
    peers[0].shared_memory
}

#[test]
fn two_of_us_share_memory() {
    let _dog = watchdog(120);
    for address in ipc() {
        let context = context();
        let (a, b) = (Pair::new(&context), Pair::new(&context));
        let (mut of_a, mut of_b) = (a.monitor(), b.monitor());
        marry(&a, &b, &address);
        assert_eq!((outcome(&mut of_a), outcome(&mut of_b)), (Ok(()), Ok(())));
        assert!(shared(&a) && shared(&b), "{address}");
        talk(&a, &b);
    }
}

#[test]
fn the_event_follows_the_handshakes() {
    let _dog = watchdog(60);
    let context = context();
    let (a, b) = (Pair::new(&context), Pair::new(&context));
    let mut monitor = a.monitor();
    marry(&a, &b, &ipc().next().expect("an address"));
    event(&mut monitor, |event| {
        event.kind == MonitorKind::HandshakeSucceeded
    });
    let next = monitor.blocking_recv().expect("an event").kind;
    assert_eq!(next, MonitorKind::SharedMemory { outcome: Ok(()) });
}

#[test]
fn shared_memory_without_a_pool() {
    let _dog = watchdog(120);
    let without = |o: &mut Options| o.shared_memory.pool_bytes = 0;
    for (of_a, of_b) in [(true, true), (true, false), (false, true)] {
        let context = context();
        let a = pair_with(&context, |o| {
            if of_a {
                without(o)
            }
        });
        let b = pair_with(&context, |o| {
            if of_b {
                without(o)
            }
        });
        marry(&a, &b, &ipc().next().expect("an address"));
        assert!(shared(&a) && shared(&b));
        talk(&a, &b);
    }
}

#[test]
fn either_end_can_do_without() {
    let _dog = watchdog(120);
    for (of_a, of_b) in [(false, false), (true, false), (false, true)] {
        for address in ipc() {
            let context = context();
            let a = pair_with(&context, |o| o.shared_memory.enabled = of_a);
            let b = pair_with(&context, |o| o.shared_memory.enabled = of_b);
            let mut monitor = a.monitor();
            marry(&a, &b, &address);
            assert!(!shared(&a) && !shared(&b), "{address}");
            talk(&a, &b);
            drop(b);
            let told = |kind: &MonitorKind| {
                matches!(
                    kind,
                    MonitorKind::SharedMemory { .. } | MonitorKind::Disconnected { .. }
                )
            };
            let next = event(&mut monitor, |event| told(&event.kind));
            assert_eq!(next.kind.number(), 0x200, "{next:?}");
        }
    }
}

#[test]
fn tcp_is_not_asked() {
    let _dog = watchdog(60);
    let context = context();
    let (a, b) = (Pair::new(&context), Pair::new(&context));
    marry(&a, &b, "tcp://127.0.0.1:*");
    assert!(!shared(&a) && !shared(&b));
    let announced = &a.stats().peers[0].metadata;
    assert!(announced.iter().all(|(name, _)| name != "X-Taipan-Shm"));
}

#[test]
fn plain_links_share_memory_too() {
    let _dog = watchdog(120);
    let context = context();
    let users = PlainUsers::new().with_user("ada", "engine");
    let server = pair_with(&context, |o| o.security = Security::plain_server(users));
    let client = pair_with(&context, |o| {
        o.security = Security::plain_client("ada", "engine");
    });
    marry(&server, &client, &ipc().next().expect("an address"));
    assert!(shared(&server) && shared(&client));
    talk(&server, &client);
}

#[test]
fn what_is_too_much_for_one_end_leaves_the_link_a_stream() {
    let _dog = watchdog(120);
    let context = context();
    let a = pair_with(&context, |o| o.shared_memory.peer_bytes = 1 << 20);
    let b = Pair::new(&context);
    let (mut of_a, mut of_b) = (a.monitor(), b.monitor());
    marry(&a, &b, &ipc().next().expect("an address"));
    let refusal = UpgradeRefusal::TooLarge {
        size: HEAD + (1 << 20) + (64 << 20),
        limit: 1 << 20,
    };
    let code = refusal.code();
    assert_eq!(outcome(&mut of_a), Err(refusal));
    assert_eq!(outcome(&mut of_b), Err(UpgradeRefusal::PeerRefused(code)));
    assert!(!shared(&a) && !shared(&b));
    talk(&a, &b);
}

#[test]
fn a_relay_that_loses_descriptors_leaves_the_link_a_stream() {
    let _dog = watchdog(120);
    let context = context();
    let (a, b) = (Pair::new(&context), Pair::new(&context));
    let (mut of_a, mut of_b) = (a.monitor(), b.monitor());
    let (front, back) = (path(), path());
    let listener = UnixListener::bind(&front).expect("bind");
    a.bind(format!("ipc://{}", back.display())).expect("bind");
    b.connect(format!("ipc://{}", front.display()).as_str())
        .expect("connect");
    let near = listener.accept().expect("accept").0;
    let far = UnixStream::connect(&back).expect("connect");
    let copy = |mut from: UnixStream, mut to: UnixStream| {
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
        })
    };
    copy(
        near.try_clone().expect("clone"),
        far.try_clone().expect("clone"),
    );
    copy(far, near);
    let lost = UpgradeRefusal::BadDescriptor("0 came, not 2".to_owned());
    let both = [outcome(&mut of_a), outcome(&mut of_b)];
    assert!(both.contains(&Err(lost)), "{both:?}");
    assert!(both.iter().all(Result::is_err), "{both:?}");
    talk(&a, &b);
    let _ = std::fs::remove_file(front);
}

/// A peer made by hand: PUSH, which claims to know shared memory.
struct Raw(UnixStream);

/// A command frame.
fn command(name: &str, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![4, (1 + name.len() + body.len()) as u8, name.len() as u8];
    frame.extend_from_slice(name.as_bytes());
    frame.extend_from_slice(body);
    frame
}

fn numbers(of: &[u64]) -> Vec<u8> {
    of.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A sound HELLO of a PUSH with a pool of so many bytes.
fn shm_hello(pool: u64) -> Vec<u8> {
    let page = rustix::param::page_size() as u64;
    let kind = 8;
    command(
        "X-SHM-HELLO",
        &numbers(&[1 | page << 32, RING, pool, 0, 0, 0, kind]),
    )
}

fn segment(pool: u64, descriptors: u64) -> Vec<u8> {
    command("X-SHM-SEGMENT", &numbers(&[HEAD + RING, pool, descriptors]))
}

fn result(code: u64) -> Vec<u8> {
    command("X-SHM-RESULT", &numbers(&[code]))
}

impl Raw {
    /// Through the ZMTP handshake.
    fn connect(path: &PathBuf) -> Raw {
        let mut stream = UnixStream::connect(path).expect("connect");
        let mut bytes = hello("PUSH");
        let ready = bytes.split_off(64);
        bytes.push(4);
        bytes.push(ready[1] + 1 + 12 + 4 + 1);
        bytes.extend_from_slice(&ready[2..]);
        bytes.extend_from_slice(b"\x0cX-Taipan-Shm\x00\x00\x00\x01\x01");
        stream.write_all(&bytes).expect("write");
        let mut raw = Raw(stream);
        raw.read(64);
        let (name, body) = raw.command();
        assert_eq!(name, "READY");
        assert!(body.windows(12).any(|window| window == b"X-Taipan-Shm"));
        raw
    }

    fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("read");
        bytes
    }

    /// The next command; descriptors that come with it are lost, which is how plain reading goes.
    fn command(&mut self) -> (String, Vec<u8>) {
        let header = self.read(2);
        assert_eq!(header[0], 4);
        let mut name = self.read(usize::from(header[1]));
        let rest = name.split_off(1);
        let (name, body) = rest.split_at(usize::from(name[0]));
        (
            String::from_utf8(name.to_vec()).expect("text"),
            body.to_vec(),
        )
    }

    fn expect(&mut self, name: &str) -> Vec<u8> {
        let (found, body) = self.command();
        assert_eq!(found, name);
        body
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("write");
    }

    fn write_with(&self, bytes: &[u8], descriptors: &[OwnedFd]) {
        let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !borrowed.is_empty() {
            assert!(control.push(SendAncillaryMessage::ScmRights(&borrowed)));
        }
        let slices = [IoSlice::new(bytes)];
        let sent = rustix::net::sendmsg(&self.0, &slices, &mut control, SendFlags::empty());
        assert_eq!(sent, Ok(bytes.len()));
    }
}

/// A PULL whose address is a path.
fn server(context: &Context, change: impl FnOnce(&mut Options)) -> (Pull, Monitor, PathBuf) {
    let pull = Pull::with_options(context, options(change)).expect("options");
    let (monitor, path) = (pull.monitor(), path());
    pull.bind(format!("ipc://{}", path.display()))
        .expect("bind");
    (pull, monitor, path)
}

/// The link goes on as a ZMTP stream.
fn is_a_stream(raw: &mut Raw, pull: &Pull) {
    raw.write(b"\x00\x05still\x01\x01a\x00\x01b");
    assert_eq!(take(pull, 1), ["still"]);
    assert_eq!(frames(&pull.blocking_recv().expect("recv")), [b"a", b"b"]);
    assert!(!pull.stats().peers[0].shared_memory);
}

/// A memory file; its name says whether a copy is left somewhere.
fn memory(name: &str, size: u64, seals: SealFlags) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create(name, flags).expect("memfd");
    rustix::fs::ftruncate(&fd, size).expect("size");
    rustix::fs::fcntl_add_seals(&fd, seals).expect("seals");
    fd
}

const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::FUTURE_WRITE)
    .union(SealFlags::SEAL);

fn good(name: &str) -> OwnedFd {
    memory(name, HEAD + RING, SEALS)
}

/// Whether this process has a file of this name open or mapped.
fn is_left(name: &str) -> bool {
    let open = std::fs::read_dir("/proc/self/fd").expect("/proc");
    let mut open = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let mapped = std::fs::read_to_string("/proc/self/maps").expect("/proc");
    open.any(|link| link.to_string_lossy().contains(name)) || mapped.contains(name)
}

/// What the server says to these descriptors, sent with a SEGMENT that is sound otherwise.
fn answer_to(descriptors: Vec<OwnedFd>) -> UpgradeRefusal {
    let context = context();
    let (pull, mut monitor, path) = server(&context, |_| {});
    let mut raw = Raw::connect(&path);
    raw.write(&shm_hello(0));
    raw.expect("X-SHM-HELLO");
    raw.write_with(&segment(0, 1), &descriptors);
    drop(descriptors);
    raw.expect("X-SHM-SEGMENT");
    let code = raw.expect("X-SHM-RESULT");
    raw.write(&result(0));
    let refusal = outcome(&mut monitor).expect_err("bad descriptors");
    assert_eq!(code, numbers(&[u64::from(refusal.code())]));
    is_a_stream(&mut raw, &pull);
    refusal
}

#[track_caller]
fn is_bad(descriptors: Vec<OwnedFd>, why: &str) {
    match answer_to(descriptors) {
        UpgradeRefusal::BadDescriptor(text) => assert!(text.contains(why), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bad_descriptors_are_refused_and_closed() {
    let _dog = watchdog(120);
    let name = &format!("shm-test-{}-{}", std::process::id(), unique());
    is_bad(vec![], "0 came, not 1");
    is_bad(vec![good(name), good(name)], "2 came, not 1");
    is_bad((0..16).map(|_| good(name)).collect(), "more that were lost");
    let (pipe, _other_end) = std::io::pipe().expect("pipe");
    is_bad(vec![pipe.into()], "");
    let (socket, _other_end) = UnixStream::pair().expect("sockets");
    is_bad(vec![socket.into()], "");
    let size = HEAD + RING;
    is_bad(vec![memory(name, size, SealFlags::empty())], "not sealed");
    for seal in SEALS.iter().filter(|seal| *seal != SealFlags::SEAL) {
        is_bad(
            vec![memory(name, size, SEALS.difference(seal))],
            "not sealed",
        );
    }
    let unfinished = SEALS.difference(SealFlags::SEAL);
    is_bad(vec![memory(name, size, unfinished)], "not sealed");
    for wrong in [0, 4096, size - 4096, size + 4096, 1 << 40] {
        is_bad(vec![memory(name, wrong, SEALS)], "bytes instead of");
    }
    let file = std::fs::File::create(path()).expect("a file");
    file.set_len(size).expect("size");
    is_bad(vec![file.into()], "");
    assert!(!is_left(name));
}

#[test]
fn descriptors_at_the_wrong_time_are_closed() {
    let _dog = watchdog(60);
    let name = &format!("shm-test-{}-{}", std::process::id(), unique());
    let context = context();
    let (pull, mut monitor, path) = server(&context, |_| {});
    let mut raw = Raw::connect(&path);
    raw.write_with(&shm_hello(0), &[good(name)]);
    raw.expect("X-SHM-HELLO");
    raw.expect("X-SHM-SEGMENT");
    // A peer that refuses says so instead of its SEGMENT.
    raw.write_with(&result(9), &[good(name)]);
    assert_eq!(raw.expect("X-SHM-RESULT"), numbers(&[11]));
    let refused = UpgradeRefusal::PeerRefused(9);
    assert_eq!(outcome(&mut monitor), Err(refused));
    raw.write_with(b"\x00\x02hi", &[good(name)]);
    assert_eq!(take(&pull, 1), ["hi"]);
    is_a_stream(&mut raw, &pull);
    assert!(!is_left(name));
}

#[test]
fn a_message_behind_the_result_is_the_first_one_however_it_is_glued() {
    let _dog = watchdog(60);
    let context = context();
    let (pull, mut monitor, path) = server(&context, |_| {});
    let mut raw = Raw::connect(&path);
    let all = [shm_hello(0), result(9), b"\x00\x05first".to_vec()].concat();
    raw.write(&all);
    assert_eq!(outcome(&mut monitor), Err(UpgradeRefusal::PeerRefused(9)));
    assert_eq!(take(&pull, 1), ["first"]);
    raw.expect("X-SHM-HELLO");
    // Whether it sends its SEGMENT depends on how much it had read by then.
    while raw.command().0 != "X-SHM-RESULT" {}
    is_a_stream(&mut raw, &pull);
}

#[test]
fn another_version_is_refused() {
    let _dog = watchdog(60);
    let context = context();
    let (pull, mut monitor, path) = server(&context, |_| {});
    let mut raw = Raw::connect(&path);
    raw.write(&command("X-SHM-HELLO", &[7, 0, 1, 2, 3]));
    raw.expect("X-SHM-HELLO");
    assert_eq!(raw.expect("X-SHM-RESULT"), numbers(&[2]));
    raw.write(&result(2));
    let refused = UpgradeRefusal::Version { theirs: 7 };
    assert_eq!(outcome(&mut monitor), Err(refused));
    is_a_stream(&mut raw, &pull);
}

fn failed(monitor: &mut Monitor) -> HandshakeFault {
    let told = event(monitor, |event| {
        matches!(event.kind, MonitorKind::HandshakeFailed { .. })
    });
    match told.kind {
        MonitorKind::HandshakeFailed { fault } => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_peer_that_never_answers_runs_out_of_time() {
    let _dog = watchdog(60);
    let steps: [&[Vec<u8>]; 3] = [&[], &[shm_hello(0)], &[shm_hello(0), segment(0, 1)]];
    for said in steps {
        let context = context();
        let (pull, mut monitor, path) = server(&context, |o| {
            o.handshake_timeout = Some(Duration::from_millis(50));
        });
        let mut raw = Raw::connect(&path);
        for bytes in said {
            raw.write(bytes);
        }
        let late = HandshakeFault::NoDetail("the handshake took too long".to_owned());
        assert_eq!(failed(&mut monitor), late);
        let mut rest = Vec::new();
        let _ = raw.0.read_to_end(&mut rest);
        assert_eq!(pull.stats().peers, []);
    }
}

#[test]
fn a_peer_that_says_something_else_fails_the_handshake() {
    let _dog = watchdog(60);
    let cases = [
        (b"\x00\x02hi".to_vec(), ProtocolError::UnexpectedMessage),
        (
            command("PING", &[0, 0]),
            ProtocolError::UnexpectedCommand {
                expected: "X-SHM-HELLO",
                found: "PING".to_owned(),
            },
        ),
        (
            vec![6, 0, 0, 0, 1, 0, 0, 0, 0],
            ProtocolError::CommandTooLarge {
                size: 1 << 32,
                limit: 1024,
            },
        ),
    ];
    for (bytes, error) in cases {
        let context = context();
        let (pull, mut monitor, path) = server(&context, |_| {});
        let mut raw = Raw::connect(&path);
        raw.write(&bytes);
        assert_eq!(failed(&mut monitor), HandshakeFault::Protocol(error));
        assert_eq!(pull.stats().peers, []);
    }
}

#[test]
fn a_peer_that_closes_in_between_leaves_nothing() {
    let _dog = watchdog(60);
    let name = &format!("shm-test-{}-{}", std::process::id(), unique());
    let context = context();
    let (pull, mut monitor, path) = server(&context, |_| {});
    for steps in 0..3 {
        let mut raw = Raw::connect(&path);
        if steps > 0 {
            raw.write(&shm_hello(0));
            raw.expect("X-SHM-HELLO");
        }
        if steps > 1 {
            raw.write_with(&segment(0, 1), &[good(name)]);
        }
        drop(raw);
        assert!(matches!(failed(&mut monitor), HandshakeFault::NoDetail(_)));
    }
    assert_eq!(pull.stats().peers, []);
    until(|| !is_left(name));
}

#[test]
fn a_lost_link_is_upgraded_again() {
    let _dog = watchdog(60);
    let context = context();
    let address = ipc().next().expect("an address");
    let push = Push::new(&context);
    let mut monitor = push.monitor();
    for round in ["first", "second"] {
        let pull = Pull::new(&context);
        let endpoint = pull.bind(address.as_str()).expect("bind");
        if round == "first" {
            push.connect(endpoint).expect("connect");
        }
        assert_eq!(outcome(&mut monitor), Ok(()));
        push.blocking_send(round).expect("send");
        assert_eq!(take(&pull, 1), [round]);
        drop(pull);
        until_links(&push, 0);
    }
}
