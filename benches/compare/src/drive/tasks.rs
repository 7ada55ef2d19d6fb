//! Peers that are called in tasks of a tokio runtime: what they implement, and the loops of both sides.
//!
//! The loops are those of `threads.rs` with `.await` in them. What waits for the other side besides messages does so
//! in a thread of its own, so that the runtime goes on.

use std::future::pending;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::count::{BRISK_MARKERS, Clock, Tally, phases, portion};
use crate::Outcome;
use crate::cells::{Cell, Course, Placement, Transport};
use crate::control::{COUNTED, Fars, Post, WARM_UP};
use crate::job::Job;
use crate::meter::{FarReport, Mark, Sample, Usage, now_ns};
use crate::payload::{END, Got, WARM, check, check_any, tag};
use crate::peers::{About, Peer};

/// One opened end, as [`End`](super::End) for threads. Implementations write `async fn`.
pub trait TaskEnd: Send + 'static {
    fn send(&mut self, _len: usize, _tag: u8) -> impl Future<Output = Outcome<()>> + Send {
        async { Err("this end does not send".into()) }
    }

    fn recv(&mut self) -> impl Future<Output = Outcome<Got>> + Send {
        async { Err("this end does not receive".into()) }
    }

    fn settle(&mut self, _fars: usize) -> impl Future<Output = Outcome<()>> + Send {
        async { Ok(()) }
    }

    fn flush(&mut self) -> impl Future<Output = Outcome<()>> + Send {
        async { Ok(()) }
    }
}

/// One way to use one library from tasks, as [`Threaded`](super::Threaded). [`Tasks`] makes a [`Peer`] of it.
pub trait Tasked: Send + Sync + 'static {
    type End: TaskEnd;

    fn about(&self) -> About;
    fn lacks(&self, cell: &Cell) -> Option<&'static str>;
    fn near(&self, job: &Job) -> impl Future<Output = Outcome<(Self::End, String)>> + Send;
    fn far(&self, job: &Job, index: usize) -> impl Future<Output = Outcome<Self::End>> + Send;
    fn clean(&self, _run: u32) {}
}

/// A [`Tasked`] peer as a [`Peer`]: one task for each end.
pub struct Tasks<P> {
    peer: P,
    /// Threads of a multi-thread runtime, or 0 for a current-thread runtime.
    workers: usize,
}

impl<P: Tasked> Tasks<P> {
    /// A current-thread runtime for each side; both sides in one where the cell says so.
    pub fn on_current_thread(peer: P) -> Self {
        Tasks { peer, workers: 0 }
    }

    /// A multi-thread runtime of two workers in each process.
    pub fn on_workers(peer: P) -> Self {
        Tasks { peer, workers: 2 }
    }

    fn runtime(&self) -> Outcome<Runtime> {
        let mut builder = match self.workers {
            0 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        if self.workers > 0 {
            builder.worker_threads(self.workers);
        }
        Ok(builder.enable_all().build()?)
    }

    /// Opens the near end, launches the far ends and drives the near one.
    async fn near_side(&'static self, job: Job) -> Outcome<Sample> {
        let (mut end, place) = self.peer.near(&job).await?;
        let job = Job { place, ..job };
        let shared = self.workers > 0 || job.cell.placement == Placement::OneThread;
        let mut fars = match job.cell.transport {
            Transport::Inproc if shared => Fars::here(&job, |posts| self.spawn_fars(&job, posts)),
            Transport::Inproc => Fars::here(&job, |posts| self.far(&job, posts)),
            Transport::Ipc | Transport::Tcp => Fars::launch(&job)?,
        };
        end.settle(job.cell.far_ends()).await?;
        fars = said(fars, "ready").await?;
        fars.go()?;
        near(end, fars, job).await
    }

    /// Starts all far ends in the runtime that this is called in.
    fn spawn_fars(&'static self, job: &Job, posts: Vec<Post>) {
        for post in posts {
            let job = job.clone();
            tokio::spawn(async move {
                let done = async {
                    let mut end = self.peer.far(&job, post.index).await?;
                    far(&mut end, &post, &job).await
                };
                if let Err(error) = done.await {
                    post.failed(&error.to_string());
                }
            });
        }
    }
}

impl<P: Tasked> Peer for Tasks<P> {
    fn about(&self) -> About {
        self.peer.about()
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        if self.workers > 0 && cell.placement == Placement::OneThread {
            return Some("its runtime has two threads");
        }
        self.peer.lacks(cell)
    }

    fn near(&'static self, job: &Job) -> Outcome<Sample> {
        let job = job.clone();
        let runtime = self.runtime()?;
        // As a user would: in a task of its own.
        let sample = runtime.block_on(async { tokio::spawn(self.near_side(job)).await? });
        // Far ends that live here still run, and are not waited for.
        runtime.shutdown_background();
        sample
    }

    fn far(&'static self, job: &Job, posts: Vec<Post>) {
        let job = job.clone();
        thread::spawn(move || {
            let run = || -> Outcome<()> {
                self.runtime()?.block_on(async {
                    self.spawn_fars(&job, posts);
                    pending().await
                })
            };
            if let Err(error) = run() {
                eprintln!("no runtime for the far ends: {error}");
            }
        });
    }

    fn clean(&self, run: u32) {
        self.peer.clean(run);
    }
}

/// Runs what blocks where it blocks nobody.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    Ok(tokio::task::spawn_blocking(work).await?)
}

async fn said(mut fars: Fars, word: &'static str) -> Outcome<Fars> {
    aside(move || fars.all_say(word).map(|()| fars)).await?
}

/// What the near side does.
async fn near<E: TaskEnd>(mut end: E, mut fars: Fars, job: Job) -> Outcome<Sample> {
    let size = job.cell.size;
    let [warm_up, counted] = phases(&job);
    let mut clock = None;
    let mut report = None;
    let start;
    match job.cell.course() {
        Course::Out => {
            send(&mut end, size, warm_up).await?;
            fars = said(fars, "warm").await?;
            start = Mark::now()?;
            fars.go()?;
            send(&mut end, size, counted).await?;
        }
        Course::Share => {
            send(&mut end, size, warm_up).await?;
            let warm = || Ok(fars.have_said("warm")?.then_some(()));
            mark(&mut end, size, WARM, warm).await?;
            start = Mark::now()?;
            fars.go()?;
            send(&mut end, size, counted).await?;
            report = Some(mark(&mut end, size, END, || fars.has_report()).await?);
        }
        Course::Gather => {
            gather(&mut end, size, warm_up).await?;
            fars = said(fars, "warm").await?;
            start = Mark::now()?;
            fars.go()?;
            gather(&mut end, size, counted).await?;
        }
        Course::Ask(in_flight) => {
            let times = clock.insert(Clock::new(&job, in_flight)?);
            ask(&mut end, size, warm_up, in_flight, times).await?;
            fars = said(fars, "warm").await?;
            start = Mark::now()?;
            fars.go()?;
            times.restart()?;
            ask(&mut end, size, counted, in_flight, times).await?;
        }
    }
    let near_end_ns = now_ns()?;
    aside(move || {
        let report: FarReport = match report {
            Some(report) => report,
            None => fars.report()?,
        };
        let near_usage = Usage::now()? - start.usage;
        fars.end()?;
        let tally = Tally {
            job: &job,
            start,
            near_end_ns,
            near_usage,
            latency_us: clock.map(Clock::percentiles),
        };
        tally.sample(report)
    })
    .await?
}

async fn send<E: TaskEnd>(end: &mut E, size: usize, indices: Range<usize>) -> Outcome<()> {
    for index in indices {
        end.send(size, tag(index)).await?;
    }
    end.flush().await
}

async fn gather<E: TaskEnd>(end: &mut E, size: usize, indices: Range<usize>) -> Outcome<()> {
    for _ in indices {
        check_any(size, end.recv().await?)?;
    }
    Ok(())
}

/// Sends markers until every far end has had one.
async fn mark<E: TaskEnd, T>(
    end: &mut E,
    size: usize,
    marker: u8,
    mut all_had_one: impl FnMut() -> Outcome<Option<T>>,
) -> Outcome<T> {
    let mut sent = 0;
    loop {
        if let Some(answer) = all_had_one()? {
            return Ok(answer);
        }
        if sent >= BRISK_MARKERS {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        end.send(size, marker).await?;
        end.flush().await?;
        sent += 1;
    }
}

async fn ask<E: TaskEnd>(
    end: &mut E,
    size: usize,
    indices: Range<usize>,
    in_flight: usize,
    clock: &mut Clock,
) -> Outcome<()> {
    let mut next = indices.start;
    for index in indices.clone() {
        while next < indices.end && next < index + in_flight {
            clock.asks(next);
            end.send(size, tag(next)).await?;
            next += 1;
        }
        let answer = end.recv().await?;
        clock.answered(index)?;
        check(index, size, answer)?;
    }
    Ok(())
}

/// What a far end does.
async fn far<E: TaskEnd>(end: &mut E, post: &Post, job: &Job) -> Outcome<()> {
    let size = job.cell.size;
    let [warm_up, counted] = phases(job);
    post.ready()?;
    match job.cell.course() {
        Course::Out => {
            receive(end, size, warm_up).await?;
            post.warm()?;
            receive(end, size, counted).await?;
            post.done(job.count)?;
        }
        Course::Share => {
            receive_until(end, size, WARM).await?;
            post.warm()?;
            post.done(receive_until(end, size, END).await?)?;
            // Markers that are meant for others go on coming.
            loop {
                end.recv().await?;
            }
        }
        Course::Gather => {
            let gate = post.gate();
            aside(move || gate.pass(WARM_UP)).await?;
            send(end, size, 0..portion(job, job.warm_up, post.index)).await?;
            post.warm()?;
            let gate = post.gate();
            aside(move || gate.pass(COUNTED)).await?;
            let count = portion(job, job.count, post.index);
            send(end, size, 0..count).await?;
            post.done(count)?;
        }
        Course::Ask(_) => {
            answer(end, size, warm_up).await?;
            post.warm()?;
            answer(end, size, counted).await?;
            post.done(job.count)?;
        }
    }
    // The end stays open until the process is gone.
    pending().await
}

async fn receive<E: TaskEnd>(end: &mut E, size: usize, indices: Range<usize>) -> Outcome<()> {
    for index in indices {
        check(index, size, end.recv().await?)?;
    }
    Ok(())
}

async fn answer<E: TaskEnd>(end: &mut E, size: usize, indices: Range<usize>) -> Outcome<()> {
    for index in indices {
        check(index, size, end.recv().await?)?;
        end.send(size, tag(index)).await?;
    }
    end.flush().await
}

/// Receives until the first of these markers; how many messages came before it.
async fn receive_until<E: TaskEnd>(end: &mut E, size: usize, marker: u8) -> Outcome<usize> {
    let mut count = 0;
    loop {
        let got = end.recv().await?;
        check_any(size, got)?;
        match got.tag {
            tag if tag == marker => return Ok(count),
            // One that was meant for another.
            WARM => {}
            _ => count += 1,
        }
    }
}
