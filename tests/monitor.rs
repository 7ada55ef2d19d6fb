//! What a monitor tells, in which order, and whether the counters add up.

mod common;

use std::time::Duration;

use common::*;
use taipan::{
    Context, DropReason, HandshakeFault, Monitor, MonitorError, MonitorKind, Options, Pull, Push,
    Rep, Security, SocketKind,
};

fn push_with(context: &Context, change: impl FnOnce(&mut Options)) -> Push {
    Push::with_options(context, options(change)).expect("options")
}

/// The numbers of the next so many events, of those that every transport has.
fn numbers(monitor: &mut Monitor, count: usize) -> Vec<u32> {
    std::iter::repeat_with(|| monitor.blocking_recv().expect("an event").kind)
        .filter(|kind| !matches!(kind, MonitorKind::SharedMemory { .. }))
        .map(|kind| kind.number())
        .take(count)
        .collect()
}

const CONNECTED: u32 = 0x1;
const DELAYED: u32 = 0x2;
const RETRIED: u32 = 0x4;
const LISTENING: u32 = 0x8;
const ACCEPTED: u32 = 0x20;
const CLOSED: u32 = 0x80;
const DISCONNECTED: u32 = 0x200;
const STOPPED: u32 = 0x400;
const SUCCEEDED: u32 = 0x1000;

#[test]
fn a_connection_is_told_from_its_beginning_to_its_end() {
    let _dog = watchdog(60);
    for address in streams() {
        let context = context();
        let (pull, push) = (Pull::new(&context), Push::new(&context));
        let (mut server, mut client) = (pull.monitor(), push.monitor());
        let endpoint = marry(&pull, &push, &address);
        assert_eq!(
            numbers(&mut client, 3),
            [DELAYED, CONNECTED, SUCCEEDED],
            "{address}"
        );
        assert_eq!(
            numbers(&mut server, 3),
            [LISTENING, ACCEPTED, SUCCEEDED],
            "{address}"
        );
        drop(pull);
        let mut last = numbers(&mut server, 2);
        if last == [CLOSED, DISCONNECTED] {
            last.extend(numbers(&mut server, 1));
        }
        assert_eq!(
            (last[0], last.last()),
            (CLOSED, Some(&STOPPED)),
            "{address}: {last:?}"
        );
        assert_eq!(
            server.blocking_recv(),
            Err(MonitorError::Closed),
            "{address}"
        );
        assert_eq!(
            numbers(&mut client, 2),
            [DISCONNECTED, RETRIED],
            "{address}"
        );
        push.disconnect(&endpoint).unwrap();
        event(&mut client, |event| event.kind.number() == CLOSED);
        push.close();
        event(&mut client, |event| event.kind.number() == STOPPED);
        assert_eq!(client.try_recv(), Err(MonitorError::Closed), "{address}");
    }
}

#[test]
fn events_name_the_endpoint_and_the_peer() {
    let _dog = watchdog(60);
    let context = context();
    let (pull, push) = (Pull::new(&context), Push::new(&context));
    let mut monitor = pull.monitor();
    let endpoint = marry(&pull, &push, "tcp://127.0.0.1:*");
    let listening = monitor.blocking_recv().unwrap();
    assert_eq!(
        (listening.endpoint.as_str(), listening.peer),
        (endpoint.to_string().as_str(), None)
    );
    let accepted = monitor.blocking_recv().unwrap();
    let peer = accepted.peer.unwrap();
    assert!(peer.starts_with("127.0.0.1:"), "{peer}");
    assert_eq!(
        monitor.blocking_recv().unwrap().peer.as_deref(),
        Some(peer.as_str())
    );
    drop(push);
    let gone = monitor.blocking_recv().unwrap();
    assert_eq!(gone.peer.as_deref(), Some(peer.as_str()));
    assert_eq!(
        gone.kind,
        MonitorKind::Disconnected {
            reason: "the peer closed the connection".into()
        }
    );
}

#[test]
fn a_refused_connection_is_retried_with_a_growing_pause_until_told_to_stop() {
    let _dog = watchdog(60);
    let context = context();
    let push = push_with(&context, |o| {
        o.reconnect_interval = Some(Duration::from_millis(4));
        o.reconnect_max = Some(Duration::from_millis(16));
    });
    let mut monitor = push.monitor();
    push.connect(fixed("tcp://127.0.0.1:*").as_str()).unwrap();
    let mut pauses = Vec::new();
    for _ in 0..4 {
        assert_eq!(
            monitor.blocking_recv().unwrap().kind,
            MonitorKind::ConnectDelayed
        );
        match monitor.blocking_recv().unwrap().kind {
            MonitorKind::ConnectRetried { interval, reason } => {
                assert!(reason.contains("refused"), "{reason}");
                pauses.push(interval);
            }
            other => panic!("{other:?}"),
        }
    }
    for (pause, most) in pauses.into_iter().zip([4, 8, 16, 16]) {
        let most = Duration::from_millis(most);
        assert!(
            pause <= most && pause >= most * 3 / 4,
            "{pause:?} of {most:?}"
        );
    }
    push.update_options(|o| o.reconnect_stop.conn_refused = true)
        .unwrap();
    event(&mut monitor, |event| event.kind.number() == CLOSED);
    assert_eq!(push.stats().peers, []);
}

#[test]
fn without_an_interval_a_lost_connection_is_not_dialed_again() {
    let _dog = watchdog(60);
    for address in streams() {
        let context = context();
        let pull = Pull::new(&context);
        let push = push_with(&context, |o| o.reconnect_interval = None);
        let mut monitor = push.monitor();
        marry(&pull, &push, &address);
        drop(pull);
        let seen = numbers(&mut monitor, 5);
        assert_eq!(
            seen,
            [DELAYED, CONNECTED, SUCCEEDED, DISCONNECTED, CLOSED],
            "{address}"
        );
        assert_eq!(push.stats().peers, [], "{address}");
    }
}

#[test]
fn a_failed_handshake_says_whose_fault_it_is() {
    let _dog = watchdog(60);
    for address in streams() {
        let context = context();
        let (rep, push) = (
            Rep::new(&context),
            push_with(&context, |o| o.reconnect_interval = None),
        );
        let (mut server, mut client) = (rep.monitor(), push.monitor());
        push.connect(rep.bind(address.as_str()).unwrap()).unwrap();
        for monitor in [&mut server, &mut client] {
            let failed = event(monitor, |event| {
                matches!(event.kind, MonitorKind::HandshakeFailed { .. })
            });
            let MonitorKind::HandshakeFailed {
                fault: HandshakeFault::Protocol(error),
            } = &failed.kind
            else {
                panic!("{failed:?}")
            };
            assert_eq!(
                (failed.kind.number(), error.blame()),
                (0x2000, taipan::Blame::Incompatible),
                "{address}"
            );
        }
    }
}

#[test]
fn mechanisms_that_differ_fail_the_handshake() {
    let _dog = watchdog(60);
    let context = context();
    let pull = Pull::new(&context);
    let push = push_with(&context, |o| {
        o.security = Security::PlainClient {
            username: "u".into(),
            password: "p".into(),
        };
        o.reconnect_interval = None;
    });
    let mut client = push.monitor();
    push.connect(pull.bind("tcp://127.0.0.1:*").unwrap())
        .unwrap();
    let failed = event(&mut client, |event| {
        matches!(event.kind, MonitorKind::HandshakeFailed { .. })
    });
    assert_eq!(failed.kind.number(), 0x2000, "{failed:?}");
    event(&mut client, |event| event.kind.number() == CLOSED);
}

#[test]
fn a_bind_that_fails_is_told() {
    let context = context();
    let (first, second) = (Pull::new(&context), Pull::new(&context));
    let endpoint = first.bind("tcp://127.0.0.1:*").unwrap();
    let mut monitor = second.monitor();
    second.bind(endpoint.clone()).unwrap_err();
    let told = monitor.try_recv().unwrap();
    assert_eq!(
        (told.endpoint, told.kind.number()),
        (endpoint.to_string(), 0x10)
    );
    first.unbind(&endpoint).unwrap();
    second.bind(endpoint).unwrap();
    assert_eq!(monitor.try_recv().unwrap().kind, MonitorKind::Listening);
}

#[test]
fn every_monitor_hears_everything_from_its_creation_on() {
    let _dog = watchdog(60);
    let context = context();
    let pull = Pull::new(&context);
    let mut early = pull.monitor();
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let mut late = pull.monitor();
    assert_eq!(late.try_recv(), Err(MonitorError::Empty));
    pull.close();
    assert_eq!(numbers(&mut early, 3), [LISTENING, CLOSED, STOPPED]);
    assert_eq!(numbers(&mut late, 2), [CLOSED, STOPPED]);
}

#[test]
fn an_in_process_link_tells_nothing() {
    let context = context();
    let (pull, push) = (Pull::new(&context), Push::new(&context));
    let mut monitor = pull.monitor();
    let endpoint = marry(&pull, &push, &inproc());
    push.disconnect(&endpoint).unwrap();
    until_links(&pull, 0);
    pull.unbind(&endpoint).unwrap();
    assert_eq!(monitor.try_recv(), Err(MonitorError::Empty));
}

#[test]
fn what_one_side_counts_out_the_other_counts_in() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (pull, push) = (Pull::new(&context), Push::new(&context));
        marry(&pull, &push, &address);
        for at in 0..100_usize {
            push.blocking_send(parts([&vec![1; at], b"two"])).unwrap();
        }
        (0..100).for_each(|_| drop(pull.blocking_recv().unwrap()));
        let (out, into) = (push.stats(), pull.stats());
        let bytes = 99 * 100 / 2 + 300;
        assert_eq!(
            (out.messages_out, out.bytes_out, out.messages_in),
            (100, bytes, 0),
            "{address}"
        );
        assert_eq!(
            (into.messages_in, into.bytes_in, into.messages_out),
            (100, bytes, 0),
            "{address}"
        );
        assert_eq!((out.drops.total(), into.drops.total()), (0, 0), "{address}");
        assert_eq!(
            (out.peers[0].messages_out, into.peers[0].bytes_in),
            (100, bytes),
            "{address}"
        );
        assert_eq!(
            (out.peers[0].kind, into.peers[0].kind),
            (Some(SocketKind::Pull), Some(SocketKind::Push))
        );
        until(|| push.flush() == 0);
        assert_eq!(push.stats().queued_out, 0, "{address}");
    }
}

#[test]
fn counters_outlive_the_peers_they_were_counted_on() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let pull = Pull::new(&context);
        let endpoint = pull.bind(address.as_str()).unwrap();
        for round in 1..=3 {
            let push = Push::new(&context);
            push.connect(endpoint.clone()).unwrap();
            push.blocking_send("12345").unwrap();
            assert_eq!(take(&pull, 1), ["12345"]);
            drop(push);
            until_links(&pull, 0);
            let stats = pull.stats();
            assert_eq!(
                (stats.messages_in, stats.bytes_in, stats.peers.len()),
                (round, round * 5, 0),
                "{address}"
            );
        }
    }
}

#[test]
fn messages_that_a_leaving_peer_never_read_are_counted() {
    let _dog = watchdog(60);
    let context = context();
    let (pull, push) = (Pull::new(&context), Push::new(&context));
    marry(&push, &pull, &inproc());
    for text in numbered(0, 10) {
        push.try_send(text).unwrap();
    }
    assert_eq!(take(&pull, 3), numbered(0, 3));
    drop(pull);
    until_links(&push, 0);
    assert_eq!(push.stats().drops.get(DropReason::LinkLost), 7);
}
