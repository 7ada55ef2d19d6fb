//! What goes wrong only at the right moment: bytes that come just as the handshake ends, and commands that the kernel
//! does not take at once.
//!
//! The peer is a plain TCP stream here, because the moment has to be met exactly.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use taipan::SocketKind;
use taipan_interop::{PATIENCE, Peer, PeerOptions, TaipanPeer, Watchdog, frames};

/// Shakes hands as a socket of a kind, up to and with the peer's READY; says its own before.
fn shake(stream: &mut TcpStream, kind: &str) {
    let mut greeting = [0; 64];
    (greeting[0], greeting[9], greeting[10], greeting[11]) = (0xFF, 0x7F, 3, 1);
    greeting[12..16].copy_from_slice(b"NULL");
    stream.write_all(&greeting).expect("a greeting");
    let mut ready = b"\x05READY\x0BSocket-Type".to_vec();
    ready.extend((kind.len() as u32).to_be_bytes());
    ready.extend(kind.as_bytes());
    stream.write_all(&[4, ready.len() as u8]).expect("a header");
    stream.write_all(&ready).expect("a command");
    stream
        .read_exact(&mut greeting)
        .expect("the peer's greeting");
    let mut header = [0; 2];
    stream.read_exact(&mut header).expect("the peer's header");
    let mut theirs = vec![0; usize::from(header[1])];
    stream.read_exact(&mut theirs).expect("the peer's command");
    assert_eq!(&theirs[..6], b"\x05READY");
}

/// The bytes follow the peer's READY at once, after more and more idle turns.
fn at_the_end_of_the_handshake(ours: SocketKind, theirs: &str, bytes: &[u8], expected: &[u8]) {
    const ROUNDS: u32 = 400;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("an address"));
    for round in 0..ROUNDS {
        let mut taipan = TaipanPeer::new(&PeerOptions::new(ours));
        taipan.connect(&endpoint);
        std::thread::scope(|scope| {
            let peer = scope.spawn(|| {
                let (mut stream, _) = listener.accept().expect("a connection");
                stream.set_nodelay(true).expect("no delay");
                shake(&mut stream, theirs);
                (0..round * 20).for_each(|_| std::hint::spin_loop());
                stream.write_all(bytes).expect("sent");
                stream
            });
            let peers = taipan.socket().blocking_wait_for_peers(1, Some(PATIENCE));
            assert!(peers, "round {round}");
            assert_eq!(
                taipan.recv(PATIENCE),
                Some(frames([expected])),
                "round {round}"
            );
            drop(peer.join());
        });
    }
}

#[test]
fn a_subscription_at_the_end_of_the_handshake_is_told() {
    let _watchdog = Watchdog::for_test();
    let bytes = b"\x04\x0E\x09SUBSCRIBEnews";
    at_the_end_of_the_handshake(SocketKind::XPub, "SUB", bytes, b"\x01news");
}

#[test]
fn a_message_at_the_end_of_the_handshake_is_received() {
    let _watchdog = Watchdog::for_test();
    at_the_end_of_the_handshake(SocketKind::Pull, "PUSH", b"\x00\x05hello", b"hello");
}

/// A peer that does not read for a while gets every subscription in the end, though nobody calls the socket any more.
#[test]
fn subscriptions_that_the_kernel_did_not_take_go_out_later() {
    const COUNT: usize = 80_000;
    let topic = |number: usize| format!("{number:0240}").into_bytes();
    let _watchdog = Watchdog::for_test();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut taipan = TaipanPeer::new(&PeerOptions::new(SocketKind::Sub));
    taipan.connect(&format!(
        "tcp://{}",
        listener.local_addr().expect("an address")
    ));
    let (mut stream, _) = listener.accept().expect("a connection");
    shake(&mut stream, "XPUB");
    assert!(taipan.socket().blocking_wait_for_peers(1, Some(PATIENCE)));
    (0..COUNT).for_each(|number| taipan.subscribe(&topic(number)));
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut command = [0; 2 + 10 + 240];
    for number in 0..COUNT {
        if let Err(error) = stream.read_exact(&mut command) {
            panic!("subscription {number}: {error}");
        }
        assert_eq!(command[..12], *b"\x04\xFA\x09SUBSCRIBE");
        assert_eq!(command[12..], topic(number));
    }
}
