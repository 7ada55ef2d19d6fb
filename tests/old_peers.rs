//! Peers of ZMTP 3.0, by hand: what the newer protocol has must not be asked of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use taipan::{Context, MonitorKind, Options, Pull};

/// A silent 3.0 peer was taken for dead, because it does not answer a PING that it cannot be sent.
#[test]
fn a_silent_peer_without_heartbeats_was_taken_for_dead() {
    let context = Context::new();
    let mut options = Options::default();
    options.heartbeat_interval = Some(Duration::from_millis(10));
    let pull = Pull::with_options(&context, options).expect("options");
    let mut monitor = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*").expect("bind").to_string();

    let mut peer = TcpStream::connect(endpoint.trim_start_matches("tcp://")).expect("connect");
    let mut hello = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0];
    hello.extend_from_slice(b"NULL");
    hello.resize(64, 0);
    hello.extend_from_slice(b"\x04\x1a\x05READY\x0bSocket-Type\x00\x00\x00\x04PUSH");
    peer.write_all(&hello).expect("write");
    assert!(pull.blocking_wait_for_peers(1, Some(Duration::from_secs(20))));

    // The peer's own clock: thirty intervals in which it says nothing. Only greeting and READY come, no PING.
    peer.set_read_timeout(Some(Duration::from_millis(300)))
        .expect("timeout");
    let mut heard = Vec::new();
    let quiet = peer
        .read_to_end(&mut heard)
        .expect_err("the connection stays open");
    assert!(
        matches!(
            quiet.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        ),
        "{quiet}"
    );
    assert!(
        !heard.windows(4).any(|window| window == b"PING"),
        "{heard:?}"
    );

    peer.write_all(b"\x00\x05still").expect("write");
    let message = pull
        .blocking_recv_timeout(Duration::from_secs(20))
        .expect("a message");
    assert_eq!(message, "still");
    while let Ok(event) = monitor.try_recv() {
        assert!(
            !matches!(event.kind, MonitorKind::Disconnected { .. }),
            "{event}"
        );
    }
}
