//! Many idle tcp connections on one ROUTER: the time to accept and greet them, and what they take while nothing happens.
//!
//! The far process opens them by hand (`ends/wire.rs`) and takes the time, from the first `connect` to the last READY:
//! first with 64 under way, which is what the near end can do, then on a new socket one at a time, which adds the wake-ups
//! of both processes to each. `raw` is a thread that accepts, reads and writes the same bytes.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::super::ends::{Kind, Raw, open, open_many};
use super::super::task::{Far, Near, Task};
use super::{Measure, descriptors, resident_kib};
use crate::Outcome;
use crate::meter::Usage;

pub const MEASURE: Measure = Measure {
    name: "connections",
    title: "Idle tcp connections on one ROUTER, opened by another process. Memory is resident memory of the process beyond \
            the kernel's; CPU is of the process with the ROUTER; the last two columns are for a second of doing nothing.",
    step: "connections",
    columns: &[
        "us each, 64 under way",
        "us each of the last tenth",
        "CPU us each",
        "us each, one at a time",
        "KiB each",
        "idle: CPU us/s",
        "idle: sleeps/s",
    ],
    steps: &[1_000, 10_000],
    few_steps: &[1_000],
    peers: &["taipan", "libzmq", "omq", "raw"],
    usual: true,
    near,
    far,
};

const UNDER_WAY: usize = 64;
/// After the last READY, before memory is looked at.
const REST: Duration = Duration::from_millis(300);
const IDLE: Duration = Duration::from_secs(1);
/// What a process without connections may have open.
const FEW_DESCRIPTORS: usize = 200;

fn near(task: &Task) -> Outcome<Vec<f64>> {
    let node = match &*task.peer {
        "raw" => None,
        library => Some(open(library, Kind::Router, 1000)?),
    };
    let bind = || match &node {
        Some(node) => node.bind(),
        None => Raw::listen().map(|(raw, place)| {
            raw.serve(task.step);
            place
        }),
    };
    let place = bind()?;
    thread::sleep(REST);
    let memory = resident_kib()?;
    let before = Usage::now()?;
    let mut far = Far::launch(task, place)?;
    far.say(&UNDER_WAY.to_string())?;
    let [all, last] = far.numbers()?;
    let cpu = (Usage::now()? - before).cpu_us;
    thread::sleep(REST);
    let memory = resident_kib()? - memory;
    let before = Usage::now()?;
    thread::sleep(IDLE);
    let idle = Usage::now()? - before;
    drop(far);
    drop(node);

    let [one_by_one, _] = second(task)?;
    let each = task.step as f64;
    Ok(vec![
        all / each,
        last / (each / 10.0),
        cpu / each,
        one_by_one / each,
        memory / each,
        idle.cpu_us / IDLE.as_secs_f64(),
        // The one that sleeps here woke up too.
        (idle.sleeps - 1.0).max(0.0) / IDLE.as_secs_f64(),
    ])
}

/// The same once more, one at a time.
fn second(task: &Task) -> Outcome<[f64; 2]> {
    // Both thousands of descriptors at once would be more than are allowed.
    while descriptors()? > FEW_DESCRIPTORS {
        thread::sleep(Duration::from_millis(10));
    }
    if task.peer == "raw" {
        let (raw, place) = Raw::listen()?;
        raw.serve(task.step);
        return one_by_one(task, place);
    }
    let node = open(&task.peer, Kind::Router, 1000)?;
    let place = node.bind()?;
    let figures = one_by_one(task, place);
    // Closing is no part of it, and the process ends.
    std::mem::forget(node);
    figures
}

fn one_by_one(task: &Task, place: String) -> Outcome<[f64; 2]> {
    let mut far = Far::launch(task, place)?;
    far.say("1")?;
    far.numbers()
}

fn far(task: &Task, near: &mut Near) -> Outcome<()> {
    let under_way: usize = near.hear()?.parse()?;
    let mut streams: Vec<TcpStream> = Vec::with_capacity(task.step);
    let tenth = task.step - task.step / 10;
    let start = Instant::now();
    let mut late = Duration::ZERO;
    open_many(
        &mut streams,
        &task.place,
        "DEALER",
        task.step,
        under_way,
        |there| {
            if there == tenth {
                late = start.elapsed();
            }
        },
    )?;
    let all = start.elapsed();
    let last = all.saturating_sub(late);
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    near.say(&format!("{} {}", micros(all), micros(last)))?;
    near.hear()?;
    Ok(())
}
