//! Clocks, what the kernel knows of a process, affinity, and what one run yields.

use std::ops::Sub;
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
    /// Sends, asks or publishes (or gathers), and takes the time.
    Near,
    /// All far ends.
    Far,
}

/// Now, by a clock that all processes share.
#[inline]
pub fn now_ns() -> Outcome<u64> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(Duration::from(time).as_nanos() as u64)
}

/// Binds this process to its CPU. To be called before it has threads, which inherit it.
pub fn place(placement: Placement, role: Role) -> Outcome<()> {
    let cpu = match (placement, role) {
        (Placement::Free | Placement::OneThread, _) => return Ok(()),
        (Placement::Split, Role::Far) => 1,
        (Placement::Split, Role::Near) | (Placement::Same, _) => 0,
    };
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// What this process and all its threads have used.
#[derive(Clone, Copy, Default, Debug, Serialize, Deserialize)]
pub struct Usage {
    /// User and system time, in microseconds.
    pub cpu_us: f64,
    /// How often a thread went to sleep of its own accord (voluntary context switches).
    pub sleeps: f64,
}

impl Usage {
    pub fn now() -> Outcome<Usage> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        Ok(Usage {
            cpu_us: (usage.user_time() + usage.system_time()).num_microseconds() as f64,
            sleeps: usage.voluntary_context_switches() as f64,
        })
    }
}

impl Sub for Usage {
    type Output = Usage;

    fn sub(self, before: Usage) -> Usage {
        Usage {
            cpu_us: self.cpu_us - before.cpu_us,
            sleeps: self.sleeps - before.sleeps,
        }
    }
}

/// The start of what is counted.
#[derive(Clone, Copy)]
pub struct Mark {
    pub at_ns: u64,
    pub usage: Usage,
}

impl Mark {
    pub fn now() -> Outcome<Self> {
        Ok(Mark {
            usage: Usage::now()?,
            at_ns: now_ns()?,
        })
    }
}

/// What all far ends together say when they have everything.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct FarReport {
    /// When the last of them was done.
    pub end_ns: u64,
    /// Counted messages that they had, all together.
    pub messages: u64,
    /// Nothing if they are in the near end's process.
    pub usage: Usage,
}

/// What one run of one peer in one cell yielded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// From the first message that counts to the last that arrived.
    pub seconds: f64,
    /// Delivered: as often as they were received. Round trips are counted once.
    pub messages: u64,
    pub bytes: u64,
    /// Of both processes.
    pub cpu_us: f64,
    /// Of both processes.
    pub sleeps: f64,
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

    pub fn cpu_us_per_message(&self) -> f64 {
        self.cpu_us / self.messages as f64
    }

    pub fn sleeps_per_message(&self) -> f64 {
        self.sleeps / self.messages as f64
    }

    /// p50, p99 or p99.9.
    pub fn latency(&self, which: usize) -> f64 {
        self.latency_us.map_or(f64::NAN, |times| times[which])
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
