//! How exactly rates are held in real time: `cargo bench --features throttle --bench throttle [-- SECONDS]`.
//!
//! Each row sends for so long (10 s) from one thread to another at a rate, through a socket with a budget and through
//! a link with one, and prints
//!
//! - `held`: what passed from the first message after the burst on, in percent of the rate;
//! - `excess`: the most that was beyond `rate * window` in any window, in percent of the burst (or of a message, if that
//!   is larger), as the receiver saw it; a receiver that is late sees more than there was;
//! - `cpu`: CPU time of the whole process in percent of one processor, the sending itself included;
//! - `naps`: messages that had to wait.
//!
//! Rates that no memory carries at this size (millions of messages a second) have no row, nor have messages that take
//! longer than the time. `-- count plain|wrapped|unlimited|limited|link N` sends and receives N messages of 16 bytes in
//! one thread in process and prints nothing: for counting instructions (`valgrind --tool=callgrind`), what N and 2 N
//! differ by.

use std::env;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use taipan::throttle::{Budget, Limits, LinkBudgets, Throttled, throttle_links};
use taipan::{Context, Message, Options, Pull, Push};

const RATES: [(u64, &str); 5] = [
    (10_000, "10 kB/s"),
    (1_000_000, "1 MB/s"),
    (20_000_000, "20 MB/s"),
    (200_000_000, "200 MB/s"),
    (1_000_000_000, "1 GB/s"),
];
const SIZES: [(usize, &str); 6] = [
    (1, "1 B"),
    (64, "64 B"),
    (1 << 10, "1 KiB"),
    (64 << 10, "64 KiB"),
    (1 << 20, "1 MiB"),
    (64 << 20, "64 MiB"),
];
const WAYS: [(&str, &str); 3] = [
    ("inproc", "inproc://bench"),
    ("tcp", "tcp://127.0.0.1:*"),
    ("ipc", "ipc://*"),
];
/// More messages a second than a link is sure to carry with everything else that goes on here.
const MOST_MESSAGES: u64 = 1_000_000;

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

struct Seen {
    /// Bytes after the first message, and the time they took.
    bytes: u64,
    time: Duration,
    /// Bytes beyond the rate in the worst window.
    excess: f64,
}

/// Receives until an empty message, and looks at what arrives before `over`.
fn receive(pull: &Pull, rate: u64, burst: u64, over: Instant) -> Seen {
    let (mut bytes, mut owed, mut excess, mut skipped) = (0u64, 0.0f64, 0.0f64, 0u64);
    let (mut start, mut last) = (Instant::now(), Instant::now());
    let mut end = start;
    loop {
        let message = pull.blocking_recv().expect("receive");
        let (size, now) = (message.byte_len() as u64, Instant::now());
        if size == 0 {
            return Seen {
                bytes,
                time: end - start,
                excess,
            };
        }
        if now > over {
            continue;
        }
        owed = (owed - (now - last).as_secs_f64() * rate as f64).max(0.0) + size as f64;
        (excess, last) = (excess.max(owed), now);
        // What was saved at the beginning is not the rate.
        if skipped < burst.max(size) {
            skipped += size;
            start = now;
        } else {
            bytes += size;
            end = now;
        }
    }
}

fn row(way: (&str, &str), link: bool, rate: (u64, &str), size: (usize, &str), time: Duration) {
    let context = Context::new();
    let mut options = Options::default();
    // Memory: large messages wait in tens, not in thousands.
    options.send_hwm_bytes = 128 << 20;
    options.recv_hwm_bytes = 128 << 20;
    let pull = Pull::with_options(&context, options.clone()).expect("options");
    let push = Push::with_options(&context, options).expect("options");
    let budget = Budget::new(Limits::bytes(rate.0)).expect("limits");
    if link {
        let own = budget.clone();
        throttle_links(&push, move |_| LinkBudgets::sending(&own));
    }
    push.connect(pull.bind(way.1).expect("bind"))
        .expect("connect");
    assert!(push.blocking_wait_for_peers(1, None), "connected");
    let burst = rate.0 / 20;
    let (held, cpu) = (rate.0, cpu_seconds());
    let over = Instant::now() + time;
    let receiver = thread::spawn(move || receive(&pull, held, burst, over));
    let slow = match link {
        true => Throttled::new(&push),
        false => Throttled::new(&push).sending(&budget),
    };
    let message = Message::from(vec![7; size.0]);
    let begin = Instant::now();
    let every = (65_536 / size.0).clamp(1, 256);
    for number in 0.. {
        if number % every == 0 && Instant::now() >= over {
            break;
        }
        slow.blocking_send(message.clone()).expect("send");
    }
    if link {
        // What waits at the gate is not measured any more.
        budget.set(Limits::none()).expect("limits");
    }
    let waited = budget.stats().delayed;
    let sent = begin.elapsed();
    slow.socket().blocking_send("").expect("send");
    let seen = receiver.join().expect("the receiver");
    let cpu = (cpu_seconds() - cpu) / sent.as_secs_f64() * 100.0;
    println!(
        "| {} | {} | {} | {} | {:.2} % | {:.0} % | {:.1} % | {} |",
        rate.1,
        size.1,
        way.0,
        if link { "link" } else { "socket" },
        seen.bytes as f64 / seen.time.as_secs_f64() / rate.0 as f64 * 100.0,
        seen.excess / burst.max(size.0 as u64) as f64 * 100.0,
        cpu,
        waited,
    );
}

fn table(time: Duration) {
    println!("| rate | size | transport | where | held | excess | cpu | naps |");
    println!("|---|---|---|---|---|---|---|---|");
    for rate in RATES {
        for size in SIZES {
            let bytes = size.0 as u64;
            if rate.0 / bytes > MOST_MESSAGES
                || bytes as f64 > rate.0 as f64 * time.as_secs_f64() / 10.0
            {
                continue;
            }
            row(WAYS[0], false, rate, size, time);
        }
    }
    for way in WAYS {
        for link in [false, true] {
            row(way, link, RATES[2], SIZES[2], time);
            row(way, link, RATES[3], SIZES[4], time);
        }
    }
}

/// One message after the other, sent and received in one thread.
fn count(what: &str, messages: u64) {
    let context = Context::new();
    let (pull, push) = (Pull::new(&context), Push::new(&context));
    let budget = |limits| Budget::new(limits).expect("limits");
    let plenty = budget(Limits::bytes(1_000_000_000_000));
    if what == "link" {
        let own = plenty.clone();
        throttle_links(&push, move |_| LinkBudgets::sending(&own));
    }
    pull.bind("inproc://count").expect("bind");
    push.connect("inproc://count").expect("connect");
    let wrapped = match what {
        "plain" | "link" => None,
        "wrapped" => Some(Throttled::new(&push)),
        "unlimited" => Some(Throttled::new(&push).sending(&budget(Limits::none()))),
        "limited" => Some(Throttled::new(&push).sending(&plenty)),
        other => panic!("count plain, wrapped, unlimited, limited or link, not {other}"),
    };
    for _ in 0..messages {
        let message = Message::from(&b"sixteen bytes ok"[..]);
        match &wrapped {
            None => push.try_send(message).expect("send"),
            Some(push) => push.try_send(message).expect("send"),
        }
        black_box(pull.try_recv().expect("receive"));
    }
}

fn main() {
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["count", what, messages] => count(what, messages.parse().expect("a number")),
        [seconds] => table(Duration::from_secs_f64(seconds.parse().expect("seconds"))),
        _ => table(Duration::from_secs(10)),
    }
}
