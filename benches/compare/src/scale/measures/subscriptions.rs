//! One subscriber with many subscriptions: what it costs the publisher to take them, to keep them, and to match.
//!
//! Topics are 16 digits that look random; messages are 64 bytes that begin with one. The subscriber is a bare connection
//! that reads what comes and counts it. Nothing is dropped: as many may wait as are sent.

use std::thread;
use std::time::Duration;

use super::super::ends::{Client, Kind, Node, open};
use super::super::task::{Far, Near, Task};
use super::{Measure, resident_kib};
use crate::Outcome;
use crate::meter::{Mark, Usage, now_ns};

pub const MEASURE: Measure = Measure {
    name: "subscriptions",
    title: "A PUB with one subscriber that has many subscriptions. CPU and memory are of the process with the PUB: for each \
            subscription it takes, for each message that none matches, for each that one matches (and that is delivered).",
    step: "subscriptions",
    columns: &[
        "ms to take all",
        "CPU us to take each",
        "KiB for all",
        "CPU us/unmatched",
        "CPU us/delivered",
    ],
    steps: &[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000],
    few_steps: &[1, 10_000],
    peers: &super::super::ends::LIBRARIES,
    usual: true,
    near,
    far,
};

const DIGITS: usize = 16;
const SIZE: usize = 64;
/// Every subscriber holds it besides; ends a part.
const END: &[u8; DIGITS] = b"-the-last-topic-";
/// Different messages that are sent in turn.
const DIFFERENT: usize = 1 << 14;
const MESSAGES: usize = 200_000;
/// Nothing more is on its way.
const QUIET: Duration = Duration::from_millis(200);
/// Subscriptions written at a time.
const BATCH: usize = 1_000;

/// Topic `index`: an invertible mix, so that no two are alike.
fn topic(index: usize) -> [u8; DIGITS] {
    let mixed = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mut digits = [0; DIGITS];
    for (at, digit) in digits.iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(mixed >> (60 - 4 * at)) as usize & 15];
    }
    digits
}

fn message(topic: &[u8; DIGITS]) -> [u8; SIZE] {
    let mut message = [b'.'; SIZE];
    message[..DIGITS].copy_from_slice(topic);
    message
}

fn near(task: &Task) -> Outcome<Vec<f64>> {
    let node = open(&task.peer, Kind::Publisher, 2 * MESSAGES)?;
    let mut far = Far::launch(task, node.bind()?)?;
    far.hear()?;
    let memory = resident_kib()?;
    let start = Mark::now()?;
    far.say("subscribe")?;
    // Once it gets something it has subscribed to everything else.
    while far.heard()?.is_none() {
        node.send(&message(END))?;
        thread::sleep(Duration::from_millis(1));
    }
    let took = (now_ns()? - start.at_ns) as f64 / 1e6;
    let taking = Usage::now()? - start.usage;
    let memory = resident_kib()? - memory;
    far.say("enough")?;
    far.hear()?;

    let strangers = messages(|at| task.step + at);
    let unmatched = publish(&*node, &mut far, &strangers)?;
    let known = messages(|at| at.wrapping_mul(7919) % task.step);
    let delivered = publish(&*node, &mut far, &known)?;
    std::mem::forget(node);
    let each = task.step as f64;
    Ok(vec![
        took,
        taking.cpu_us / each,
        memory,
        unmatched / MESSAGES as f64,
        delivered / MESSAGES as f64,
    ])
}

fn messages(which: impl Fn(usize) -> usize) -> Vec<[u8; SIZE]> {
    (0..DIFFERENT)
        .map(|at| message(&topic(which(at))))
        .collect()
}

/// Processor time for sending them in turn, until the subscriber has had what it gets of them.
fn publish(node: &dyn Node, far: &mut Far, messages: &[[u8; SIZE]]) -> Outcome<f64> {
    let before = Usage::now()?;
    for message in messages.iter().cycle().take(MESSAGES) {
        node.send(message)?;
    }
    node.send(&message(END))?;
    let got = far.hear()?;
    let used = Usage::now()? - before;
    if got != "0" && got != MESSAGES.to_string() {
        return Err(format!("{got} of {MESSAGES} messages arrived").into());
    }
    Ok(used.cpu_us)
}

fn far(task: &Task, near: &mut Near) -> Outcome<()> {
    let mut client = Client::connect(&task.place, "SUB")?;
    near.say("ready")?;
    near.hear()?;
    subscribe(&mut client, task.step)?;
    client.recv()?;
    near.say("subscribed")?;
    near.hear()?;
    client.drain(QUIET)?;
    near.say("quiet")?;
    loop {
        let mut got = 0;
        while &client.recv()?[..DIGITS] != END {
            got += 1;
        }
        near.say(&got.to_string())?;
    }
}

/// The last topic comes last.
fn subscribe(client: &mut Client, count: usize) -> Outcome<()> {
    for first in (0..count).step_by(BATCH) {
        client.subscribe((first..count.min(first + BATCH)).map(topic))?;
    }
    client.subscribe([END])
}
