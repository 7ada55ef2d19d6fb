//! Many sockets of the library itself: DEALERs in one process connect to a ROUTER in another, and each says one thing.

use super::super::ends::{Kind, open};
use super::super::task::{Far, Near, Task};
use super::{Measure, resident_kib};
use crate::Outcome;
use crate::meter::{Mark, Usage, now_ns};

pub const MEASURE: Measure = Measure {
    name: "sockets",
    title: "DEALERs of one context in one process connect to a ROUTER in another, and each sends one message: from making the \
            first to receiving the last. CPU is of both processes, memory of the process with the DEALERs.",
    step: "peers",
    columns: &["ms in total", "us each", "CPU us each", "KiB each"],
    steps: &[1, 100, 1_000],
    few_steps: &[100],
    peers: &super::super::ends::LIBRARIES,
    usual: true,
    near,
    far,
};

fn near(task: &Task) -> Outcome<Vec<f64>> {
    let node = open(&task.peer, Kind::Router, 1000)?;
    let mut far = Far::launch(task, node.bind()?)?;
    far.hear()?;
    let start = Mark::now()?;
    far.say("go")?;
    for _ in 0..task.step {
        node.serve(false)?;
    }
    let took = (now_ns()? - start.at_ns) as f64 / 1e3;
    let here = (Usage::now()? - start.usage).cpu_us;
    let [there, memory] = far.numbers()?;
    std::mem::forget(node);
    let each = task.step as f64;
    Ok(vec![
        took / 1e3,
        took / each,
        (here + there) / each,
        memory / each,
    ])
}

fn far(task: &Task, near: &mut Near) -> Outcome<()> {
    // The context is there, and its threads.
    let first = open(&task.peer, Kind::Dealer, 1000)?;
    near.say("ready")?;
    near.hear()?;
    let memory = resident_kib()?;
    let before = Usage::now()?;
    let mut nodes = Vec::with_capacity(task.step);
    for _ in 0..task.step {
        let node = first.another()?;
        node.connect(&task.place)?;
        node.send(b"here")?;
        nodes.push(node);
    }
    // Told when everything has arrived, to be asked only then.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let used = Usage::now()? - before;
    near.say(&format!("{} {}", used.cpu_us, resident_kib()? - memory))?;
    near.hear()?;
    std::mem::forget((first, nodes));
    Ok(())
}
