//! The loops of both ends, once for every peer that is called in a thread. `peers/taipan_async.rs` has them in async.
//!
//! They are generic over the two small traits that a peer's sockets implement, so nothing but the peer's own code is
//! between them and the messages.

use crate::Outcome;
use crate::job::Job;
use crate::lines::{Fars, report_and_stay, say};
use crate::meter::{FarReport, Mark, Sample, cpu_us, now_ns, percentiles};
use crate::payload::{check, tag};

/// Sends one message of `len` bytes, each of them written anew as `tag`; waits while the far end is full.
pub trait Sends {
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()>;
}

/// Receives one message, reads all its bytes, and says how many there were and their sum.
pub trait Receives {
    fn recv(&mut self) -> Outcome<(usize, u64)>;
}

/// The near end of a stream or a fan-out.
pub fn send_all(end: &mut impl Sends, mut fars: Fars, job: &Job) -> Outcome<Sample> {
    let size = job.cell.size;
    for index in 0..job.warm_up {
        end.send(size, tag(index))?;
    }
    fars.all_say("warm")?;
    let start = Mark::now()?;
    for index in job.warm_up..job.total() {
        end.send(size, tag(index))?;
    }
    streamed(job, &start, fars)
}

/// The far end of a stream or a fan-out.
pub fn receive_all(end: &mut impl Receives, job: &Job) -> Outcome<()> {
    let size = job.cell.size;
    say("ready")?;
    for index in 0..job.warm_up {
        check(index, size, end.recv()?)?;
    }
    let start = cpu_us()?;
    say("warm")?;
    for index in job.warm_up..job.total() {
        check(index, size, end.recv()?)?;
    }
    report_and_stay(FarReport {
        end_ns: now_ns()?,
        cpu_us: cpu_us()? - start,
    })
}

/// The near end of round trips.
pub fn ask(end: &mut (impl Sends + Receives), fars: Fars, job: &Job) -> Outcome<Sample> {
    let size = job.cell.size;
    let mut times = Vec::with_capacity(job.count);
    for index in 0..job.warm_up {
        end.send(size, tag(index))?;
        check(index, size, end.recv()?)?;
    }
    let start = Mark::now()?;
    for index in job.warm_up..job.total() {
        let asked = now_ns()?;
        end.send(size, tag(index))?;
        let answer = end.recv()?;
        times.push(now_ns()? - asked);
        check(index, size, answer)?;
    }
    asked(job, &start, times, fars)
}

/// The far end of round trips: answers with a message of its own.
pub fn answer(end: &mut (impl Sends + Receives), job: &Job) -> Outcome<()> {
    let size = job.cell.size;
    say("ready")?;
    let mut start = 0.0;
    for index in 0..job.total() {
        if index == job.warm_up {
            start = cpu_us()?;
        }
        check(index, size, end.recv()?)?;
        end.send(size, tag(index))?;
    }
    report_and_stay(FarReport {
        end_ns: now_ns()?,
        cpu_us: cpu_us()? - start,
    })
}

/// What a stream yielded, when its last message was sent.
pub fn streamed(job: &Job, start: &Mark, mut fars: Fars) -> Outcome<Sample> {
    let reports = fars.reports()?;
    let near_cpu_us = start.cpu_since()?;
    fars.end()?;
    let end_ns = reports.iter().map(|report| report.end_ns).max();
    let end_ns = end_ns.ok_or("no far ends")?;
    let messages = (job.count * reports.len()) as u64;
    Ok(Sample {
        seconds: end_ns.saturating_sub(start.at_ns) as f64 / 1e9,
        messages,
        bytes: messages * job.cell.size as u64,
        near_cpu_us,
        far_cpu_us: reports.iter().map(|report| report.cpu_us).sum(),
        latency_us: None,
    })
}

/// What round trips yielded, when the last answer was there.
pub fn asked(job: &Job, start: &Mark, times: Vec<u64>, mut fars: Fars) -> Outcome<Sample> {
    let end_ns = now_ns()?;
    let near_cpu_us = start.cpu_since()?;
    let reports = fars.reports()?;
    fars.end()?;
    Ok(Sample {
        seconds: end_ns.saturating_sub(start.at_ns) as f64 / 1e9,
        messages: job.count as u64,
        bytes: (job.count * job.cell.size) as u64,
        near_cpu_us,
        far_cpu_us: reports.iter().map(|report| report.cpu_us).sum(),
        latency_us: Some(percentiles(times)),
    })
}
