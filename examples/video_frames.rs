//! Frames of 8 MiB for several processes, and no copy of any: the publisher draws each frame in the memory that it
//! shares with its subscribers, and they read it there. This program starts itself again for each of them.
//!
//! `slow` takes its time and keeps the last frames it got, so it misses some. That costs the others nothing: the
//! memory of a frame is used again when the last subscriber has let go of it, and a loan never waits.
//!
//! How fast it went is told on stderr.
//!
//! Expected output:
//! publisher: drew 100 frames, all of them in shared memory, none copied
//! first: got every frame, all of them whole, none copied
//! second: got every frame, all of them whole, none copied
//! slow: got what it had time for, all of it whole, none copied

use std::collections::VecDeque;
use std::error::Error;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use taipan::{Context, Endpoint, Message, Options, Pub, Pull, Push, Sub};

const WIDTH: usize = 2048;
const HEIGHT: usize = 1024;
/// Four bytes a pixel.
const FRAME: usize = WIDTH * HEIGHT * 4;
const FRAMES: u64 = 100;
/// Frames that wait for a subscriber at most: so many at each end.
const WAITING: usize = 2;
/// Frames that `first` and `second` may lag behind. Fewer than wait for them, so they miss none.
const LAG: u64 = 3;
/// Frames that `slow` keeps.
const KEPT: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [name, frames, reports] => subscriber(name, frames.parse()?, reports.parse()?),
        _ => publisher(),
    }
}

fn publisher() -> Result<(), Box<dyn Error>> {
    let context = Context::new();
    let mut options = Options::default();
    options.send_hwm = WAITING;
    // All that wait and are kept, and some to draw: 192 MiB, of which only used pages are memory.
    options.shared_memory.pool_bytes = 24 * FRAME;
    let frames = Pub::with_options(&context, options)?;
    let reports = Pull::new(&context);
    let (frames_at, reports_at) = (frames.bind("ipc://*")?, reports.bind("ipc://*")?);
    let names = ["first", "second", "slow"];
    let children = names.map(|name| start(name, &frames_at, &reports_at));
    frames.blocking_wait_for_subscribers(children.len(), None);

    let began = Instant::now();
    let (mut shared, mut seen) = (0, [0, 0]);
    for number in 0..FRAMES {
        let mut frame = frames.loan(FRAME)?;
        shared += u64::from(frame.is_shared());
        draw(&mut frame, number);
        let sum = checksum(&frame);
        let mut message = Message::from(format!("{number} {sum}"));
        message.push_back(frame);
        frames.blocking_send(message)?;
        // `first` and `second` say so for each frame they have seen.
        while seen.iter().any(|seen| seen + LAG <= number) {
            seen[usize::from(reports.blocking_recv()? == "second")] += 1;
        }
    }
    let all = if shared == FRAMES { "all" } else { "not all" };
    let pool = frames.stats().pool.ok_or("no frame was loaned")?;
    let copied = if pool.copies + pool.exhausted == 0 {
        "none"
    } else {
        "some"
    };
    println!("publisher: drew {FRAMES} frames, {all} of them in shared memory, {copied} copied");

    // One that is full may miss the end, too.
    reports.update_options(|options| options.recv_timeout = Some(Duration::from_millis(10)))?;
    let (mut told, mut delivered) = (Vec::new(), 0);
    while told.len() < names.len() {
        frames.blocking_send("end")?;
        while let Ok(report) = reports.blocking_recv() {
            if report.is_multipart() {
                delivered += std::str::from_utf8(&report[1])?.parse::<u64>()?;
                told.push(report.as_str()?.to_owned());
            }
        }
    }
    let time = began.elapsed().as_secs_f64();
    told.sort_by_key(|line| names.iter().position(|name| line.starts_with(name)));
    println!("{}", told.join("\n"));
    eprintln!(
        "{:.0} frames/s published, {delivered} delivered to all: {:.2} GB/s; {} dropped for `slow`",
        FRAMES as f64 / time,
        delivered as f64 * FRAME as f64 / time / 1e9,
        frames.stats().drops.total(),
    );
    for child in children {
        child?.wait()?;
    }
    Ok(())
}

fn start(name: &str, frames: &Endpoint, reports: &Endpoint) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args([name, &frames.to_string(), &reports.to_string()])
        .spawn()
}

fn subscriber(name: &str, frames_at: Endpoint, reports_at: Endpoint) -> Result<(), Box<dyn Error>> {
    let context = Context::new();
    let mut options = Options::default();
    options.recv_hwm = WAITING;
    // The publisher may die.
    options.recv_timeout = Some(Duration::from_secs(20));
    let frames = Sub::with_options(&context, options)?;
    frames.subscribe("")?;
    let reports = Push::new(&context);
    reports.connect(reports_at)?;
    frames.connect(frames_at)?;

    let slow = name == "slow";
    let keep = if slow { KEPT } else { 1 };
    let mut kept = VecDeque::new();
    let (mut seen, mut whole) = (0, true);
    loop {
        let message = frames.blocking_recv()?;
        if message == "end" {
            break;
        }
        // Where the publisher has drawn it: what is received is a view.
        let sum = checksum(message.last());
        whole &= message.as_str()?.ends_with(&format!(" {sum}"));
        seen += 1;
        if kept.len() == keep {
            kept.pop_front();
        }
        kept.push_back(message);
        if slow {
            std::thread::sleep(Duration::from_millis(50));
        } else {
            reports.blocking_send(name)?;
        }
    }
    let shared = frames.stats().peers.iter().all(|peer| peer.shared_memory);
    // Frames are in hand: copies of them would be in this process's own memory.
    let copied = own_memory().is_none_or(|bytes| bytes >= FRAME);
    let got = match (slow, seen == FRAMES, whole) {
        (_, _, false) => "damaged frames",
        (true, _, _) => "what it had time for, all of it whole",
        (false, true, _) => "every frame, all of them whole",
        (false, false, _) => "not every frame",
    };
    let how = if shared && !copied { "none" } else { "some" };
    let report = format!("{name}: got {got}, {how} copied");
    reports.blocking_send(Message::from_frames([report, seen.to_string()]))?;
    Ok(())
}

/// A gradient that moves, by one pixel a row and a frame.
fn draw(frame: &mut [u8], number: u64) {
    let start = number as usize % WIDTH;
    let colour = |at: usize| {
        [
            (at * 256 / WIDTH) as u8,
            (at / 4) as u8,
            255 - at as u8,
            255,
        ]
    };
    let gradient: Vec<u8> = (start..start + WIDTH + HEIGHT)
        .flat_map(|at| colour(at % WIDTH))
        .collect();
    for (y, row) in frame.chunks_exact_mut(WIDTH * 4).enumerate() {
        row.copy_from_slice(&gradient[y * 4..][..WIDTH * 4]);
    }
}

/// Of every byte of a frame.
fn checksum(frame: &[u8]) -> u64 {
    let (words, _) = frame.as_chunks::<8>();
    words.iter().fold(0, |sum: u64, word| {
        sum.rotate_left(1) ^ u64::from_le_bytes(*word)
    })
}

/// The memory that this process shares with nobody, in bytes, if the system says.
fn own_memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}
