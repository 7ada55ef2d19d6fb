//! The paths that are counted: each does the same thing so many times.
//!
//! Both ends are in one thread, so that no run depends on who is woken when: what is sent is flushed, and then received,
//! which finds it there. Only the last ones have two threads, and are not counted in instructions.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use taipan::internals::Topics;
use taipan::internals::zmtp::{Decoder, Encoder, Inbound, Outbox, Version};
use taipan::{AnySocket, Context, Message, Monitor, Options, SocketKind};

use crate::Outcome;

/// One path.
pub struct Path {
    pub name: &'static str,
    /// What is done once.
    pub what: &'static str,
    pub run: fn(usize) -> Outcome<()>,
    /// Whether it depends on no clock and no other thread, so that instructions can be counted.
    pub steady: bool,
    /// Whether it makes system calls.
    pub calls: bool,
}

const fn inside(name: &'static str, what: &'static str, run: fn(usize) -> Outcome<()>) -> Path {
    Path {
        name,
        what,
        run,
        steady: true,
        calls: false,
    }
}

const fn whole(name: &'static str, what: &'static str, run: fn(usize) -> Outcome<()>) -> Path {
    Path {
        name,
        what,
        run,
        steady: true,
        calls: true,
    }
}

const fn threads(name: &'static str, what: &'static str, run: fn(usize) -> Outcome<()>) -> Path {
    Path {
        name,
        what,
        run,
        steady: false,
        calls: true,
    }
}

const INPROC: &str = "inproc://paths";
const IPC: &str = "ipc://@taipan-paths";
const TCP: &str = "tcp://127.0.0.1:*";

pub const ALL: [Path; 22] = [
    inside("encode", "a message of 64 B into the outbox", encode),
    inside(
        "decode",
        "a message of 64 B out of the wire's bytes",
        decode,
    ),
    inside("topic", "the subscribers of a message, 1,000 topics", topic),
    whole("inproc", "64 B one way", |n| {
        one_way(INPROC, 64, n, Watch::No)
    }),
    whole("ipc", "64 B one way", |n| one_way(IPC, 64, n, Watch::No)),
    whole("tcp", "64 B one way", |n| one_way(TCP, 64, n, Watch::No)),
    whole("inproc, monitor", "the same, both ends watched", |n| {
        one_way(INPROC, 64, n, Watch::Monitor)
    }),
    whole("ipc, monitor", "the same, both ends watched", |n| {
        one_way(IPC, 64, n, Watch::Monitor)
    }),
    whole("tcp, monitor", "the same, both ends watched", |n| {
        one_way(TCP, 64, n, Watch::Monitor)
    }),
    whole(
        "tcp, statistics",
        "the same, read every 1,000 messages",
        |n| one_way(TCP, 64, n, Watch::Statistics),
    ),
    whole("inproc, 1 KiB", "one way", |n| {
        one_way(INPROC, 1 << 10, n, Watch::No)
    }),
    whole("ipc, 1 KiB", "one way", |n| {
        one_way(IPC, 1 << 10, n, Watch::No)
    }),
    whole("tcp, 1 KiB", "one way", |n| {
        one_way(TCP, 1 << 10, n, Watch::No)
    }),
    whole("inproc, 64 KiB", "one way", |n| {
        one_way(INPROC, 64 << 10, n, Watch::No)
    }),
    whole("ipc, 64 KiB", "one way", |n| {
        one_way(IPC, 64 << 10, n, Watch::No)
    }),
    whole("tcp, 64 KiB", "one way", |n| {
        one_way(TCP, 64 << 10, n, Watch::No)
    }),
    whole("inproc, round trip", "REQ, REP and back", |n| {
        round_trips(INPROC, n)
    }),
    whole("ipc, round trip", "REQ, REP and back", |n| {
        round_trips(IPC, n)
    }),
    whole("tcp, round trip", "REQ, REP and back", |n| {
        round_trips(TCP, n)
    }),
    threads("inproc, threads", "64 B one way, two threads", |n| {
        two_threads(INPROC, n)
    }),
    threads("ipc, threads", "64 B one way, two threads", |n| {
        two_threads(IPC, n)
    }),
    threads("tcp, threads", "64 B one way, two threads", |n| {
        two_threads(TCP, n)
    }),
];

/// Messages that are sent before they are received.
const BATCH: usize = 100;
/// What is sent inline.
const INLINE: usize = 64;

fn encode(count: usize) -> Outcome<()> {
    let message = Message::from(&[7; 64][..]);
    let mut encoder = Encoder::new(Version::V3_1, None);
    let mut outbox = Outbox::new();
    for _ in 0..count / BATCH {
        for _ in 0..BATCH {
            encoder.message(black_box(&message), &mut outbox);
        }
        let bytes = black_box(&outbox).bytes();
        outbox.advance(bytes);
    }
    Ok(())
}

fn decode(count: usize) -> Outcome<()> {
    let mut decoder = Decoder::new(Version::V3_1, None, None);
    let mut frame = vec![0, 64];
    frame.resize(66, 7);
    let wire = frame.repeat(BATCH);
    let mut decoded = 0;
    for _ in 0..count / BATCH {
        let mut rest = &wire[..];
        while !rest.is_empty() {
            let target = decoder.fill_target();
            let room = (target.capacity() - target.len()).min(rest.len());
            target.extend_from_slice(&rest[..room]);
            decoder.filled();
            rest = &rest[room..];
            while let Some(inbound) = decoder.next()? {
                decoded += usize::from(matches!(black_box(inbound), Inbound::Message(_)));
            }
        }
    }
    check(decoded == count, "not every message was decoded")
}

fn topic(count: usize) -> Outcome<()> {
    let mut topics = Topics::default();
    let names: Vec<String> = (0..1000)
        .map(|index| format!("sensor/{index:04}"))
        .collect();
    for (index, name) in names.iter().enumerate() {
        topics.add(name.as_bytes(), index % 8);
    }
    let mut matched = Vec::new();
    for index in 0..count {
        topics.matches_into(black_box(names[index % 1000].as_bytes()), &mut matched);
        check(matched.len() == 1, "one subscriber has it")?;
    }
    Ok(())
}

/// What is attached to both ends.
#[derive(Clone, Copy, PartialEq)]
enum Watch {
    No,
    Monitor,
    Statistics,
}

fn message(size: usize) -> Message {
    if size <= INLINE {
        Message::from(&[7; INLINE][..size])
    } else {
        Message::from(vec![7; size])
    }
}

/// Two sockets that are connected, over shared memory if that is meant; contexts of their own, or one within a process.
fn pair(place: &str, near: SocketKind, far: SocketKind) -> Outcome<(AnySocket, AnySocket)> {
    let context = Context::new();
    let bound = AnySocket::of(&context, far, Options::default())?;
    let endpoint = bound.bind(place)?;
    let other = if place.starts_with("inproc") {
        context
    } else {
        Context::new()
    };
    let connected = AnySocket::of(&other, near, Options::default())?;
    connected.connect(endpoint)?;
    for socket in [&connected, &bound] {
        socket.blocking_wait_for_peers(1, None);
        let shared = || socket.stats().peers.iter().all(|peer| peer.shared_memory);
        while place.starts_with("ipc") && !shared() {
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok((connected, bound))
}

fn one_way(place: &str, size: usize, count: usize, watch: Watch) -> Outcome<()> {
    let (push, pull) = pair(place, SocketKind::Push, SocketKind::Pull)?;
    let monitors: Vec<Monitor> = match watch {
        Watch::Monitor => vec![push.monitor(), pull.monitor()],
        Watch::No | Watch::Statistics => Vec::new(),
    };
    // More than fits into the kernel's buffers would wait for another thread.
    let batch = if size > 4096 { 1 } else { BATCH };
    for round in 0..count / batch {
        for _ in 0..batch {
            push.blocking_send(message(size))?;
        }
        push.flush();
        for _ in 0..batch {
            check(
                black_box(pull.blocking_recv()?).first().len() == size,
                "whole",
            )?;
        }
        if watch == Watch::Statistics && round % 10 == 0 {
            black_box((push.stats(), pull.stats()));
        }
    }
    drop(monitors);
    Ok(())
}

fn round_trips(place: &str, count: usize) -> Outcome<()> {
    let (asks, answers) = pair(place, SocketKind::Req, SocketKind::Rep)?;
    for _ in 0..count {
        asks.blocking_send(message(64))?;
        asks.flush();
        let question = answers.blocking_recv()?;
        answers.blocking_send(question)?;
        answers.flush();
        black_box(asks.blocking_recv()?);
    }
    Ok(())
}

fn two_threads(place: &str, count: usize) -> Outcome<()> {
    let (push, pull) = pair(place, SocketKind::Push, SocketKind::Pull)?;
    let sender = thread::spawn(move || -> Outcome<AnySocket> {
        for _ in 0..count {
            push.blocking_send(message(64))?;
        }
        Ok(push)
    });
    for _ in 0..count {
        black_box(pull.blocking_recv()?);
    }
    drop(sender.join().map_err(|_| "the sender panicked")??);
    Ok(())
}

fn check(what: bool, wrong: &'static str) -> Outcome<()> {
    if what { Ok(()) } else { Err(wrong.into()) }
}
