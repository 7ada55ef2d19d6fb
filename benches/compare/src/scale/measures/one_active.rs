//! One busy connection among many idle ones on one ROUTER: what the idle ones cost it.
//!
//! First round trips of 64 bytes, one at a time, then the same messages one way as fast as they go. The far process does
//! both by hand over one blocking connection and holds the idle ones.

use std::time::Instant;

use super::super::ends::{Client, Kind, open, open_many};
use super::super::task::{Far, Near, Task};
use super::Measure;
use crate::Outcome;
use crate::meter::{Mark, Usage, now_ns, percentiles};

pub const MEASURE: Measure = Measure {
    name: "one-active",
    title: "One busy tcp connection beside idle ones, all on one ROUTER; the asker is a bare blocking connection. CPU is of the \
            process with the ROUTER (taipan's caller looks for up to 50 us before it sleeps, which counts).",
    step: "connections",
    columns: &[
        "round trip p50 us",
        "p99 us",
        "CPU us/round trip",
        "one way M/s",
        "CPU us/message",
    ],
    steps: &[1, 10, 100, 1_000, 10_000],
    few_steps: &[1, 1_000],
    peers: &super::super::ends::LIBRARIES,
    usual: true,
    near,
    far,
};

const SIZE: usize = 64;
const ASK: [u8; SIZE] = [b'a'; SIZE];
/// Ends a part.
const END: [u8; SIZE] = [b'e'; SIZE];
const WARM_UP: usize = 500;
const ROUND_TRIPS: usize = 5_000;
/// What is written at a time.
const BATCH: usize = 900;
const BATCHES: usize = 600;

fn near(task: &Task) -> Outcome<Vec<f64>> {
    let node = open(&task.peer, Kind::Router, 1000)?;
    let mut far = Far::launch(task, node.bind()?)?;
    while node.serve(true)? != END[0] {}
    let start = Usage::now()?;
    while node.serve(true)? != END[0] {}
    let asked = Usage::now()? - start;
    let [p50, p99] = far.numbers()?;

    far.say("go")?;
    node.serve(false)?;
    let start = Mark::now()?;
    let mut messages = 1;
    while node.serve(false)? != END[0] {
        messages += 1;
    }
    let seconds = (now_ns()? - start.at_ns) as f64 / 1e9;
    let told = Usage::now()? - start.usage;
    std::mem::forget(node);
    let messages = f64::from(messages);
    Ok(vec![
        p50,
        p99,
        asked.cpu_us / ROUND_TRIPS as f64,
        messages / seconds / 1e6,
        told.cpu_us / messages,
    ])
}

fn far(task: &Task, near: &mut Near) -> Outcome<()> {
    let mut idle = Vec::with_capacity(task.step);
    open_many(&mut idle, &task.place, "DEALER", task.step - 1, 64, |_| {})?;
    let mut client = Client::connect(&task.place, "DEALER")?;
    ask(&mut client, WARM_UP)?;
    let times = ask(&mut client, ROUND_TRIPS)?;
    let [p50, p99, _] = percentiles(times);
    near.say(&format!("{p50} {p99}"))?;

    near.hear()?;
    for _ in 0..BATCHES {
        client.send(&ASK, BATCH)?;
    }
    client.send(&END, 1)?;
    near.hear()?;
    Ok(())
}

/// The times of so many round trips, in nanoseconds.
fn ask(client: &mut Client, count: usize) -> Outcome<Vec<u64>> {
    let mut times = Vec::with_capacity(count);
    for _ in 1..count {
        let start = Instant::now();
        client.send(&ASK, 1)?;
        client.recv()?;
        times.push(start.elapsed().as_nanos() as u64);
    }
    client.send(&END, 1)?;
    client.recv()?;
    Ok(times)
}
