//! Peers that are called in threads: what they implement, and the loops of both sides.

use std::ops::Range;
use std::thread;
use std::time::Duration;

use super::count::{BRISK_MARKERS, Clock, Tally, phases, portion};
use crate::Outcome;
use crate::cells::{Cell, Course, Transport};
use crate::control::{COUNTED, Fars, Post, WARM_UP};
use crate::job::Job;
use crate::meter::{FarReport, Mark, Sample, Usage, now_ns};
use crate::payload::{END, Got, WARM, check, check_any, tag};
use crate::peers::{About, Peer};

/// One opened end. What the shape does not need stays as it is here.
pub trait End {
    /// Sends one message of `len` bytes, each of them written anew as `tag`; waits while the other side is full. A
    /// router answers whom it received from last.
    fn send(&mut self, _len: usize, _tag: u8) -> Outcome<()> {
        Err("this end does not send".into())
    }

    /// Receives one message and reads all its bytes with [`read`](crate::payload::read).
    fn recv(&mut self) -> Outcome<Got> {
        Err("this end does not receive".into())
    }

    /// Called once at the near end while the far ends connect: waits for them, if there is something to wait for.
    fn settle(&mut self, _fars: usize) -> Outcome<()> {
        Ok(())
    }

    /// Called when no more is sent for now: for peers whose users have to say so.
    fn flush(&mut self) -> Outcome<()> {
        Ok(())
    }
}

/// One way to use one library from threads. [`Threads`] makes a [`Peer`] of it.
pub trait Threaded: Send + Sync + 'static {
    type End: End;

    fn about(&self) -> About;

    /// Why it has no figures in this cell, if so.
    fn lacks(&self, cell: &Cell) -> Option<&'static str>;

    /// Opens the near end, which the far ends will connect to, and says where (it becomes their [`Job::place`]).
    fn near(&self, job: &Job) -> Outcome<(Self::End, String)>;

    /// Opens a far end. In process this is called on the same peer as [`Threaded::near`], after that.
    fn far(&self, job: &Job, index: usize) -> Outcome<Self::End>;

    /// Removes what processes that exited without closing may have left behind.
    fn clean(&self, _run: u32) {}
}

/// A [`Threaded`] peer as a [`Peer`]: one thread for each far end.
pub struct Threads<P>(pub P);

impl<P: Threaded> Peer for Threads<P> {
    fn about(&self) -> About {
        self.0.about()
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        self.0.lacks(cell)
    }

    fn near(&'static self, job: &Job) -> Outcome<Sample> {
        let (mut end, place) = self.0.near(job)?;
        let job = &Job {
            place,
            ..job.clone()
        };
        let mut fars = match job.cell.transport {
            Transport::Inproc => Fars::here(job, |posts| self.far(job, posts)),
            Transport::Ipc | Transport::Tcp => Fars::launch(job)?,
        };
        end.settle(job.cell.far_ends())?;
        fars.all_say("ready")?;
        fars.go()?;
        near(end, fars, job)
    }

    fn far(&'static self, job: &Job, posts: Vec<Post>) {
        for post in posts {
            let job = job.clone();
            thread::spawn(move || {
                let end = self.0.far(&job, post.index);
                if let Err(error) = end.and_then(|mut end| far(&mut end, &post, &job)) {
                    post.failed(&error.to_string());
                }
            });
        }
    }

    fn clean(&self, run: u32) {
        self.0.clean(run);
    }
}

/// What the near side does.
fn near<E: End>(mut end: E, mut fars: Fars, job: &Job) -> Outcome<Sample> {
    let end = &mut end;
    let size = job.cell.size;
    let [warm_up, counted] = phases(job);
    let mut clock = None;
    let mut report = None;
    let start;
    match job.cell.course() {
        Course::Out => {
            send(end, size, warm_up)?;
            fars.all_say("warm")?;
            start = Mark::now()?;
            fars.go()?;
            send(end, size, counted)?;
        }
        Course::Share => {
            send(end, size, warm_up)?;
            mark(end, size, WARM, || {
                Ok(fars.have_said("warm")?.then_some(()))
            })?;
            start = Mark::now()?;
            fars.go()?;
            send(end, size, counted)?;
            report = Some(mark(end, size, END, || fars.has_report())?);
        }
        Course::Gather => {
            gather(end, size, warm_up)?;
            fars.all_say("warm")?;
            start = Mark::now()?;
            fars.go()?;
            gather(end, size, counted)?;
        }
        Course::Ask(in_flight) => {
            let times = clock.insert(Clock::new(job, in_flight)?);
            ask(end, size, warm_up, in_flight, times)?;
            fars.all_say("warm")?;
            start = Mark::now()?;
            fars.go()?;
            times.restart()?;
            ask(end, size, counted, in_flight, times)?;
        }
    }
    let near_end_ns = now_ns()?;
    let report: FarReport = match report {
        Some(report) => report,
        None => fars.report()?,
    };
    let near_usage = Usage::now()? - start.usage;
    fars.end()?;
    let tally = Tally {
        job,
        start,
        near_end_ns,
        near_usage,
        latency_us: clock.map(Clock::percentiles),
    };
    tally.sample(report)
}

fn send<E: End>(end: &mut E, size: usize, indices: Range<usize>) -> Outcome<()> {
    for index in indices {
        end.send(size, tag(index))?;
    }
    end.flush()
}

fn gather<E: End>(end: &mut E, size: usize, indices: Range<usize>) -> Outcome<()> {
    for _ in indices {
        check_any(size, end.recv()?)?;
    }
    Ok(())
}

/// Sends markers until every far end has had one.
fn mark<E: End, T>(
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
            thread::sleep(Duration::from_millis(1));
        }
        end.send(size, marker)?;
        end.flush()?;
        sent += 1;
    }
}

fn ask<E: End>(
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
            end.send(size, tag(next))?;
            next += 1;
        }
        let answer = end.recv()?;
        clock.answered(index)?;
        check(index, size, answer)?;
    }
    Ok(())
}

/// What a far end does.
fn far<E: End>(end: &mut E, post: &Post, job: &Job) -> Outcome<()> {
    let size = job.cell.size;
    let [warm_up, counted] = phases(job);
    post.ready()?;
    match job.cell.course() {
        Course::Out => {
            receive(end, size, warm_up)?;
            post.warm()?;
            receive(end, size, counted)?;
            post.done(job.count)?;
        }
        Course::Share => {
            receive_until(end, size, WARM)?;
            post.warm()?;
            post.done(receive_until(end, size, END)?)?;
            // Markers that are meant for others go on coming.
            loop {
                end.recv()?;
            }
        }
        Course::Gather => {
            post.gate().pass(WARM_UP);
            send(end, size, 0..portion(job, job.warm_up, post.index))?;
            post.warm()?;
            post.gate().pass(COUNTED);
            let count = portion(job, job.count, post.index);
            send(end, size, 0..count)?;
            post.done(count)?;
        }
        Course::Ask(_) => {
            answer(end, size, warm_up)?;
            post.warm()?;
            answer(end, size, counted)?;
            post.done(job.count)?;
        }
    }
    // The end stays open until the process is gone.
    loop {
        thread::park();
    }
}

fn receive<E: End>(end: &mut E, size: usize, indices: Range<usize>) -> Outcome<()> {
    for index in indices {
        check(index, size, end.recv()?)?;
    }
    Ok(())
}

fn answer<E: End>(end: &mut E, size: usize, indices: Range<usize>) -> Outcome<()> {
    for index in indices {
        check(index, size, end.recv()?)?;
        end.send(size, tag(index))?;
    }
    end.flush()
}

/// Receives until the first of these markers; how many messages came before it.
fn receive_until<E: End>(end: &mut E, size: usize, marker: u8) -> Outcome<usize> {
    let mut count = 0;
    loop {
        let got = end.recv()?;
        check_any(size, got)?;
        match got.tag {
            tag if tag == marker => return Ok(count),
            // One that was meant for another.
            WARM => {}
            _ => count += 1,
        }
    }
}
