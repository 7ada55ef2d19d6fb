//! How much may wait for a peer: watermarks in messages and bytes, and the single slot of `conflate`.

mod common;

use std::thread;
use std::time::Duration;

use common::*;
use taipan::{DropReason, Message, Pull, Push, RecvError, SendErrorKind};

fn push_with(context: &taipan::Context, change: impl FnOnce(&mut taipan::Options)) -> Push {
    Push::with_options(context, options(change)).expect("options")
}

fn pull_with(context: &taipan::Context, change: impl FnOnce(&mut taipan::Options)) -> Pull {
    Pull::with_options(context, options(change)).expect("options")
}

#[test]
fn in_process_watermarks_add_up_and_open_again_after_half_is_read() {
    let _dog = watchdog(60);
    for early in [false, true] {
        let context = context();
        let push = push_with(&context, |o| o.send_hwm = 5);
        let pull = pull_with(&context, |o| o.recv_hwm = 5);
        let place = if early { marry_early } else { marry };
        place(&pull, &push, &inproc());
        let make = |at: usize| Message::from_frames([at.to_string(), "x".into(), "y".into()]);
        assert_eq!(fill(&push, make), 10, "whole messages count, not frames");
        for at in 0..4 {
            assert_eq!(pull.blocking_recv().unwrap(), make(at));
        }
        assert_eq!(
            push.try_send("no").unwrap_err().kind(),
            SendErrorKind::WouldBlock
        );
        assert_eq!(pull.blocking_recv().unwrap(), make(4));
        assert_eq!(fill(&push, |at| make(at + 10)), 5);
        for at in 5..15 {
            assert_eq!(pull.blocking_recv().unwrap(), make(at));
        }
    }
}

#[test]
fn the_default_watermark_in_process_is_two_thousand_messages() {
    let _dog = watchdog(60);
    let context = context();
    let (push, pull) = (Push::new(&context), Pull::new(&context));
    marry(&pull, &push, &inproc());
    assert_eq!(fill(&push, |at| Message::from(at.to_string())), 2000);
    assert_eq!(take(&pull, 2000), numbered(0, 2000));
}

#[test]
fn no_watermark_on_either_side_is_no_limit_in_process() {
    let _dog = watchdog(60);
    for (send_hwm, recv_hwm) in [(0, 5), (5, 0), (0, 0)] {
        let context = context();
        let push = push_with(&context, |o| o.send_hwm = send_hwm);
        let pull = pull_with(&context, |o| o.recv_hwm = recv_hwm);
        marry(&pull, &push, &inproc());
        for text in numbered(0, 5000) {
            push.try_send(text).unwrap();
        }
        assert_eq!(take(&pull, 5000), numbered(0, 5000));
    }
}

#[test]
fn a_peer_that_is_not_there_yet_fills_to_the_senders_watermark() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let push = push_with(&context, |o| {
            o.send_hwm = 3;
            o.linger = Some(Duration::ZERO);
        });
        push.connect(fixed(&address).as_str()).unwrap();
        assert_eq!(
            fill(&push, |at| Message::from(at.to_string())),
            3,
            "{address}"
        );
        assert_eq!(push.stats().queued_out, 3, "{address}");
    }
}

#[test]
fn a_full_link_blocks_and_goes_on_when_the_reader_does() {
    let _dog = watchdog(120);
    for address in streams() {
        let context = context();
        let push = push_with(&context, |o| o.send_hwm = 4);
        let pull = pull_with(&context, |o| o.recv_hwm = 4);
        marry(&pull, &push, &address);
        let make = |at: usize| Message::from_frames([at.to_string().into_bytes(), vec![7; 60_000]]);
        let accepted = fill(&push, make);
        assert!(accepted >= 4, "{address}: {accepted}");
        let sender = {
            let push = push.clone();
            thread::spawn(move || {
                (accepted..accepted + 200).for_each(|at| push.blocking_send(make(at)).unwrap())
            })
        };
        for at in 0..accepted + 200 {
            assert!(pull.blocking_recv().unwrap() == make(at), "{address}: {at}");
        }
        sender.join().unwrap();
        assert_eq!(push.stats().drops.total(), 0, "{address}");
    }
}

#[test]
fn bytes_are_a_watermark_of_their_own() {
    let _dog = watchdog(60);
    let context = context();
    let push = push_with(&context, |o| o.send_hwm_bytes = 1000);
    let pull = pull_with(&context, |o| o.recv_hwm_bytes = 1000);
    marry(&pull, &push, &inproc());
    assert_eq!(
        fill(&push, |_| Message::from(vec![1; 300])),
        7,
        "room while fewer than 2000 bytes wait"
    );
    for _ in 0..7 {
        assert_eq!(pull.blocking_recv().unwrap().byte_len(), 300);
    }
    push.try_send(vec![2; 100_000]).unwrap();
    assert_eq!(
        push.try_send("more").unwrap_err().kind(),
        SendErrorKind::WouldBlock
    );
    assert_eq!(
        pull.blocking_recv().unwrap().byte_len(),
        100_000,
        "one message always fits"
    );
}

#[test]
fn bytes_for_a_peer_that_is_not_there_yet_are_limited() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let push = push_with(&context, |o| {
            o.send_hwm_bytes = 1000;
            o.linger = Some(Duration::ZERO);
        });
        push.connect(fixed(&address).as_str()).unwrap();
        assert_eq!(fill(&push, |_| Message::from(vec![1; 300])), 4, "{address}");
        assert_eq!(push.stats().peers[0].queued_out_bytes, 1200, "{address}");
    }
}

#[test]
fn conflate_keeps_the_newest_message_for_a_peer_that_is_not_there_yet() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let push = push_with(&context, |o| o.conflate = true);
        let pull = pull_with(&context, |o| o.conflate = true);
        let address = fixed(&address);
        push.connect(address.as_str()).unwrap();
        for text in numbered(0, 5000) {
            push.try_send(text).unwrap();
        }
        assert_eq!(
            push.stats().drops.get(DropReason::Replaced),
            4999,
            "{address}"
        );
        pull.bind(address.as_str()).unwrap();
        assert_eq!(take(&pull, 1), ["4999"], "{address}");
        assert_eq!(pull.try_recv(), Err(RecvError::WouldBlock), "{address}");
    }
}

#[test]
fn conflate_never_waits_and_ends_with_the_newest() {
    let _dog = watchdog(120);
    for address in transports() {
        for send_hwm in [1, 1000] {
            let context = context();
            let push = push_with(&context, |o| {
                o.conflate = true;
                o.send_hwm = send_hwm;
            });
            let pull = pull_with(&context, |o| o.conflate = true);
            marry(&pull, &push, &address);
            for at in 0..300_u32 {
                let mut body = vec![0; 50_000];
                body[..4].copy_from_slice(&at.to_be_bytes());
                push.try_send(body).unwrap();
            }
            let mut last = None;
            while last != Some(299) {
                let got = pull.blocking_recv().unwrap();
                let number = u32::from_be_bytes(got.first()[..4].try_into().unwrap());
                assert!(last < Some(number), "{address}: {number} after {last:?}");
                last = Some(number);
            }
            let replaced = [push.stats(), pull.stats()]
                .map(|stats| stats.drops.get(DropReason::Replaced))
                .iter()
                .sum::<u64>();
            assert_eq!(
                pull.stats().messages_in + replaced,
                300,
                "{address}: received, or counted as replaced"
            );
        }
    }
}

#[test]
fn watermarks_changed_later_apply_to_peers_that_are_there() {
    let _dog = watchdog(60);
    let context = context();
    let push = push_with(&context, |o| o.send_hwm = 2);
    let pull = pull_with(&context, |o| o.recv_hwm = 2);
    marry(&pull, &push, &inproc());
    assert_eq!(fill(&push, |at| Message::from(at.to_string())), 4);
    push.update_options(|o| o.send_hwm = 6).unwrap();
    assert_eq!(fill(&push, |at| Message::from((at + 4).to_string())), 4);
    pull.update_options(|o| o.recv_hwm = 4).unwrap();
    assert_eq!(fill(&push, |at| Message::from((at + 8).to_string())), 2);
    assert_eq!(take(&pull, 10), numbered(0, 10));
}

#[test]
fn watermarks_changed_later_apply_to_peers_that_are_not_there_yet() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let push = push_with(&context, |o| {
            o.send_hwm = 2;
            o.linger = Some(Duration::ZERO);
        });
        push.connect(fixed(&address).as_str()).unwrap();
        assert_eq!(
            fill(&push, |at| Message::from(at.to_string())),
            2,
            "{address}"
        );
        push.update_options(|o| o.send_hwm = 5).unwrap();
        assert_eq!(
            fill(&push, |at| Message::from(at.to_string())),
            3,
            "{address}"
        );
    }
}
