//! PUSH and PULL: whose turn it is, how much may wait, and what happens to a peer that is not there.

mod common;

use std::thread;
use std::time::Duration;

use common::*;
use taipan::{AnySocket, Message, Pull, Push, RecvError, SendErrorKind, SocketKind};

fn push_with(context: &taipan::Context, change: impl FnOnce(&mut taipan::Options)) -> Push {
    Push::with_options(context, options(change)).expect("options")
}

fn pull_with(context: &taipan::Context, change: impl FnOnce(&mut taipan::Options)) -> Pull {
    Pull::with_options(context, options(change)).expect("options")
}

#[test]
fn two_pulls_get_every_other_message_and_the_first_peer_the_first() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, first, second) = (
            Push::new(&context),
            Pull::new(&context),
            Pull::new(&context),
        );
        let endpoint = marry(&push, &first, &address);
        join(&push, &second, &endpoint);
        for text in numbered(0, 10) {
            push.blocking_send(text).unwrap();
        }
        assert_eq!(take(&first, 5), ["0", "2", "4", "6", "8"], "{address}");
        assert_eq!(take(&second, 5), ["1", "3", "5", "7", "9"], "{address}");
        assert_eq!(first.try_recv(), Err(RecvError::WouldBlock), "{address}");
    }
}

#[test]
fn two_pulls_that_are_connected_to_alternate_in_the_order_of_connecting() {
    let _dog = watchdog(60);
    for (one, other) in transports().into_iter().zip(transports()) {
        let context = context();
        let (push, first, second) = (
            Push::new(&context),
            Pull::new(&context),
            Pull::new(&context),
        );
        marry(&first, &push, &one);
        marry(&second, &push, &other);
        for text in numbered(0, 6) {
            push.blocking_send(text).unwrap();
        }
        assert_eq!(take(&first, 3), ["0", "2", "4"], "{one}");
        assert_eq!(take(&second, 3), ["1", "3", "5"], "{one}");
    }
}

#[test]
fn a_push_that_connects_before_the_pull_binds_loses_nothing() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        let address = fixed(&address);
        push.connect(address.as_str()).unwrap();
        for text in numbered(0, 100) {
            push.try_send(text).unwrap();
        }
        pull.bind(address.as_str()).unwrap();
        assert_eq!(take(&pull, 100), numbered(0, 100), "{address}");
    }
}

#[test]
fn a_message_keeps_its_frames_whatever_their_size() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        let sizes = [
            0, 1, 69, 70, 71, 255, 256, 4095, 4096, 8191, 8192, 65_535, 65_536, 3_000_000,
        ];
        let sent = Message::from_frames(sizes.map(|size| vec![size as u8; size]));
        push.blocking_send(sent.clone()).unwrap();
        push.blocking_send(Message::new()).unwrap();
        assert!(pull.blocking_recv().unwrap() == sent, "{address}");
        assert_eq!(pull.blocking_recv().unwrap(), Message::new(), "{address}");
    }
}

#[test]
fn a_pull_takes_one_message_a_turn_from_each_push_that_has_some() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (pull, a, b) = (
            Pull::new(&context),
            Push::new(&context),
            Push::new(&context),
        );
        let endpoint = marry(&pull, &a, &address);
        join(&pull, &b, &endpoint);
        let mut fair = 0;
        for _ in 0..20 {
            a.blocking_send_many(["a"; 5]).unwrap();
            b.blocking_send_many(["b"; 2]).unwrap();
            until(|| a.flush() + b.flush() == 0);
            let mut got = take(&pull, 7);
            fair += usize::from(["ababaaa", "babaaaa"].contains(&got.concat().as_str()));
            got.sort();
            assert_eq!(got.concat(), "aaaaabb", "{address}");
        }
        // The kernel may take its time with what is under way, but not with all of it.
        assert!(
            fair > 0 && (fair == 20 || !address.starts_with("inproc")),
            "{address}: {fair}"
        );
    }
}

#[test]
fn a_full_peer_is_passed_over() {
    let _dog = watchdog(60);
    let context = context();
    let push = push_with(&context, |o| o.send_hwm = 1);
    let (full, reading) = (
        pull_with(&context, |o| o.recv_hwm = 1),
        pull_with(&context, |o| o.recv_hwm = 0),
    );
    marry(&full, &push, &inproc());
    marry(&reading, &push, &inproc());
    for text in numbered(0, 20) {
        push.try_send(text).unwrap();
    }
    assert_eq!(take(&full, 2), ["0", "2"]);
    let rest: Vec<_> = numbered(0, 20)
        .into_iter()
        .filter(|text| text != "0" && text != "2")
        .collect();
    assert_eq!(take(&reading, 18), rest);
}

#[test]
fn a_dead_endpoint_takes_its_share() {
    let _dog = watchdog(60);
    for (dead, live) in transports().into_iter().zip(transports()) {
        let context = context();
        let push = push_with(&context, |o| o.linger = Some(Duration::ZERO));
        let pull = Pull::new(&context);
        push.connect(fixed(&dead).as_str()).unwrap();
        marry(&pull, &push, &live);
        for text in numbered(0, 10) {
            push.try_send(text).unwrap();
        }
        assert_eq!(take(&pull, 5), ["1", "3", "5", "7", "9"], "{dead}");
        assert_eq!(pull.try_recv(), Err(RecvError::WouldBlock), "{dead}");
        assert_eq!(push.stats().queued_out, 5, "{dead}");
    }
}

#[test]
fn with_immediate_only_live_peers_count() {
    let _dog = watchdog(60);
    for (dead, live) in transports().into_iter().zip(transports()) {
        let context = context();
        let push = push_with(&context, |o| o.immediate = true);
        let pull = Pull::new(&context);
        push.connect(fixed(&dead).as_str()).unwrap();
        let refused = push.try_send("early").unwrap_err();
        assert_eq!(refused.kind(), SendErrorKind::WouldBlock, "{dead}");
        assert_eq!(refused.into_message(), "early");
        marry(&pull, &push, &live);
        for text in numbered(0, 10) {
            push.try_send(text).unwrap();
        }
        assert_eq!(take(&pull, 10), numbered(0, 10), "{live}");
        drop(pull);
        until_links(&push, 0);
        assert_eq!(
            push.try_send("late").unwrap_err().kind(),
            SendErrorKind::WouldBlock,
            "{live}"
        );
    }
}

#[test]
fn with_immediate_a_peer_that_comes_back_is_served_again() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let push = push_with(&context, |o| o.immediate = true);
        let pull = Pull::new(&context);
        let endpoint = marry(&pull, &push, &fixed(&address));
        push.blocking_send("one").unwrap();
        assert_eq!(take(&pull, 1), ["one"], "{address}");
        drop(pull);
        until_links(&push, 0);
        let again = Pull::new(&context);
        again.bind(endpoint.clone()).unwrap();
        assert!(push.blocking_wait_for_peers(1, None));
        push.blocking_send("two").unwrap();
        assert_eq!(take(&again, 1), ["two"], "{address}");
        // The endpoint is still the one that was connected, and nothing else.
        push.disconnect(&endpoint).unwrap();
        until_links(&again, 0);
    }
}

#[test]
fn what_a_kind_cannot_do_is_an_error() {
    let context = context();
    let any = |kind| AnySocket::of(&context, kind, options(|_| {})).unwrap();
    let error = any(SocketKind::Pull).try_send("no").unwrap_err();
    assert_eq!(
        error.kind(),
        SendErrorKind::Invalid("a PULL socket cannot send")
    );
    assert_eq!(error.into_message(), "no");
    assert_eq!(any(SocketKind::Push).try_recv(), Err(RecvError::State));
}

#[test]
fn without_a_peer_sending_blocks_until_one_comes() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        let endpoint = push.bind(address.as_str()).unwrap();
        assert_eq!(
            push.try_send("no").unwrap_err().kind(),
            SendErrorKind::WouldBlock,
            "{address}"
        );
        let sender = {
            let push = push.clone();
            thread::spawn(move || push.blocking_send("yes"))
        };
        pull.connect(endpoint).unwrap();
        assert_eq!(take(&pull, 1), ["yes"], "{address}");
        sender.join().unwrap().unwrap();
    }
}
