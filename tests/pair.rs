//! PAIR: two sockets and nobody else.

mod common;

use std::time::Duration;

use common::*;
use taipan::{Context, MonitorKind, Options, Pair, RecvError, SendErrorKind};

fn pair_with(context: &Context, change: impl FnOnce(&mut Options)) -> Pair {
    Pair::with_options(context, options(change)).expect("options")
}

#[test]
fn both_ends_send_and_receive_in_any_order() {
    let _dog = watchdog(60);
    for address in transports() {
        for place in [marry::<taipan::kind::Pair, taipan::kind::Pair>, marry_early] {
            let context = context();
            let (a, b) = (Pair::new(&context), Pair::new(&context));
            place(&a, &b, &address);
            for text in numbered(0, 20) {
                a.blocking_send(text.as_str()).unwrap();
                b.blocking_send(parts([b"two", b"frames"])).unwrap();
            }
            assert_eq!(take(&b, 20), numbered(0, 20), "{address}");
            for _ in 0..20 {
                assert_eq!(
                    a.blocking_recv().unwrap(),
                    parts([b"two", b"frames"]),
                    "{address}"
                );
            }
        }
    }
}

#[test]
fn without_a_peer_sending_blocks() {
    let context = context();
    for address in transports() {
        let pair = Pair::new(&context);
        pair.bind(address.as_str()).unwrap();
        let refused = pair.try_send("nobody").unwrap_err();
        assert_eq!(
            (refused.kind(), refused.into_message()),
            (SendErrorKind::WouldBlock, "nobody".into())
        );
        assert_eq!(pair.try_recv(), Err(RecvError::WouldBlock));
    }
}

#[test]
fn at_the_watermark_sending_blocks() {
    let _dog = watchdog(60);
    let context = context();
    let a = pair_with(&context, |o| o.send_hwm = 3);
    let b = pair_with(&context, |o| o.recv_hwm = 4);
    marry(&a, &b, &inproc());
    assert_eq!(fill(&a, |at| at.to_string().into()), 7);
    assert_eq!(take(&b, 7), numbered(0, 7));
    assert_eq!(b.try_recv(), Err(RecvError::WouldBlock));
    assert_eq!(fill(&a, |at| at.to_string().into()), 7);
}

#[test]
fn a_second_peer_is_turned_away_and_the_first_is_not_disturbed() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (a, b) = (Pair::new(&context), Pair::new(&context));
        let second = pair_with(&context, |o| {
            o.linger = Some(Duration::ZERO);
            o.reconnect_interval = None;
        });
        let endpoint = marry(&a, &b, &address);
        let mut monitor = a.monitor();
        second.connect(endpoint).unwrap();
        if !address.starts_with("inproc") {
            let gone = event(&mut monitor, |e| {
                matches!(e.kind, MonitorKind::Disconnected { .. })
            });
            let reason = "a PAIR socket has a peer already".to_owned();
            assert_eq!(gone.kind, MonitorKind::Disconnected { reason }, "{address}");
        }
        until_links(&second, 0);
        assert_eq!(
            second.blocking_recv_timeout(Duration::from_millis(20)),
            Err(RecvError::TimedOut)
        );
        assert_eq!(links(&a), 1, "{address}");
        a.blocking_send("still").unwrap();
        b.blocking_send("here").unwrap();
        assert_eq!(
            (take(&b, 1).concat(), take(&a, 1).concat()),
            ("still".into(), "here".into())
        );
    }
}

#[test]
fn a_peer_that_was_turned_away_does_not_keep_its_runtime_busy() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (a, b, second) = (
            Pair::new(&context),
            Pair::new(&context),
            Pair::new(&context),
        );
        let endpoint = marry(&a, &b, &address);
        second.connect(endpoint).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let wait = tokio::time::timeout(Duration::from_millis(20), second.recv());
            assert!(wait.await.is_err(), "{address}");
        });
    }
}

#[test]
fn when_the_peer_has_left_the_next_may_come() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let a = Pair::new(&context);
        let endpoint = a.bind(address.as_str()).unwrap();
        for round in 0..5 {
            let b = Pair::new(&context);
            join(&a, &b, &endpoint);
            a.blocking_send(round.to_string()).unwrap();
            b.blocking_send(round.to_string()).unwrap();
            assert_eq!(take(&b, 1), numbered(round, 1), "{address}");
            assert_eq!(take(&a, 1), numbered(round, 1), "{address}");
            drop(b);
            until_links(&a, 0);
        }
    }
}

#[test]
fn a_turned_away_peer_of_a_stream_gets_its_turn_when_the_first_has_left() {
    let _dog = watchdog(60);
    for address in streams() {
        let context = context();
        let (a, first, second) = (
            Pair::new(&context),
            Pair::new(&context),
            Pair::new(&context),
        );
        second
            .update_options(|o| o.reconnect_interval = Some(Duration::from_millis(5)))
            .unwrap();
        let endpoint = marry(&a, &first, &address);
        second.connect(endpoint).unwrap();
        drop(first);
        second.blocking_send("my turn").unwrap();
        // What went to the link that was turned away is lost with it; a later one arrives.
        until(|| {
            let _ = second.try_send("again");
            a.try_recv().is_ok()
        });
    }
}
