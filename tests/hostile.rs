//! Raw peers that break the protocol, stall, or never speak: each is told apart in the monitor, and nobody
//! else is disturbed.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use common::*;
use taipan::{
    Blame, Context, DropReason, Endpoint, HandshakeFault, Message, MonitorEvent, MonitorKind,
    Options, ProtocolError, Pub, Pull, Push, Sub,
};

const MS: Duration = Duration::from_millis(1);

/// A PULL with an honest peer, to see that it is not disturbed.
struct Server {
    pull: Pull,
    honest: Push,
    endpoint: Endpoint,
    _context: Context,
}

fn server(change: impl FnOnce(&mut Options)) -> Server {
    let context = context();
    let pull = Pull::with_options(&context, options(change)).expect("options");
    let honest = Push::new(&context);
    let endpoint = marry(&pull, &honest, "tcp://127.0.0.1:*");
    Server {
        pull,
        honest,
        endpoint,
        _context: context,
    }
}

impl Server {
    fn is_undisturbed(&self) {
        for text in numbered(0, 10) {
            self.honest.blocking_send(text).expect("send");
        }
        assert_eq!(take(&self.pull, 10), numbered(0, 10));
        assert_eq!(links(&self.honest), 1);
        assert_eq!(self.honest.stats().reconnects, 0);
    }

    /// Sends bytes as a new peer; returns why the server gave it up.
    fn answer_to(&self, bytes: &[u8]) -> (MonitorEvent, TcpStream) {
        let mut monitor = self.pull.monitor();
        let mut peer = raw(&self.endpoint);
        let _ = peer.write_all(bytes);
        let ended = |event: &MonitorEvent| {
            matches!(
                event.kind,
                MonitorKind::HandshakeFailed { .. } | MonitorKind::Disconnected { .. }
            )
        };
        (event(&mut monitor, ended), peer)
    }
}

fn protocol_fault(event: &MonitorEvent) -> &ProtocolError {
    match &event.kind {
        MonitorKind::HandshakeFailed {
            fault: HandshakeFault::Protocol(error),
        } => error,
        other => panic!("{other:?}"),
    }
}

fn disconnected(event: &MonitorEvent) -> &str {
    match &event.kind {
        MonitorKind::Disconnected { reason } => reason,
        other => panic!("{other:?}"),
    }
}

/// The end of a connection, by whatever way.
fn reads_end(mut peer: TcpStream) {
    let mut rest = Vec::new();
    let _ = peer.read_to_end(&mut rest);
}

#[test]
fn garbage_instead_of_a_greeting() {
    let _dog = watchdog(60);
    let server = server(|_| {});
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        &[0; 64],
        &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
    ] {
        let (told, peer) = server.answer_to(garbage);
        assert_eq!(protocol_fault(&told).blame(), Blame::Malformed, "{told:?}");
        reads_end(peer);
        server.is_undisturbed();
    }
}

#[test]
fn a_peer_that_closes_in_the_middle_of_a_handshake() {
    let _dog = watchdog(60);
    let server = server(|_| {});
    let whole = hello("PUSH");
    for cut in [0, 1, 10, 11, 40, 64, 65, whole.len() - 1] {
        let mut monitor = server.pull.monitor();
        let mut peer = raw(&server.endpoint);
        peer.write_all(&whole[..cut]).unwrap();
        drop(peer);
        let told = event(&mut monitor, |event| {
            matches!(event.kind, MonitorKind::HandshakeFailed { .. })
        });
        let MonitorKind::HandshakeFailed {
            fault: HandshakeFault::NoDetail(_),
        } = told.kind
        else {
            panic!("{told:?}")
        };
    }
    server.is_undisturbed();
    assert_eq!(links(&server.pull), 1);
}

#[test]
fn a_kind_that_does_not_exist_or_does_not_fit() {
    let _dog = watchdog(60);
    let server = server(|_| {});
    for kind in ["PULL", "SUB", "push", "NONSENSE", ""] {
        let (told, peer) = server.answer_to(&hello(kind));
        let blame = protocol_fault(&told).blame();
        assert!(
            matches!(blame, Blame::Incompatible | Blame::Malformed),
            "{kind}: {told:?}"
        );
        reads_end(peer);
    }
    server.is_undisturbed();
}

#[test]
fn a_frame_larger_than_allowed_ends_the_link_before_it_is_read() {
    let _dog = watchdog(60);
    let server = server(|o| o.max_message_size = Some(1000));
    for length in [1001_u64, 1 << 40, i64::MAX as u64, u64::MAX] {
        let mut monitor = server.pull.monitor();
        let mut peer = raw(&server.endpoint);
        let header = [&[2][..], &length.to_be_bytes()].concat();
        peer.write_all(&[&hello("PUSH")[..], &[0, 2, b'o', b'k'], &header, &[7; 100]].concat())
            .unwrap();
        assert_eq!(
            take(&server.pull, 1),
            ["ok"],
            "what came before is delivered"
        );
        server.is_undisturbed();
        let told = event(&mut monitor, |event| {
            matches!(event.kind, MonitorKind::Disconnected { .. })
        });
        let reason = disconnected(&told);
        assert!(
            reason.contains("1000") || length > i64::MAX as u64,
            "{length}: {reason}"
        );
        reads_end(peer);
    }
    server.is_undisturbed();
}

#[test]
fn a_frame_as_large_as_allowed_passes() {
    let _dog = watchdog(60);
    let server = server(|o| o.max_message_size = Some(1000));
    server.honest.blocking_send(vec![1; 1000]).unwrap();
    assert_eq!(server.pull.blocking_recv().unwrap().byte_len(), 1000);
    server
        .honest
        .blocking_send(parts([&[2; 1000], &[3; 1000]]))
        .unwrap();
    assert_eq!(
        server.pull.blocking_recv().unwrap().byte_len(),
        2000,
        "the limit is one of frames"
    );
    server.is_undisturbed();
}

#[test]
fn broken_frames_and_commands() {
    let _dog = watchdog(60);
    let server = server(|_| {});
    for broken in [
        // Reserved flags; a command of more than one frame; a command without a name, or with half of one.
        &[0xf8, 1, 0][..],
        &[0x05, 2, 1, b'X'],
        &[0x04, 0],
        &[0x04, 3, 9, b'P', b'I'],
        // A PING too short for its time to live.
        &[0x04, 6, 4, b'P', b'I', b'N', b'G', 0],
    ] {
        let (told, peer) = server.answer_to(&[&hello("PUSH")[..], broken].concat());
        let reason = disconnected(&told);
        assert!(
            !reason.contains("closed the connection"),
            "{broken:?}: {reason}"
        );
        reads_end(peer);
    }
    server.is_undisturbed();
}

#[test]
fn a_command_that_is_cut_off_by_the_end_of_the_connection() {
    let _dog = watchdog(60);
    let server = server(|_| {});
    for cut in [
        &[0x04][..],
        &[0x04, 8, 4, b'P'],
        &[0x06, 0, 0, 0],
        &[0, 200, 1, 2, 3],
        &[1, 1, b'a'],
    ] {
        let mut monitor = server.pull.monitor();
        let mut peer = raw(&server.endpoint);
        peer.write_all(&[&hello("PUSH")[..], cut].concat()).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let told = event(&mut monitor, |event| {
            matches!(event.kind, MonitorKind::Disconnected { .. })
        });
        assert_eq!(disconnected(&told), "the peer closed the connection");
        reads_end(peer);
    }
    server.is_undisturbed();
    assert_eq!(
        server.pull.stats().messages_in,
        10,
        "no part of a message was delivered"
    );
}

#[test]
fn an_unknown_command_is_ignored() {
    let _dog = watchdog(60);
    let server = server(|_| {});
    let mut peer = raw(&server.endpoint);
    peer.write_all(&[&hello("PUSH")[..], b"\x04\x04\x03NEW", &[0, 2, b'o', b'k']].concat())
        .unwrap();
    assert_eq!(take(&server.pull, 1), ["ok"]);
    server.is_undisturbed();
}

#[test]
fn an_error_command_ends_the_link_with_its_words() {
    let _dog = watchdog(60);
    let server = server(|_| {});
    let (told, _peer) =
        server.answer_to(&[&hello("PUSH")[..], b"\x04\x0b\x05ERROR\x04full"].concat());
    assert!(disconnected(&told).contains("full"), "{told:?}");
    server.is_undisturbed();
}

#[test]
fn a_peer_that_sends_one_byte_at_a_time() {
    let _dog = watchdog(60);
    let server = server(|_| {});
    let mut peer = raw(&server.endpoint);
    peer.set_nodelay(true).unwrap();
    let mut bytes = hello("PUSH");
    bytes.extend_from_slice(&[1, 1, b'a', 0, 2, b'b', b'c']);
    bytes.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0, 3, b'x', b'y', b'z']);
    let feeder = thread::spawn(move || {
        for byte in bytes {
            peer.write_all(&[byte]).unwrap();
            thread::yield_now();
        }
        peer
    });
    assert_eq!(server.pull.blocking_recv().unwrap(), parts([b"a", b"bc"]));
    assert_eq!(server.pull.blocking_recv().unwrap(), "xyz");
    server.is_undisturbed();
    drop(feeder.join().unwrap());
}

#[test]
fn a_peer_that_stops_reading_holds_up_only_itself() {
    let _dog = watchdog(60);
    let context = context();
    let publisher = Pub::with_options(&context, options(|o| o.send_hwm = 10)).unwrap();
    let sub = Sub::new(&context);
    sub.subscribe("").unwrap();
    let endpoint = marry(&publisher, &sub, "tcp://127.0.0.1:*");
    let mut deaf = raw(&endpoint);
    deaf.write_all(&[&hello("SUB")[..], b"\x04\x0a\x09SUBSCRIBE"].concat())
        .unwrap();
    assert!(publisher.blocking_wait_for_subscribers(2, None));
    let mut sent = 0;
    while publisher.stats().drops.get(DropReason::Watermark) < 50 {
        publisher.try_send(vec![1; 100_000]).unwrap();
        sent += 1;
        assert_eq!(sub.blocking_recv().unwrap().byte_len(), 100_000);
    }
    let stats = publisher.stats();
    let depths: Vec<_> = stats.peers.iter().map(|peer| peer.queued_out).collect();
    assert!(
        depths.iter().all(|depth| *depth <= 10),
        "{depths:?} after {sent}"
    );
    drop(deaf);
    until_links(&publisher, 1);
}

#[test]
fn a_thousand_peers_that_never_speak() {
    let _dog = watchdog(120);
    let server = server(|o| o.handshake_timeout = Some(200 * MS));
    let mut monitor = server.pull.monitor();
    // In portions: the system lets a process have no more than so many descriptors.
    for _ in 0..5 {
        let silent: Vec<_> = (0..200).map(|_| raw(&server.endpoint)).collect();
        server.is_undisturbed();
        let mut given_up = 0;
        while given_up < silent.len() {
            let told = event(&mut monitor, |event| {
                matches!(event.kind, MonitorKind::HandshakeFailed { .. })
            });
            let MonitorKind::HandshakeFailed {
                fault: HandshakeFault::NoDetail(reason),
            } = &told.kind
            else {
                panic!("{told:?}")
            };
            assert_eq!(reason, "the handshake took too long");
            given_up += 1;
        }
        silent.into_iter().for_each(reads_end);
    }
    server.is_undisturbed();
    assert_eq!(links(&server.pull), 1);
}

#[test]
fn a_server_that_speaks_nonsense_is_dialed_again_and_may_get_better() {
    let _dog = watchdog(60);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let context = context();
    let push = Push::with_options(&context, options(|o| o.reconnect_interval = Some(MS))).unwrap();
    push.connect(endpoint.as_str()).unwrap();
    push.try_send("kept").unwrap();
    for _ in 0..3 {
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        reads_end(peer);
    }
    drop(listener);
    let pull = Pull::new(&context);
    until(|| pull.bind(endpoint.as_str()).is_ok());
    assert_eq!(pull.blocking_recv().unwrap(), Message::from("kept"));
}
