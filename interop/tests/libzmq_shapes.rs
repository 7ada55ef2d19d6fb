//! Messages of every shape, between taipan and libzmq, in both directions: many frames, empty ones, every length at
//! which an encoding changes, 64 MiB; more messages than the queues hold, and messages beyond the limit.

mod common;

use common::LibzmqPeer;
use taipan::{MonitorKind, SendErrorKind, SocketKind};
use taipan_interop::{
    Frames, PATIENCE, Peer, PeerOptions, TaipanPeer, Watchdog, Wire, fresh_endpoint,
};

/// A pipeline over each wire: from taipan to libzmq and from libzmq to taipan.
fn pipelines(mut test: impl FnMut(&mut dyn Peer, &mut dyn Peer)) {
    let (push, pull) = (
        PeerOptions::new(SocketKind::Push),
        PeerOptions::new(SocketKind::Pull),
    );
    for wire in Wire::ALL {
        marry(
            wire,
            TaipanPeer::new(&push),
            LibzmqPeer::new(&pull),
            &mut test,
        );
        marry(
            wire,
            LibzmqPeer::new(&push),
            TaipanPeer::new(&pull),
            &mut test,
        );
    }
}

fn marry(
    wire: Wire,
    mut from: impl Peer,
    mut to: impl Peer,
    test: &mut impl FnMut(&mut dyn Peer, &mut dyn Peer),
) {
    let endpoint = to.bind(&fresh_endpoint(wire));
    from.connect(&endpoint);
    test(&mut from, &mut to);
}

/// Bytes that differ from place to place, so that a piece out of place is seen.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at ^ at >> 8 ^ at >> 16) as u8).collect()
}

/// Compares without printing megabytes.
fn assert_same(found: &Frames, expected: &Frames) {
    let lengths = |frames: &Frames| frames.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(found), lengths(expected), "lengths of the frames");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let wrong = found
            .iter()
            .zip(expected)
            .position(|(found, expected)| found != expected);
        assert_eq!(wrong, None, "the first wrong byte of frame {at}");
    }
}

fn pass(from: &mut dyn Peer, to: &mut dyn Peer, messages: &[Frames]) {
    for message in messages {
        assert_eq!(from.send(message), Ok(()));
    }
    for message in messages {
        assert_same(&to.recv(PATIENCE).expect("a message"), message);
    }
}

#[test]
fn up_to_a_thousand_frames() {
    let _watchdog = Watchdog::for_test();
    let messages: Vec<Frames> = [1, 2, 3, 10, 255, 256, 999, 1000]
        .map(|count| (0..count).map(|frame| pattern(frame % 300)).collect())
        .into();
    pipelines(|from, to| pass(from, to, &messages));
}

#[test]
fn a_thousand_frames_of_the_lengths_around_the_short_form() {
    let _watchdog = Watchdog::for_test();
    let message: Frames = (0..1000)
        .map(|frame| pattern([0, 255, 256][frame % 3]))
        .collect();
    pipelines(|from, to| pass(from, to, &vec![message.clone(); 20]));
}

#[test]
fn empty_frames_at_every_place() {
    let _watchdog = Watchdog::for_test();
    let (none, some) = (Vec::new(), b"x".to_vec());
    let messages: Vec<Frames> = (0..16)
        .map(|bits| {
            (0..4)
                .map(|at| {
                    if bits >> at & 1 == 1 {
                        some.clone()
                    } else {
                        none.clone()
                    }
                })
                .collect()
        })
        .chain([vec![none.clone()], vec![none.clone(); 1000]])
        .collect();
    pipelines(|from, to| pass(from, to, &messages));
}

#[test]
fn every_length_at_which_something_changes() {
    let _watchdog = Watchdog::for_test();
    // Frames in place, the short form, exact copies, zero copy, bodies with memory of their own, read buffers.
    let turns = [0, 33, 70, 255, 4096, 8192, 16384, 65536, 262_144, 1 << 20];
    let mut messages = Vec::new();
    for turn in turns {
        for len in [usize::saturating_sub(turn, 1), turn, turn + 1, turn + 9] {
            messages.push(vec![pattern(len)]);
            messages.push(vec![
                pattern(len),
                Vec::new(),
                pattern(len),
                b"end".to_vec(),
            ]);
        }
    }
    pipelines(|from, to| pass(from, to, &messages));
}

#[test]
fn sixty_four_mebibytes() {
    let _watchdog = Watchdog::for_test();
    let large = pattern(64 << 20);
    let messages = vec![
        vec![b"before".to_vec()],
        vec![large.clone()],
        vec![b"between".to_vec(), large, Vec::new()],
        vec![b"after".to_vec()],
    ];
    pipelines(|from, to| pass(from, to, &messages));
}

#[test]
fn a_flood_in_order() {
    const COUNT: u32 = 100_000;
    let _watchdog = Watchdog::for_test();
    let (push, pull) = (
        PeerOptions::new(SocketKind::Push),
        PeerOptions::new(SocketKind::Pull),
    );
    fn flood(mut from: impl Peer + Send, mut to: impl Peer + Send) {
        let endpoint = to.bind(&fresh_endpoint(Wire::Tcp));
        from.connect(&endpoint);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..COUNT {
                    let message = [
                        number.to_be_bytes().to_vec(),
                        pattern(number as usize % 200),
                    ];
                    assert_eq!(from.send(&message), Ok(()));
                }
                // Lives until the other side has read everything.
                from
            });
            for number in 0..COUNT {
                let message = to.recv(PATIENCE).expect("a message");
                assert_eq!(
                    message,
                    [
                        number.to_be_bytes().to_vec(),
                        pattern(number as usize % 200)
                    ]
                );
            }
        });
    }
    flood(TaipanPeer::new(&push), LibzmqPeer::new(&pull));
    flood(LibzmqPeer::new(&push), TaipanPeer::new(&pull));
}

/// A receiver that does not read stops the sender; nothing is lost, and both go on.
#[test]
fn full_queues_hold_the_sender_and_lose_nothing() {
    let _watchdog = Watchdog::for_test();
    let body = pattern(10_000);
    let few = |options: &mut taipan::Options| (options.send_hwm, options.recv_hwm) = (10, 10);

    let mut push = TaipanPeer::with(&PeerOptions::new(SocketKind::Push), few);
    let mut pull = LibzmqPeer::new(&PeerOptions::new(SocketKind::Pull));
    pull.socket.set_rcvhwm(10).expect("a watermark");
    push.connect(&pull.bind(&fresh_endpoint(Wire::Tcp)));
    assert!(push.socket().blocking_wait_for_peers(1, Some(PATIENCE)));
    let timeout = std::time::Duration::from_millis(200);
    let mut sent = 0_u32;
    let refused = loop {
        let message = taipan::Message::from_frames([sent.to_be_bytes().to_vec(), body.clone()]);
        match push.socket().blocking_send_timeout(message, timeout) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), SendErrorKind::TimedOut);
    assert_eq!(
        refused.message().frame_count(),
        2,
        "the message comes back whole"
    );
    for number in 0..sent {
        assert_eq!(
            pull.recv(PATIENCE),
            Some(vec![number.to_be_bytes().to_vec(), body.clone()])
        );
    }
    assert_eq!(push.send(&[b"on".to_vec()]), Ok(()));
    assert_eq!(pull.recv(PATIENCE), Some(vec![b"on".to_vec()]));

    let mut pull = TaipanPeer::with(&PeerOptions::new(SocketKind::Pull), few);
    let mut push = LibzmqPeer::new(&PeerOptions::new(SocketKind::Push));
    push.socket.set_sndhwm(10).expect("a watermark");
    push.socket.set_sndtimeo(200).expect("a timeout");
    push.connect(&pull.bind(&fresh_endpoint(Wire::Tcp)));
    let mut sent = 0_u32;
    while push
        .send(&[sent.to_be_bytes().to_vec(), body.clone()])
        .is_ok()
    {
        sent += 1;
        assert!(sent < 1_000_000, "nothing holds the sender");
    }
    for number in 0..sent {
        assert_eq!(
            pull.recv(PATIENCE),
            Some(vec![number.to_be_bytes().to_vec(), body.clone()])
        );
    }
    assert_eq!(push.send(&[b"on".to_vec()]), Ok(()));
    assert_eq!(pull.recv(PATIENCE), Some(vec![b"on".to_vec()]));
}

/// A frame over the limit ends the connection, with the cause; one at the limit passes.
#[test]
fn frames_beyond_the_limit_end_the_connection() {
    let _watchdog = Watchdog::for_test();
    for wire in Wire::ALL {
        let limit = |options: &mut taipan::Options| options.max_message_size = Some(1000);
        let mut pull = TaipanPeer::with(&PeerOptions::new(SocketKind::Pull), limit);
        let mut push = LibzmqPeer::new(&PeerOptions::new(SocketKind::Push));
        push.connect(&pull.bind(&fresh_endpoint(wire)));
        let mut monitor = pull.socket().monitor();
        let fits = vec![pattern(1000), pattern(1000)];
        pass(&mut push, &mut pull, std::slice::from_ref(&fits));
        assert_eq!(push.send(&[b"lost".to_vec(), pattern(1001)]), Ok(()));
        let reason = loop {
            // A socket reads while it is asked to.
            assert_eq!(pull.recv(std::time::Duration::from_millis(10)), None);
            if let Ok(event) = monitor.try_recv()
                && let MonitorKind::Disconnected { reason } = event.kind
            {
                break reason;
            }
        };
        assert_eq!(reason, "a frame of 1001 bytes passes the limit of 1000");
        // libzmq connects again.
        pass(&mut push, &mut pull, &[fits]);
    }
}
