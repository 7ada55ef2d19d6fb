//! A peer that is stopped for a while (SIGSTOP): given up and found again with heartbeats, waited for without.

use std::time::Duration;

use taipan::{Dealer, MonitorKind, Pull};

use crate::common::*;
use crate::process::Child;
use crate::rig::*;
use crate::script::{Script, noise, seed};

#[test]
fn without_heartbeats_a_stopped_sender_loses_nothing() {
    let _dog = watchdog(30);
    let (dir, context) = (Dir::new(), context());
    let script = Script {
        seed: seed(),
        most: 100_000,
    };
    let pull = Pull::with_options(&context, small(|_| ())).unwrap();
    let address = dir.address("socket");
    pull.bind(address.as_str()).unwrap();
    let child = Child::start(
        "pour",
        &[
            "push",
            &address,
            "1",
            "2000",
            &script.seed.to_string(),
            "100000",
            "copy",
        ],
    );
    for number in 0..2000 {
        if number % 250 == 100 {
            child.stop();
            // Some of its messages are there and some are not.
            pull.ready(taipan::Interest::READABLE);
            child.go_on();
        }
        script.check(0, number, &pull.blocking_recv().unwrap());
    }
    child.finish();
}

#[test]
fn with_heartbeats_a_stopped_peer_is_given_up_and_comes_back() {
    let _dog = watchdog(30);
    let (dir, context) = (Dir::new(), context());
    let options = small(|o| {
        o.heartbeat_interval = Some(Duration::from_millis(20));
        o.heartbeat_timeout = Some(Duration::from_millis(60));
        o.linger = Some(Duration::ZERO);
    });
    let dealer = Dealer::with_options(&context, options).unwrap();
    let mut monitor = dealer.monitor();
    let address = dir.address("socket");
    dealer.bind(address.as_str()).unwrap();
    let mut child = Child::start("echo", &["dealer", &address]);
    let mut held = Vec::new();
    for round in 0..3 {
        assert!(dealer.blocking_wait_for_peers(1, None));
        assert_shared(&dealer, 1);
        dealer.blocking_send(noise(30_000, round)).unwrap();
        let view = dealer.blocking_recv().unwrap();
        assert!(view == noise(30_000, round));
        held.push(view);
        child.stop();
        let end = event(&mut monitor, |event| {
            matches!(event.kind, MonitorKind::Disconnected { .. })
        });
        eprintln!("{:?}", end.kind);
        assert_eq!(dealer.peer_count(), 0);
        child.go_on();
    }
    for (round, view) in held.iter().enumerate() {
        assert!(*view == noise(30_000, round), "a view has changed");
    }
    child.tell("end");
    child.finish();
}
