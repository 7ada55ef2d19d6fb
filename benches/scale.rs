//! What many peers and many messages cost: `cargo bench --bench scale [-- connections|slow-consumer] [COUNT]`.
//!
//! - `connections`: COUNT (10,000) idle tcp connections on one ROUTER: time to accept and greet a thousand of them at
//!   the beginning and at the end, time to lose a thousand, and the memory of the process for each.
//! - `slow-consumer`: COUNT (100,000,000) messages of 16 bytes through PUSH and PULL over tcp, the receiver pausing now
//!   and then: resident memory at each tenth.
//!
//! Prints figures, asserts none.

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use taipan::{Context, Options, Pull, Push, Router};

/// What a DEALER says first: a greeting with the NULL mechanism, and READY.
fn hello() -> Vec<u8> {
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1];
    bytes.extend_from_slice(b"NULL");
    bytes.resize(64, 0);
    bytes.extend_from_slice(
        b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00",
    );
    bytes
}

/// Opens connections for as long as it lives: prints a line for each thousand that were greeted, and closes the last
/// thousand when it is told to.
fn client(address: &str, count: usize) {
    let mut streams = Vec::with_capacity(count);
    let hello = hello();
    for index in 0..count {
        let mut stream = TcpStream::connect(address).expect("connect");
        stream.write_all(&hello).expect("write");
        let mut answer = [0; 64];
        stream.read_exact(&mut answer).expect("a greeting");
        streams.push(stream);
        if (index + 1) % 1000 == 0 {
            println!("{}", index + 1);
        }
    }
    std::io::stdin()
        .read_exact(&mut [0])
        .expect("told to go on");
    streams.truncate(count.saturating_sub(1000));
    std::io::stdin().read_exact(&mut [0]).expect("told to end");
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(0)
}

fn wait_for(router: &Router, wanted: impl Fn(usize) -> bool) {
    while !wanted(router.peer_count()) {
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn connections(count: usize) {
    let context = Context::new();
    let mut options = Options::default();
    options.backlog = 4096;
    let router = Router::with_options(&context, options).expect("options");
    let endpoint = router.bind("tcp://127.0.0.1:*").expect("bind").to_string();
    let before = resident_kib();
    let program = env::current_exe().expect("our own path");
    let mut child: Child = Command::new(program)
        .args([
            "--client",
            endpoint.trim_start_matches("tcp://"),
            &count.to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the client starts");
    let mut input = child.stdin.take().expect("piped");
    let mut thousand = Instant::now();
    for reached in (1000..=count).step_by(1000) {
        wait_for(&router, |peers| peers >= reached);
        let each = thousand.elapsed().as_secs_f64() * 1e6 / 1000.0;
        let memory = (resident_kib().saturating_sub(before)) as f64 / reached as f64;
        println!(
            "{reached:6} connections: {each:6.1} us to accept and greet each of the last thousand, {memory:.2} KiB resident each"
        );
        thousand = Instant::now();
    }
    let lost = Instant::now();
    input.write_all(b"x").expect("tell");
    wait_for(&router, |peers| peers <= count - 1000);
    println!(
        "{:6.1} us to lose each of a thousand, {} left",
        lost.elapsed().as_secs_f64() * 1e6 / 1000.0,
        router.peer_count()
    );
    input.write_all(b"x").expect("tell");
    child.wait().expect("the client ends");
    wait_for(&router, |peers| peers == 0);
    println!(
        "{:6} connections: {} KiB resident more than at the start",
        0,
        resident_kib().saturating_sub(before)
    );
}

fn slow_consumer(count: usize) {
    let context = Context::new();
    let pull = Pull::new(&context);
    let endpoint = pull.bind("tcp://127.0.0.1:*").expect("bind");
    let push = Push::new(&context);
    push.connect(endpoint).expect("connect");
    let sender = std::thread::spawn(move || {
        for index in 0..count as u64 {
            let mut payload = [0; 16];
            payload[..8].copy_from_slice(&index.to_be_bytes());
            push.blocking_send(payload).expect("send");
        }
    });
    let start = Instant::now();
    for index in 0..count as u64 {
        let message = pull.blocking_recv().expect("recv");
        assert_eq!(
            message.first()[..8],
            index.to_be_bytes(),
            "in order, none missing"
        );
        if index % 1_000_000 == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        if (index + 1) % (count as u64 / 10) == 0 {
            println!(
                "{:11} messages, {:6.1} s, {} KiB resident",
                index + 1,
                start.elapsed().as_secs_f64(),
                resident_kib()
            );
        }
    }
    sender.join().expect("the sender");
}

fn main() {
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let number = |at: usize, default| {
        arguments
            .get(at)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    match arguments.first().map(String::as_str) {
        Some("--client") => client(&arguments[1], number(2, 1000)),
        Some("slow-consumer") => slow_consumer(number(1, 100_000_000)),
        Some("connections") => connections(number(1, 10_000)),
        _ => {
            connections(10_000);
            slow_consumer(10_000_000);
        }
    }
}
