//! What a peer sends in the moment in which the handshake ends: bytes that nobody announces any more.
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
