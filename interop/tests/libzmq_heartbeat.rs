//! Heartbeats between taipan and libzmq: PING and PONG go both ways, a connection that is alive is left alone, and a
//! peer that is stopped (SIGSTOP) is noticed by whoever asks, with the reason.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use common::{LibzmqPeer, libzmq_process, serve_if_child, taipan_process};
use rustix::process::{Pid, Signal, kill_process};
use taipan::{Monitor, MonitorKind, Options, SocketKind};
use taipan_interop::{
    PATIENCE, Peer, PeerOptions, RemotePeer, TaipanPeer, Watchdog, Wire, frames, fresh_endpoint,
};

const PAIR: PeerOptions = PeerOptions {
    kind: SocketKind::Pair,
    routing_id: Vec::new(),
};
const DEALER: PeerOptions = PeerOptions {
    kind: SocketKind::Dealer,
    routing_id: Vec::new(),
};

/// Not a test: the body of the child processes of the others.
#[test]
fn libzmq_peer_process() {
    serve_if_child();
}

fn taipan_that_asks(options: &PeerOptions) -> TaipanPeer {
    TaipanPeer::with(options, |options: &mut Options| {
        options.heartbeat_interval = Some(Duration::from_millis(100));
        options.heartbeat_timeout = Some(Duration::from_millis(500));
    })
}

fn libzmq_that_asks(options: &PeerOptions) -> LibzmqPeer {
    let peer = LibzmqPeer::new(options);
    peer.socket.set_heartbeat_ivl(100).expect("an interval");
    peer.socket.set_heartbeat_timeout(500).expect("a timeout");
    peer
}

/// Stands between two peers and remembers what it has passed on, each way.
struct Tap {
    endpoint: String,
    seen: Arc<(Mutex<[Vec<u8>; 2]>, Condvar)>,
}

impl Tap {
    /// Listens for one connection and passes it on to a TCP endpoint.
    fn to(endpoint: &str) -> Tap {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = format!("tcp://{}", listener.local_addr().expect("an address"));
        let far = endpoint.strip_prefix("tcp://").expect("tcp").to_owned();
        let seen: Arc<(Mutex<[Vec<u8>; 2]>, Condvar)> = Arc::default();
        let shared = seen.clone();
        std::thread::spawn(move || {
            let near = listener.accept().expect("a connection").0;
            let far = TcpStream::connect(far).expect("connected");
            let ends = [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))];
            for (way, (from, to)) in ends.into_iter().enumerate() {
                let (shared, from, to) = (
                    shared.clone(),
                    from.expect("a stream"),
                    to.expect("a stream"),
                );
                std::thread::spawn(move || pass_on(from, to, way, &shared));
            }
        });
        Tap {
            endpoint: own,
            seen,
        }
    }

    /// Waits until these bytes have passed, `way` 0 from who connected, 1 to them.
    fn wait_for(&self, way: usize, bytes: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen.0.lock().expect("unharmed");
        while !seen[way].windows(bytes.len()).any(|window| window == bytes) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{} never passed, way {way}",
                bytes.escape_ascii()
            );
            seen = self.seen.1.wait_timeout(seen, left).expect("unharmed").0;
        }
    }
}

fn pass_on(
    mut from: TcpStream,
    mut to: TcpStream,
    way: usize,
    seen: &(Mutex<[Vec<u8>; 2]>, Condvar),
) {
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                seen.0.lock().expect("unharmed")[way].extend(&buffer[..count]);
                seen.1.notify_all();
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    // Fails only if the other way has ended too.
    let _ = to.shutdown(Shutdown::Write);
}

fn greet(a: &mut dyn Peer, b: &mut dyn Peer) {
    assert_eq!(a.send(&frames(["there"])), Ok(()));
    assert_eq!(b.recv(PATIENCE), Some(frames(["there"])));
    assert_eq!(b.send(&frames(["back"])), Ok(()));
    assert_eq!(a.recv(PATIENCE), Some(frames(["back"])));
}

/// Both ask and both answer; the connection stays, idle and busy.
#[test]
fn pings_are_sent_and_answered_both_ways() {
    let _watchdog = Watchdog::for_test();
    for taipan_connects in [true, false] {
        let (mut taipan, mut libzmq) = (taipan_that_asks(&PAIR), libzmq_that_asks(&PAIR));
        let mut monitor = taipan.socket().monitor();
        let tap = if taipan_connects {
            Tap::to(&libzmq.bind(&fresh_endpoint(Wire::Tcp)))
        } else {
            Tap::to(&taipan.bind(&fresh_endpoint(Wire::Tcp)))
        };
        if taipan_connects {
            taipan.connect(&tap.endpoint);
        } else {
            libzmq.connect(&tap.endpoint);
        }
        greet(&mut taipan, &mut libzmq);
        for way in [0, 1] {
            tap.wait_for(way, b"\x04PING");
            tap.wait_for(way, b"\x04PONG");
        }
        // Longer than any timeout: once with a caller that waits, once with none.
        assert_eq!(taipan.recv(Duration::from_millis(1200)), None);
        greet(&mut taipan, &mut libzmq);
        assert_eq!(libzmq.recv(Duration::from_millis(1200)), None);
        greet(&mut taipan, &mut libzmq);
        while let Ok(event) = monitor.try_recv() {
            assert!(
                !matches!(event.kind, MonitorKind::Disconnected { .. }),
                "{event}"
            );
        }
    }
}

/// Who does not ask still answers.
#[test]
fn pings_are_answered_without_heartbeats_of_ones_own() {
    let _watchdog = Watchdog::for_test();
    let (mut taipan, mut libzmq) = (TaipanPeer::new(&PAIR), libzmq_that_asks(&PAIR));
    let tap = Tap::to(&libzmq.bind(&fresh_endpoint(Wire::Tcp)));
    taipan.connect(&tap.endpoint);
    greet(&mut taipan, &mut libzmq);
    tap.wait_for(1, b"\x04PING");
    tap.wait_for(0, b"\x04PONG");
    assert_eq!(libzmq.recv(Duration::from_millis(1200)), None);
    greet(&mut taipan, &mut libzmq);
}

fn signal(process: &RemotePeer, signal: Signal) {
    let pid = Pid::from_raw(process.id() as i32).expect("a process");
    kill_process(pid, signal).expect("signalled");
}

fn wait_for_loss(monitor: &mut Monitor) -> String {
    loop {
        if let MonitorKind::Disconnected { reason } =
            monitor.blocking_recv().expect("an event").kind
        {
            return reason;
        }
    }
}

/// A peer that is stopped, and goes on later, when everything works again.
#[test]
fn taipan_notices_that_libzmq_was_stopped() {
    let _watchdog = Watchdog::for_test();
    for wire in Wire::ALL {
        for taipan_binds in [true, false] {
            let (mut taipan, mut libzmq) = (taipan_that_asks(&DEALER), libzmq_process(&DEALER));
            let mut monitor = taipan.socket().monitor();
            if taipan_binds {
                libzmq.connect(&taipan.bind(&fresh_endpoint(wire)));
            } else {
                taipan.connect(&libzmq.bind(&fresh_endpoint(wire)));
            }
            greet(&mut taipan, &mut libzmq);
            signal(&libzmq, Signal::STOP);
            assert_eq!(wait_for_loss(&mut monitor), "no answer to a heartbeat");
            signal(&libzmq, Signal::CONT);
            while monitor.blocking_recv().expect("an event").kind != MonitorKind::HandshakeSucceeded
            {
            }
            greet(&mut taipan, &mut libzmq);
        }
    }
}

#[test]
fn libzmq_notices_that_taipan_was_stopped() {
    let _watchdog = Watchdog::for_test();
    for wire in Wire::ALL {
        for taipan_binds in [true, false] {
            let (mut libzmq, mut taipan) = (libzmq_that_asks(&DEALER), taipan_process(&DEALER));
            let lost = zmq::SocketEvent::DISCONNECTED as i32;
            libzmq
                .socket
                .monitor("inproc://lost", lost)
                .expect("a monitor");
            let events = libzmq.context.socket(zmq::PAIR).expect("a socket");
            events
                .set_rcvtimeo(PATIENCE.as_millis() as i32)
                .expect("a timeout");
            events.connect("inproc://lost").expect("connected");
            if taipan_binds {
                libzmq.connect(&taipan.bind(&fresh_endpoint(wire)));
            } else {
                taipan.connect(&libzmq.bind(&fresh_endpoint(wire)));
            }
            greet(&mut libzmq, &mut taipan);
            signal(&taipan, Signal::STOP);
            let event = events.recv_multipart(0).expect("an event");
            assert_eq!(
                event[0][..2],
                zmq::SocketEvent::DISCONNECTED.to_raw().to_ne_bytes()
            );
            signal(&taipan, Signal::CONT);
            // What was sent before taipan noticed could be lost with the old connection: until one is heard.
            let mut heard = None;
            for number in 0..3000 {
                let number = number.to_string();
                assert_eq!(libzmq.send(&frames(["again", &number])), Ok(()));
                heard = taipan.recv(Duration::from_millis(20));
                if heard.is_some() {
                    break;
                }
            }
            assert_eq!(heard.expect("heard again")[0], b"again");
        }
    }
}

/// A peer's time to live binds us even if we never ask.
#[test]
fn taipan_obeys_the_time_to_live_of_libzmq() {
    let _watchdog = Watchdog::for_test();
    let mut taipan = TaipanPeer::new(&PAIR);
    let mut monitor = taipan.socket().monitor();
    let mut libzmq = libzmq_that_asks(&PAIR);
    libzmq
        .socket
        .set_heartbeat_ttl(700)
        .expect("a time to live");
    let endpoint = libzmq.bind(&fresh_endpoint(Wire::Tcp));
    let tap = Tap::to(&endpoint);
    taipan.connect(&tap.endpoint);
    greet(&mut taipan, &mut libzmq);
    // 7 tenths of a second, as it is on the wire; kept alive by the pings that follow.
    tap.wait_for(1, b"\x04PING\x00\x07");
    assert_eq!(taipan.recv(Duration::from_millis(2000)), None);
    greet(&mut taipan, &mut libzmq);
    while let Ok(event) = monitor.try_recv() {
        assert!(
            !matches!(event.kind, MonitorKind::Disconnected { .. }),
            "{event}"
        );
    }
}

/// As above, when the peer falls silent.
#[test]
fn a_time_to_live_that_is_over_ends_the_connection() {
    let _watchdog = Watchdog::for_test();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut taipan = TaipanPeer::new(&PAIR);
    let mut monitor = taipan.socket().monitor();
    taipan.connect(&format!(
        "tcp://{}",
        listener.local_addr().expect("an address")
    ));
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut bytes = vec![0; 64];
    (bytes[0], bytes[9], bytes[10], bytes[11]) = (0xFF, 0x7F, 3, 1);
    bytes[12..16].copy_from_slice(b"NULL");
    bytes.extend(b"\x04\x19\x05READY\x0BSocket-Type\x00\x00\x00\x04PAIR");
    bytes[65] = 26;
    // A ping that promises traffic within 300 ms, and then nothing.
    bytes.extend(b"\x04\x07\x04PING\x00\x03");
    stream.write_all(&bytes).expect("sent");
    assert_eq!(
        wait_for_loss(&mut monitor),
        "no traffic within the peer's time to live"
    );
}
