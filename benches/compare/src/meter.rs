//! Clocks, CPU time, affinity, and what one run yields.

use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::cells::Placement;

/// Which end of a cell a process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Sends, asks or publishes, and takes the time.
    Near,
    /// Receives, answers or subscribes.
    Far,
}

/// Now, by a clock that all processes share.
pub fn now_ns() -> Outcome<u64> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(Duration::from(time).as_nanos() as u64)
}

/// User and system time of this process and all its threads, in microseconds.
pub fn cpu_us() -> Outcome<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64)
}

/// Binds this process to its CPU. To be called before it has threads, which inherit it.
pub fn place(placement: Placement, role: Role) -> Outcome<()> {
    let cpu = match (placement, role) {
        (Placement::Free, _) => return Ok(()),
        (Placement::Split, Role::Far) => 1,
        (Placement::Split, Role::Near) | (Placement::Same, _) => 0,
    };
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// The start of what is counted.
pub struct Mark {
    pub at_ns: u64,
    pub cpu_us: f64,
}

impl Mark {
    pub fn now() -> Outcome<Self> {
        Ok(Mark {
            cpu_us: cpu_us()?,
            at_ns: now_ns()?,
        })
    }

    /// CPU time of this process since then.
    pub fn cpu_since(&self) -> Outcome<f64> {
        Ok(cpu_us()? - self.cpu_us)
    }
}

/// What a far end says when it has everything.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct FarReport {
    pub end_ns: u64,
    pub cpu_us: f64,
}

/// What one run of one peer in one cell yielded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// From the first message that counts to the last that arrived.
    pub seconds: f64,
    /// Delivered: as often as they were received. Round trips are counted once.
    pub messages: u64,
    pub bytes: u64,
    pub near_cpu_us: f64,
    /// Of all far ends together.
    pub far_cpu_us: f64,
    /// p50, p99 and p99.9 in microseconds, of round trips.
    pub latency_us: Option<[f64; 3]>,
}

impl Sample {
    pub fn messages_per_second(&self) -> f64 {
        self.messages as f64 / self.seconds
    }

    pub fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.seconds
    }

    /// Of both ends.
    pub fn cpu_us_per_message(&self) -> f64 {
        (self.near_cpu_us + self.far_cpu_us) / self.messages as f64
    }
}

/// p50, p99 and p99.9 of nanoseconds, in microseconds.
pub fn percentiles(mut times_ns: Vec<u64>) -> [f64; 3] {
    times_ns.sort_unstable();
    [0.5, 0.99, 0.999].map(|part| {
        let at = ((times_ns.len() as f64 * part) as usize).min(times_ns.len().saturating_sub(1));
        times_ns.get(at).map_or(0.0, |ns| *ns as f64 / 1e3)
    })
}
