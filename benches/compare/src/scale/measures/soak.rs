//! taipan under mixed traffic with connections that come and go, for as long as it is told to: does memory stay flat?
//!
//! Four threads run episodes one after the other, each with new sockets (and the fourth with a new context): a pipeline
//! over tcp, publishing over ipc with subscribers that leave, questions within the process, and large messages through
//! shared memory. Every message is checked. Memory, descriptors and threads are sampled once a second; what is compared are
//! the medians of the first and the last quarter of the samples after the warm-up. The only process is this one.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use taipan::{Context, Dealer, Options, Pub, Pull, Push, Rep, Req, Router, Sub};

use super::super::task::{Near, Task};
use super::{Measure, descriptors, resident_kib};
use crate::Outcome;
use crate::model::Spread;

pub const MEASURE: Measure = Measure {
    name: "soak",
    title: "Mixed traffic with sockets that come and go, all in one process: resident memory, open descriptors and threads, \
            medians of the first and the last quarter of what was sampled each second after a tenth as warm-up. Flat is a \
            growth of less than 10 % or 256 KiB.",
    step: "processes",
    columns: &[
        "episodes",
        "messages",
        "KiB, first quarter",
        "KiB, last quarter",
        "KiB at most",
        "descriptors, first quarter",
        "last quarter",
        "threads, first quarter",
        "last quarter",
        "flat (1 is yes)",
    ],
    steps: &[1],
    few_steps: &[1],
    peers: &["taipan"],
    usual: false,
    near,
    far,
};

const EVERY: Duration = Duration::from_secs(1);
/// Growth that is none: a part of what there was, or so much. One leaked allocation of 64 bytes an episode would double
/// the memory in ten minutes; what allocators keep differs by a few percent.
const FLAT: f64 = 0.1;
const FLAT_KIB: f64 = 256.0;
/// How long anything may take that should take milliseconds.
const SOON: Option<Duration> = Some(Duration::from_secs(20));

/// What has been done so far.
#[derive(Default)]
struct Done {
    episodes: AtomicU64,
    messages: AtomicU64,
    over: AtomicBool,
}

/// One look at the process.
struct Look {
    kib: f64,
    descriptors: f64,
    threads: f64,
}

/// Runs an episode in a context, numbered; how many messages arrived.
type Episode = fn(&Context, u64) -> Outcome<u64>;

const EPISODES: [Episode; 4] = [pipeline, publishing, questions, large];

fn near(task: &Task) -> Outcome<Vec<f64>> {
    let done = Arc::new(Done::default());
    let workers = EPISODES.map(|episode| {
        let done = done.clone();
        thread::spawn(move || work(episode, &done))
    });
    let looks = look_on(Duration::from_secs(task.seconds), &done, || {
        workers.iter().any(|worker| worker.is_finished())
    });
    done.over.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    verdict(&looks?, &done)
}

fn far(_: &Task, _: &mut Near) -> Outcome<()> {
    Err("the soak has no far end".into())
}

/// Looks once a second, until the time is over or a worker has failed.
fn look_on(time: Duration, done: &Done, failed: impl Fn() -> bool) -> Outcome<Vec<Look>> {
    let start = Instant::now();
    let mut looks = Vec::new();
    while start.elapsed() < time && !failed() {
        thread::sleep(EVERY);
        looks.push(Look {
            kib: resident_kib()?,
            descriptors: descriptors()? as f64,
            threads: fs::read_dir("/proc/self/task")?.count() as f64,
        });
        if looks.len().is_multiple_of(30) {
            eprintln!(
                "  {} s: {} KiB, {} episodes, {} messages",
                looks.len(),
                looks[looks.len() - 1].kib,
                done.episodes.load(Ordering::Relaxed),
                done.messages.load(Ordering::Relaxed),
            );
        }
    }
    Ok(looks)
}

fn verdict(looks: &[Look], done: &Done) -> Outcome<Vec<f64>> {
    let after = &looks[looks.len() / 10..];
    let quarter = after.len().div_ceil(4);
    let (first, last) = (&after[..quarter], &after[after.len() - quarter..]);
    let of = |looks: &[Look], figure: fn(&Look) -> f64| {
        Spread::of(looks.iter().map(figure)).ok_or("no samples: it was too short")
    };
    let kib = |looks| of(looks, |look| look.kib);
    let before = kib(first)?.median;
    let growth = kib(last)?.median - before;
    let flat = growth < FLAT_KIB.max(before * FLAT);
    Ok(vec![
        done.episodes.load(Ordering::Relaxed) as f64,
        done.messages.load(Ordering::Relaxed) as f64,
        before,
        before + growth,
        kib(looks)?.max,
        of(first, |look| look.descriptors)?.median,
        of(last, |look| look.descriptors)?.median,
        of(first, |look| look.threads)?.median,
        of(last, |look| look.threads)?.median,
        f64::from(u8::from(flat)),
    ])
}

/// Episode after episode; every twentieth has a new context for itself and those after it.
fn work(episode: Episode, done: &Done) -> Outcome<()> {
    let mut context = Context::new();
    for number in 1.. {
        if done.over.load(Ordering::Relaxed) {
            break;
        }
        if number % 20 == 0 {
            context = Context::new();
        }
        let messages = episode(&context, number)?;
        done.episodes.fetch_add(1, Ordering::Relaxed);
        done.messages.fetch_add(messages, Ordering::Relaxed);
    }
    Ok(())
}

fn check(what: bool, wrong: &'static str) -> Outcome<()> {
    if what { Ok(()) } else { Err(wrong.into()) }
}

/// Three PUSH come one after the other to a PULL over tcp, and leave.
fn pipeline(context: &Context, number: u64) -> Outcome<u64> {
    const MESSAGES: u64 = 2_000;
    let pull = Pull::new(context);
    let endpoint = pull.bind("tcp://127.0.0.1:*")?;
    for sender in 0..3 {
        let push = Push::new(context);
        push.connect(endpoint.clone())?;
        let payload = [(number + sender) as u8; 64];
        let sending = thread::spawn(move || -> Outcome<()> {
            for _ in 0..MESSAGES {
                push.blocking_send(&payload[..])?;
            }
            Ok(())
        });
        for _ in 0..MESSAGES {
            check(
                pull.blocking_recv()?.first()[..] == payload,
                "not what was pushed",
            )?;
        }
        sending.join().map_err(|_| "the sender panicked")??;
    }
    Ok(3 * MESSAGES)
}

/// A PUB over ipc, and subscribers of which half leave in the middle.
fn publishing(context: &Context, number: u64) -> Outcome<u64> {
    const MESSAGES: u64 = 500;
    let mut options = Options::default();
    options.xpub_nodrop = true;
    let publisher = Pub::with_options(context, options)?;
    let name = format!("ipc://@taipan-soak-{}-{number}", std::process::id());
    let endpoint = publisher.bind(&*name)?;
    let mut subscribers = Vec::new();
    for _ in 0..6 {
        let subscriber = Sub::new(&Context::new());
        subscriber.subscribe("even")?;
        subscriber.subscribe("odd")?;
        subscriber.connect(endpoint.clone())?;
        subscribers.push(subscriber);
    }
    check(
        publisher.blocking_wait_for_subscribers(6, SOON),
        "nobody subscribed",
    )?;
    let mut got = 0;
    for count in [6, 3] {
        subscribers.truncate(count);
        for message in 0..MESSAGES {
            let topic = ["even", "odd"][message as usize % 2];
            publisher.blocking_send(format!("{topic} {message} of {number}"))?;
            for subscriber in &subscribers {
                let there = subscriber.blocking_recv()?;
                check(
                    there.first().starts_with(topic.as_bytes()),
                    "not what was published",
                )?;
                got += 1;
            }
        }
    }
    Ok(got)
}

/// REQ and REP within the process, then over tcp.
fn questions(context: &Context, number: u64) -> Outcome<u64> {
    const QUESTIONS: u64 = 1_000;
    for place in [&*format!("inproc://soak-{number}"), "tcp://127.0.0.1:*"] {
        let answers = Rep::new(context);
        let endpoint = answers.bind(place)?;
        let asks = Req::new(context);
        asks.connect(endpoint)?;
        let answering = thread::spawn(move || -> Outcome<()> {
            for _ in 0..QUESTIONS {
                let question = answers.blocking_recv()?;
                answers.blocking_send(question)?;
            }
            Ok(())
        });
        for question in 0..QUESTIONS {
            let text = format!("{question} of {number}");
            asks.blocking_send(text.clone())?;
            check(asks.blocking_recv()? == *text, "not what was asked")?;
        }
        answering.join().map_err(|_| "the answerer panicked")??;
    }
    Ok(2 * QUESTIONS)
}

/// Large messages there and back between DEALER and ROUTER over ipc, which is shared memory.
fn large(context: &Context, number: u64) -> Outcome<u64> {
    const MESSAGES: u64 = 100;
    let router = Router::new(context);
    let name = format!("ipc://@taipan-soak-large-{}-{number}", std::process::id());
    let endpoint = router.bind(&*name)?;
    let dealer = Dealer::new(&Context::new());
    dealer.connect(endpoint)?;
    for message in 0..MESSAGES {
        let size = [100, 10_000, 300_000][message as usize % 3];
        dealer.blocking_send(vec![message as u8; size])?;
        router.blocking_send(router.blocking_recv()?)?;
        let back = dealer.blocking_recv()?;
        let whole = back.first().len() == size && back.first()[size - 1] == message as u8;
        check(whole, "not what was sent")?;
    }
    Ok(2 * MESSAGES)
}
