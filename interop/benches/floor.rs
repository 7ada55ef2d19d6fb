//! taipan beside libzmq in one run: the same shapes, the same payload handling, repetitions interleaved.
//!
//! `cargo bench -p taipan-interop --bench floor [-- ROUNDS [FILTER]]` prints medians with their spread. Two
//! processes over tcp (this program starts itself as the peer), two threads for inproc. CPU time is user and
//! system time of both ends. Messages are built from a slice and their first and last byte are read.
//!
//! What it is not: the full comparison with every peer, size and pattern.

use std::env;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use taipan::{Context, Pull, Push, Rep, Req};

const WARM_UP: usize = 2_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Libzmq,
    Blocking,
    Current,
    Multi,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    Stream,
    RoundTrip,
    Inproc,
}

/// What one run measured: messages a second or the median round trip in microseconds, and CPU per message.
#[derive(Clone, Copy)]
struct Sample {
    value: f64,
    cpu_us: f64,
}

struct Row {
    name: &'static str,
    shape: Shape,
    size: usize,
    count: usize,
    pin: bool,
}

const ROWS: &[Row] = &[
    Row {
        name: "tcp PUSH/PULL 64 B",
        shape: Shape::Stream,
        size: 64,
        count: 4_000_000,
        pin: false,
    },
    Row {
        name: "tcp PUSH/PULL 1 KiB",
        shape: Shape::Stream,
        size: 1024,
        count: 1_000_000,
        pin: false,
    },
    Row {
        name: "tcp REQ/REP 64 B, unpinned",
        shape: Shape::RoundTrip,
        size: 64,
        count: 20_000,
        pin: false,
    },
    Row {
        name: "tcp REQ/REP 64 B, one core",
        shape: Shape::RoundTrip,
        size: 64,
        count: 20_000,
        pin: true,
    },
    Row {
        name: "inproc PUSH/PULL 64 B",
        shape: Shape::Inproc,
        size: 64,
        count: 4_000_000,
        pin: false,
    },
];

fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn pin_to_one_core() {
    let mut set = CpuSet::new();
    set.set(0);
    sched_setaffinity(None, &set).expect("affinity");
}

fn touch(bytes: &[u8]) -> u64 {
    u64::from(bytes[0]) + u64::from(bytes[bytes.len() - 1])
}

/// Runs a future as a user of that runtime would, in a task of its own.
fn drive(who: Who, future: impl Future<Output = ()> + Send + 'static) {
    let mut builder = match who {
        Who::Multi => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { tokio::spawn(future).await.expect("the task") });
}

/// The far end, in a process of its own: pulls or answers, and reports its CPU time.
fn peer(who: Who, shape: Shape, size: usize, count: usize) {
    let total = count + WARM_UP;
    let stream = shape == Shape::Stream;
    match who {
        Who::Libzmq => {
            let context = zmq::Context::new();
            let socket = context
                .socket(if stream { zmq::PULL } else { zmq::REP })
                .expect("socket");
            socket.bind("tcp://127.0.0.1:*").expect("bind");
            println!(
                "{}",
                socket
                    .get_last_endpoint()
                    .expect("endpoint")
                    .expect("utf-8")
            );
            let mut message = zmq::Message::new();
            let (mut sum, mut start) = (0, (Instant::now(), 0.0));
            for index in 0..total {
                if index == WARM_UP {
                    start = (Instant::now(), cpu_us());
                }
                socket.recv(&mut message, 0).expect("recv");
                sum += touch(&message);
                if !stream {
                    socket.send(&message[..], 0).expect("send");
                }
            }
            report(start, size, count, sum);
        }
        Who::Blocking => {
            let context = Context::new();
            let (pull, rep) = (Pull::new(&context), Rep::new(&context));
            let endpoint = if stream {
                pull.bind("tcp://127.0.0.1:*")
            } else {
                rep.bind("tcp://127.0.0.1:*")
            };
            println!("{}", endpoint.expect("bind"));
            let (mut sum, mut start) = (0, (Instant::now(), 0.0));
            for index in 0..total {
                if index == WARM_UP {
                    start = (Instant::now(), cpu_us());
                }
                if stream {
                    sum += touch(pull.blocking_recv().expect("recv").first());
                } else {
                    let message = rep.blocking_recv().expect("recv");
                    sum += touch(message.first());
                    rep.blocking_send(&message.first()[..]).expect("send");
                }
            }
            report(start, size, count, sum);
        }
        _ => drive(who, async move {
            let context = Context::new();
            let (pull, rep) = (Pull::new(&context), Rep::new(&context));
            let endpoint = if stream {
                pull.bind("tcp://127.0.0.1:*")
            } else {
                rep.bind("tcp://127.0.0.1:*")
            };
            println!("{}", endpoint.expect("bind"));
            let (mut sum, mut start) = (0, (Instant::now(), 0.0));
            for index in 0..total {
                if index == WARM_UP {
                    start = (Instant::now(), cpu_us());
                }
                if stream {
                    sum += touch(pull.recv().await.expect("recv").first());
                } else {
                    let message = rep.recv().await.expect("recv");
                    sum += touch(message.first());
                    rep.send(&message.first()[..]).await.expect("send");
                }
            }
            report(start, size, count, sum);
        }),
    }
}

/// Seconds and CPU of the receiving end, on one line.
fn report(start: (Instant, f64), size: usize, count: usize, sum: u64) {
    black_box((size, count, sum));
    println!("{} {}", start.0.elapsed().as_secs_f64(), cpu_us() - start.1);
}

/// The near end against a peer process.
fn two_processes(who: Who, row: &Row) -> Sample {
    let program = env::current_exe().expect("our own path");
    let arguments = [
        format!("{who:?}"),
        format!("{:?}", row.shape),
        row.size.to_string(),
        row.count.to_string(),
    ];
    let mut command = Command::new(program);
    command
        .arg("--peer")
        .args(arguments)
        .arg(if row.pin { "pin" } else { "free" });
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("the peer starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let endpoint = lines.next().expect("an endpoint").expect("text");
    let own = match row.shape {
        Shape::Stream => near_stream(who, row, endpoint),
        _ => near_round_trip(who, row, endpoint),
    };
    let last = lines.next().expect("a report").expect("text");
    child.wait().expect("the peer ends");
    let (seconds, far_cpu) = last.split_once(' ').expect("two figures");
    let (seconds, far_cpu): (f64, f64) = (
        seconds.parse().expect("number"),
        far_cpu.parse().expect("number"),
    );
    let value = if row.shape == Shape::Stream {
        row.count as f64 / seconds
    } else {
        own.0
    };
    Sample {
        value,
        cpu_us: (own.1 + far_cpu) / row.count as f64,
    }
}

/// Sends; returns nothing of interest and the CPU it took.
fn near_stream(who: Who, row: &Row, endpoint: String) -> (f64, f64) {
    let (size, total) = (row.size, row.count + WARM_UP);
    let start = cpu_us();
    match who {
        Who::Libzmq => {
            let context = zmq::Context::new();
            let socket = context.socket(zmq::PUSH).expect("socket");
            socket.connect(&endpoint).expect("connect");
            let payload = vec![7u8; size];
            for _ in 0..total {
                socket.send(&payload[..], 0).expect("send");
            }
        }
        Who::Blocking => {
            let context = Context::new();
            let push = Push::new(&context);
            push.connect(&*endpoint).expect("connect");
            let payload = vec![7u8; size];
            for _ in 0..total {
                push.blocking_send(&payload[..]).expect("send");
            }
        }
        _ => drive(who, async move {
            let context = Context::new();
            let push = Push::new(&context);
            push.connect(&*endpoint).expect("connect");
            let payload = vec![7u8; size];
            for _ in 0..total {
                push.send(&payload[..]).await.expect("send");
            }
        }),
    }
    (0.0, cpu_us() - start)
}

/// Asks and waits; the median in microseconds and the CPU it took.
fn near_round_trip(who: Who, row: &Row, endpoint: String) -> (f64, f64) {
    let (size, total) = (row.size, row.count + WARM_UP);
    let (sender, receiver) = std::sync::mpsc::channel();
    match who {
        Who::Libzmq => {
            let context = zmq::Context::new();
            let socket = context.socket(zmq::REQ).expect("socket");
            socket.connect(&endpoint).expect("connect");
            let payload = vec![7u8; size];
            let (mut times, mut start) = (Vec::with_capacity(total), 0.0);
            for index in 0..total {
                if index == WARM_UP {
                    times.clear();
                    start = cpu_us();
                }
                let begin = Instant::now();
                socket.send(&payload[..], 0).expect("send");
                black_box(touch(&socket.recv_msg(0).expect("recv")));
                times.push(begin.elapsed());
            }
            sender.send((times, cpu_us() - start)).expect("channel");
        }
        Who::Blocking => {
            let context = Context::new();
            let req = Req::new(&context);
            req.connect(&*endpoint).expect("connect");
            let payload = vec![7u8; size];
            let (mut times, mut start) = (Vec::with_capacity(total), 0.0);
            for index in 0..total {
                if index == WARM_UP {
                    times.clear();
                    start = cpu_us();
                }
                let begin = Instant::now();
                req.blocking_send(&payload[..]).expect("send");
                black_box(touch(req.blocking_recv().expect("recv").first()));
                times.push(begin.elapsed());
            }
            sender.send((times, cpu_us() - start)).expect("channel");
        }
        _ => drive(who, async move {
            let context = Context::new();
            let req = Req::new(&context);
            req.connect(&*endpoint).expect("connect");
            let payload = vec![7u8; size];
            let (mut times, mut start) = (Vec::with_capacity(total), 0.0);
            for index in 0..total {
                if index == WARM_UP {
                    times.clear();
                    start = cpu_us();
                }
                let begin = Instant::now();
                req.send(&payload[..]).await.expect("send");
                black_box(touch(req.recv().await.expect("recv").first()));
                times.push(begin.elapsed());
            }
            sender.send((times, cpu_us() - start)).expect("channel");
        }),
    }
    let (mut times, cpu) = receiver.recv().expect("the figures");
    times.sort();
    (times[times.len() / 2].as_secs_f64() * 1e6, cpu)
}

/// Two threads of one process.
fn inproc(who: Who, row: &Row) -> Sample {
    let (size, count) = (row.size, row.count);
    let start = (Instant::now(), cpu_us());
    if who == Who::Libzmq {
        let context = zmq::Context::new();
        let pull = context.socket(zmq::PULL).expect("socket");
        pull.bind("inproc://floor").expect("bind");
        let sender = thread::spawn(move || {
            let push = context.socket(zmq::PUSH).expect("socket");
            push.connect("inproc://floor").expect("connect");
            let payload = vec![7u8; size];
            for _ in 0..count {
                push.send(&payload[..], 0).expect("send");
            }
        });
        let mut message = zmq::Message::new();
        for _ in 0..count {
            pull.recv(&mut message, 0).expect("recv");
            black_box(touch(&message));
        }
        sender.join().expect("the sender");
    } else {
        let context = Context::new();
        let pull = Pull::new(&context);
        pull.bind("inproc://floor").expect("bind");
        let push = Push::new(&context);
        push.connect("inproc://floor").expect("connect");
        let payload = vec![7u8; size];
        let sender = thread::spawn(move || match who {
            Who::Blocking => {
                for _ in 0..count {
                    push.blocking_send(&payload[..]).expect("send");
                }
            }
            _ => drive(who, async move {
                for _ in 0..count {
                    push.send(&payload[..]).await.expect("send");
                }
            }),
        });
        match who {
            Who::Blocking => {
                for _ in 0..count {
                    black_box(touch(pull.blocking_recv().expect("recv").first()));
                }
            }
            _ => drive(who, async move {
                for _ in 0..count {
                    black_box(touch(pull.recv().await.expect("recv").first()));
                }
            }),
        }
        sender.join().expect("the sender");
    }
    let seconds = start.0.elapsed().as_secs_f64();
    Sample {
        value: count as f64 / seconds,
        cpu_us: (cpu_us() - start.1) / count as f64,
    }
}

fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (
        values[values.len() / 2],
        values[0],
        values[values.len() - 1],
    )
}

fn print_row(row: &Row, who: Who, samples: &[Sample], base: Option<f64>) -> f64 {
    let scale = if row.shape == Shape::RoundTrip {
        1.0
    } else {
        1e6
    };
    let (mid, low, high) = median(samples.iter().map(|sample| sample.value / scale).collect());
    let (cpu, ..) = median(samples.iter().map(|sample| sample.cpu_us).collect());
    let unit = if row.shape == Shape::RoundTrip {
        "us p50"
    } else {
        "M/s"
    };
    let ratio = base.map_or(String::new(), |base| match row.shape {
        Shape::RoundTrip => format!("{:.2} of libzmq's", mid / base),
        _ => format!("{:.2} x libzmq", mid / base),
    });
    println!(
        "{:28} {:9} {mid:8.2} {unit:6} ({low:.2}-{high:.2})  cpu {cpu:7.3} us/message  {ratio}",
        row.name,
        format!("{who:?}")
    );
    mid
}

fn main() {
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if arguments.first().is_some_and(|first| first == "--peer") {
        let who = match &*arguments[1] {
            "Libzmq" => Who::Libzmq,
            "Blocking" => Who::Blocking,
            "Current" => Who::Current,
            _ => Who::Multi,
        };
        let shape = if arguments[2] == "Stream" {
            Shape::Stream
        } else {
            Shape::RoundTrip
        };
        if arguments[5] == "pin" {
            pin_to_one_core();
        }
        return peer(
            who,
            shape,
            arguments[3].parse().expect("size"),
            arguments[4].parse().expect("count"),
        );
    }
    let rounds: usize = arguments
        .first()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(5);
    let filter = arguments.get(1).cloned().unwrap_or_default();
    let (major, minor, patch) = zmq::version();
    println!(
        "taipan {} beside libzmq {major}.{minor}.{patch}, {rounds} rounds, medians (min-max)",
        env!("CARGO_PKG_VERSION")
    );
    for row in ROWS.iter().filter(|row| row.name.contains(&filter)) {
        let everyone = [Who::Libzmq, Who::Blocking, Who::Current, Who::Multi];
        let mut samples = vec![Vec::new(); everyone.len()];
        for _ in 0..rounds {
            for (who, samples) in everyone.iter().zip(&mut samples) {
                samples.push(match row.shape {
                    Shape::Inproc => inproc(*who, row),
                    _ if row.pin => thread::scope(|scope| {
                        let pinned = scope.spawn(|| {
                            pin_to_one_core();
                            two_processes(*who, row)
                        });
                        pinned.join().expect("the pinned thread")
                    }),
                    _ => two_processes(*who, row),
                });
            }
        }
        let mut base = None;
        for (who, samples) in everyone.iter().zip(&samples) {
            let mid = print_row(row, *who, samples, base);
            base = base.or(Some(mid));
        }
    }
}
