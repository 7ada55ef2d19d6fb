//! Heartbeats under a clock that moves only when told.

use std::time::{Duration, Instant};

use super::{Pair, config, messages};
use crate::config::SocketKind;
use crate::zmtp::{Beat, Beats, Engine, Heartbeat, ProtocolError};

const SECOND: Duration = Duration::from_secs(1);

fn pair(interval: Option<Duration>, ttl: Option<Duration>) -> Pair {
    let beats = Beats {
        interval,
        ttl,
        timeout: None,
    };
    let mut pair = Pair::of(
        Engine::new(config(SocketKind::Push), beats),
        Engine::new(config(SocketKind::Pull), Beats::default()),
    );
    assert_eq!(pair.drive(1000), (None, None));
    pair
}

#[test]
fn a_ping_every_interval_is_answered_also_by_a_peer_without_heartbeat() {
    let mut pair = pair(Some(SECOND), Some(3 * SECOND));
    for _ in 0..5 {
        assert_eq!(pair.a.next_deadline(), Some(pair.now + SECOND));
        pair.now += SECOND;
        pair.a.poll(pair.now).unwrap();
        assert_eq!(pair.a.output(), b"\x04\x07\x04PING\0\x1e");
        carry_ping(&mut pair);
    }
}

fn carry_ping(pair: &mut Pair) {
    let ping = pair.a.output().to_vec();
    pair.a.consume_output(ping.len());
    pair.b.input(&ping, pair.now).unwrap();
    assert_eq!(pair.b.output(), b"\x04\x05\x04PONG");
    assert_eq!(pair.drive(1000), (None, None));
}

#[test]
fn silence_after_a_ping_kills_after_the_timeout() {
    let mut pair = pair(Some(SECOND), None);
    pair.a.poll(pair.now + SECOND).unwrap();
    assert_eq!(
        pair.a.poll(pair.now + 2 * SECOND),
        Err(ProtocolError::HeartbeatTimeout)
    );
    assert_eq!(
        pair.a.input(b"", pair.now),
        Err(ProtocolError::HeartbeatTimeout)
    );
}

#[test]
fn any_traffic_stops_the_timeout() {
    let mut pair = pair(Some(SECOND), None);
    pair.a.poll(pair.now + SECOND).unwrap();
    pair.a.input(b"\0\x01x", pair.now + SECOND).unwrap();
    assert_eq!(pair.a.poll(pair.now + 2 * SECOND), Ok(()));
    assert_eq!(messages(&mut pair.a), ["x"]);
}

#[test]
fn the_ttl_of_a_peer_is_enforced() {
    let mut pair = pair(Some(SECOND), Some(2 * SECOND));
    pair.now += SECOND;
    pair.a.poll(pair.now).unwrap();
    pair.drive(1000);
    assert_eq!(pair.b.next_deadline(), Some(pair.now + 2 * SECOND));
    let almost = pair.now + 2 * SECOND - Duration::from_millis(1);
    assert_eq!(pair.b.poll(almost), Ok(()));
    assert_eq!(
        pair.b.poll(pair.now + 2 * SECOND),
        Err(ProtocolError::TtlExpired)
    );
}

#[test]
fn nothing_is_due_without_an_interval() {
    let now = Instant::now();
    for interval in [None, Some(Duration::ZERO)] {
        let mut heartbeat = Heartbeat::new(interval, None, None, now);
        assert_eq!(heartbeat.next_deadline(), None);
        assert_eq!(heartbeat.poll(now + 1000 * SECOND), Beat::Idle);
    }
}

#[test]
fn a_promise_is_kept_below_what_libzmq_reads_wrong() {
    let heartbeat = Heartbeat::new(Some(SECOND), Some(Duration::MAX), None, Instant::now());
    assert_eq!(heartbeat.ttl(), Duration::from_secs(655));
}

#[test]
fn intervals_past_the_end_of_time_never_come() {
    let now = Instant::now();
    let mut heartbeat = Heartbeat::new(Some(Duration::MAX), None, None, now);
    heartbeat.on_ping(Duration::MAX, now);
    assert_eq!(heartbeat.next_deadline(), None);
    assert_eq!(heartbeat.poll(now), Beat::Idle);
}
