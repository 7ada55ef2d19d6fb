//! Two engines on a fake link with a virtual clock: whatever is done in whatever order, each side gets what the other
//! sent, whole and in order. With a byte changed on the way: anything but a panic.
#![no_main]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use taipan::config::PlainUsers;
use taipan::internals::zmtp::{Beats, Engine, Event, HandshakeConfig, Inbound};
use taipan::{Message, Security, SocketKind};

#[derive(Arbitrary, Debug)]
struct Input {
    pair: u8,
    plain: bool,
    beat: Option<u8>,
    operations: Vec<Operation>,
}

#[derive(Arbitrary, Debug)]
enum Operation {
    /// Sizes of the frames; a large one is a multiple of 1 KiB.
    Send {
        from_a: bool,
        frames: Vec<u8>,
        large: Option<u8>,
    },
    Subscribe {
        from_a: bool,
        topic: Vec<u8>,
    },
    Cancel {
        from_a: bool,
        topic: Vec<u8>,
    },
    Carry {
        from_a: bool,
        bytes: u16,
    },
    Wait {
        milliseconds: u8,
    },
    Corrupt {
        from_a: bool,
        at: u16,
        flip: u8,
    },
}

struct End {
    engine: Engine,
    /// Sent by this end and not yet seen by the other.
    sent: VecDeque<Inbound>,
    /// What the first bytes of the next carry are changed by.
    corrupt: Option<(u16, u8)>,
    over: bool,
}

const PAIRS: [(SocketKind, SocketKind); 4] = [
    (SocketKind::Push, SocketKind::Pull),
    (SocketKind::Dealer, SocketKind::Router),
    (SocketKind::XPub, SocketKind::XSub),
    (SocketKind::Pair, SocketKind::Pair),
];

fn end(kind: SocketKind, security: Security, beat: Option<u8>) -> End {
    let mut config = HandshakeConfig::new(kind);
    config.security = security;
    let interval = beat.map(|beat| Duration::from_millis(beat.into()));
    let beats = Beats {
        interval,
        ..Beats::default()
    };
    End {
        engine: Engine::new(config, beats),
        sent: VecDeque::new(),
        corrupt: None,
        over: false,
    }
}

/// Moves up to so many bytes; `false` if nothing was left to move.
fn carry(from: &mut End, to: &mut End, limit: usize, now: Instant, clean: &mut bool) -> bool {
    let output = from.engine.output();
    let count = output.len().min(limit);
    let mut bytes = output[..count].to_vec();
    from.engine.consume_output(count);
    if count == 0 {
        return false;
    }
    if let Some((at, flip)) = from.corrupt.take() {
        bytes[at as usize % count] ^= flip;
        *clean &= flip == 0;
    }
    let result = to.engine.input(&bytes, now);
    to.over |= result.is_err();
    assert!(!*clean || !to.over, "{result:?}");
    while let Some(event) = to.engine.next_event() {
        if let Event::Inbound(item) = event
            && *clean
        {
            assert_eq!(Some(item), from.sent.pop_front());
        }
    }
    true
}

fuzz_target!(|input: Input| {
    let (kind_a, kind_b) = PAIRS[input.pair as usize % PAIRS.len()];
    let (client, server) = if input.plain {
        let users = PlainUsers::new().with_user("user", "password");
        (
            Security::plain_client("user", "password"),
            Security::plain_server(users),
        )
    } else {
        (Security::Null, Security::Null)
    };
    let (mut a, mut b) = (
        end(kind_a, client, input.beat),
        end(kind_b, server, input.beat),
    );
    let mut now = Instant::now();
    let mut clean = true;
    for operation in input.operations {
        match operation {
            Operation::Send {
                from_a,
                frames,
                large,
            } => {
                let end = if from_a { &mut a } else { &mut b };
                let sizes = frames
                    .iter()
                    .map(|size| usize::from(*size))
                    .chain(large.map(|size| usize::from(size) * 1024));
                let frames = sizes
                    .enumerate()
                    .map(|(at, size)| vec![at as u8 ^ size as u8; size]);
                let message = Message::from_frames(frames);
                if end.engine.send(&message) {
                    end.sent.push_back(Inbound::Message(message));
                }
            }
            Operation::Subscribe { from_a, topic } => {
                let end = if from_a { &mut a } else { &mut b };
                if end
                    .engine
                    .encode(|encoder, outbox| encoder.subscribe(&topic, outbox))
                {
                    end.sent.push_back(Inbound::Subscribe(topic.into()));
                }
            }
            Operation::Cancel { from_a, topic } => {
                let end = if from_a { &mut a } else { &mut b };
                if end
                    .engine
                    .encode(|encoder, outbox| encoder.cancel(&topic, outbox))
                {
                    end.sent.push_back(Inbound::Cancel(topic.into()));
                }
            }
            Operation::Carry {
                from_a: true,
                bytes,
            } => {
                carry(&mut a, &mut b, bytes.into(), now, &mut clean);
            }
            Operation::Carry {
                from_a: false,
                bytes,
            } => {
                carry(&mut b, &mut a, bytes.into(), now, &mut clean);
            }
            Operation::Corrupt { from_a, at, flip } => {
                let end = if from_a { &mut a } else { &mut b };
                end.corrupt = Some((at, flip));
            }
            Operation::Wait { milliseconds } => {
                now += Duration::from_millis(milliseconds.into());
                // Nothing need have been carried meanwhile, so a silent peer may be given up.
                for end in [&mut a, &mut b] {
                    end.over |= end.engine.poll(now).is_err();
                }
            }
        }
        if a.over || b.over {
            return;
        }
    }
    (a.corrupt, b.corrupt) = (None, None);
    loop {
        let forth = carry(&mut a, &mut b, usize::MAX, now, &mut clean);
        let back = carry(&mut b, &mut a, usize::MAX, now, &mut clean);
        if a.over || b.over {
            return;
        }
        if !forth && !back {
            break;
        }
    }
    if clean {
        assert!(
            a.sent.is_empty() && b.sent.is_empty(),
            "not everything arrived"
        );
    }
});
