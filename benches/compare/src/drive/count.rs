//! What is counted and timed in a run: shared by the loops for threads and for tasks.

use std::ops::Range;

use crate::Outcome;
use crate::cells::Course;
use crate::job::Job;
use crate::meter::{FarReport, Mark, Sample, Usage, now_ns, percentiles};

/// The two parts of a run.
pub fn phases(job: &Job) -> [Range<usize>; 2] {
    [0..job.warm_up, job.warm_up..job.total()]
}

/// The part of so many messages that far end `index` sends.
pub fn portion(job: &Job, messages: usize, index: usize) -> usize {
    let ends = job.cell.far_ends();
    messages / ends + usize::from(index < messages % ends)
}

/// End markers that are sent without a pause; after that, something is slow and need not be flooded.
pub const BRISK_MARKERS: usize = 64;

/// The times of round trips. Replies come in the order of the questions. One reading of the clock serves for a reply
/// and the question that follows it.
pub struct Clock {
    asked: Vec<u64>,
    times: Vec<u64>,
    now: u64,
}

impl Clock {
    pub fn new(job: &Job, in_flight: usize) -> Outcome<Clock> {
        Ok(Clock {
            asked: vec![0; in_flight],
            times: Vec::with_capacity(job.total()),
            now: now_ns()?,
        })
    }

    #[inline]
    pub fn asks(&mut self, index: usize) {
        let at = index % self.asked.len();
        self.asked[at] = self.now;
    }

    #[inline]
    pub fn answered(&mut self, index: usize) -> Outcome<()> {
        self.now = now_ns()?;
        let asked = self.asked[index % self.asked.len()];
        self.times.push(self.now - asked);
        Ok(())
    }

    /// Forgets the warm-up; what is asked next is asked now.
    pub fn restart(&mut self) -> Outcome<()> {
        self.times.clear();
        self.now = now_ns()?;
        Ok(())
    }

    pub fn percentiles(self) -> [f64; 3] {
        percentiles(self.times)
    }
}

/// What a run yielded, from what both sides know.
pub struct Tally<'a> {
    pub job: &'a Job,
    pub start: Mark,
    /// When the near end was done.
    pub near_end_ns: u64,
    pub near_usage: Usage,
    pub latency_us: Option<[f64; 3]>,
}

impl Tally<'_> {
    /// # Errors
    /// If the far ends did not get everything.
    pub fn sample(self, far: FarReport) -> Outcome<Sample> {
        let Tally { job, start, .. } = self;
        let published = match job.cell.course() {
            Course::Out => job.cell.far_ends(),
            Course::Share | Course::Gather | Course::Ask(_) => 1,
        };
        let messages = (job.count * published) as u64;
        if far.messages != messages {
            return Err(format!("{} of {messages} messages arrived", far.messages).into());
        }
        let end_ns = match job.cell.course() {
            Course::Out | Course::Share => far.end_ns,
            Course::Gather | Course::Ask(_) => self.near_end_ns,
        };
        Ok(Sample {
            seconds: end_ns.saturating_sub(start.at_ns) as f64 / 1e9,
            messages,
            bytes: messages * job.cell.size as u64,
            cpu_us: self.near_usage.cpu_us + far.usage.cpu_us,
            sleeps: self.near_usage.sleeps + far.usage.sleeps,
            latency_us: self.latency_us,
        })
    }
}
