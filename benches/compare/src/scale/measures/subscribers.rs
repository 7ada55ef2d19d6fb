//! One publisher and many subscribers over tcp, each of which gets everything.
//!
//! The far process reads all connections in one thread and counts bytes, so that the figures are the publisher's. Nothing
//! is dropped: as many may wait for each subscriber as are sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use super::super::ends::{Client, Kind, Node, open};
use super::super::task::{Far, Near, Task};
use super::Measure;
use crate::Outcome;
use crate::meter::{Mark, Usage, now_ns};

pub const MEASURE: Measure = Measure {
    name: "subscribers",
    title: "A PUB with many tcp subscribers that get every message of 128 bytes; they are bare connections, all read by one \
            thread. CPU is of the process with the PUB, per delivered message.",
    step: "subscribers",
    columns: &["deliveries M/s", "CPU us/delivery"],
    steps: &[1, 10, 100, 1_000],
    few_steps: &[1, 100],
    peers: &super::super::ends::LIBRARIES,
    usual: true,
    near,
    far,
};

const SIZE: usize = 128;
/// Bytes of a message on the wire.
const FRAME: usize = 2 + SIZE;
const DELIVERIES: usize = 400_000;

fn messages(task: &Task) -> usize {
    DELIVERIES / task.step
}

fn near(task: &Task) -> Outcome<Vec<f64>> {
    // All that is sent may wait, and what is sent before.
    let node = open(&task.peer, Kind::Publisher, 2 * messages(task) + 1000)?;
    let mut far = Far::launch(task, node.bind()?)?;
    until_all_have_one(&*node, &mut far)?;
    // Once to grow whatever grows, once to count.
    publish(&*node, &mut far, task)?;
    let start = Mark::now()?;
    let [end_ns] = publish(&*node, &mut far, task)?;
    let used = Usage::now()? - start.usage;
    std::mem::forget(node);
    let deliveries = (messages(task) * task.step) as f64;
    let micros = (end_ns - start.at_ns as f64) / 1e3;
    Ok(vec![deliveries / micros, used.cpu_us / deliveries])
}

fn publish(node: &dyn Node, far: &mut Far, task: &Task) -> Outcome<[f64; 1]> {
    for _ in 0..messages(task) {
        node.send(&[7; SIZE])?;
    }
    far.numbers()
}

/// Nobody says how many subscribers a publisher has in a way that all libraries share.
fn until_all_have_one(node: &dyn Node, far: &mut Far) -> Outcome<()> {
    far.hear()?;
    while far.heard()?.is_none() {
        node.send(&[0; SIZE])?;
        thread::sleep(Duration::from_millis(5));
    }
    far.say("enough")?;
    far.hear()?;
    Ok(())
}

/// What has come on all connections.
struct Got {
    bytes: AtomicU64,
    /// Connections on which something has come.
    begun: AtomicUsize,
}

fn far(task: &Task, near: &mut Near) -> Outcome<()> {
    let got = Arc::new(Got {
        bytes: AtomicU64::new(0),
        begun: AtomicUsize::new(0),
    });
    let mut clients = Vec::with_capacity(task.step);
    for _ in 0..task.step {
        let mut client = Client::connect(&task.place, "SUB")?;
        client.subscribe([b""])?;
        clients.push(client.into_stream());
    }
    near.say("ready")?;
    let readers = got.clone();
    thread::spawn(move || read_all(clients, readers));
    wait(|| got.begun.load(Ordering::Relaxed) == task.step);
    near.say("begun")?;
    near.hear()?;
    quiet(&got);
    got.bytes.store(0, Ordering::Relaxed);
    near.say("quiet")?;
    let each = (messages(task) * task.step * FRAME) as u64;
    for round in 1.. {
        wait(|| got.bytes.load(Ordering::Relaxed) >= round * each);
        near.say(&now_ns()?.to_string())?;
    }
    Ok(())
}

/// Looks often enough for figures of tens of milliseconds.
fn wait(until: impl Fn() -> bool) {
    while !until() {
        thread::sleep(Duration::from_micros(200));
    }
}

/// Waits until nothing has come for a while.
fn quiet(got: &Got) {
    let now = || got.bytes.load(Ordering::Relaxed);
    let mut last = (now(), Instant::now());
    while last.1.elapsed() < Duration::from_millis(300) {
        thread::sleep(Duration::from_millis(1));
        if now() != last.0 {
            last = (now(), Instant::now());
        }
    }
}

/// Reads until the process ends.
fn read_all(clients: Vec<std::net::TcpStream>, got: Arc<Got>) -> Outcome<()> {
    Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            for client in clients {
                client.set_nonblocking(true)?;
                tokio::spawn(read(TcpStream::from_std(client)?, got.clone()));
            }
            std::future::pending().await
        })
}

async fn read(mut stream: TcpStream, got: Arc<Got>) {
    let mut buffer = vec![0; 16 << 10];
    let mut begun = false;
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if !begun {
            got.begun.fetch_add(1, Ordering::Relaxed);
            begun = true;
        }
        got.bytes.fetch_add(count as u64, Ordering::Relaxed);
    }
}
