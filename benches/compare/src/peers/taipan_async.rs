//! taipan with async calls, in a task of a current-thread tokio runtime at both ends.
//!
//! The loops are those of `drive.rs` with `.await` in them. What waits for the other process besides messages does so
//! in a thread of its own, so that the runtime goes on.

use taipan::{Context, Pub, Pull, Push, Rep, Req, Socket, Sub};

use super::Peer;
use super::taipan::{INLINE, endpoint, options, version};
use crate::Outcome;
use crate::cells::{Cell, Shape};
use crate::drive::{asked, streamed};
use crate::job::Job;
use crate::lines::{Fars, report_and_stay, say};
use crate::meter::{FarReport, Mark, Sample, cpu_us, now_ns};
use crate::payload::{check, read, tag};

/// Async calls on a current-thread runtime.
pub struct CurrentThread;

/// Runs a future as a user would: in a task of its own.
fn drive<T: Send + 'static>(
    future: impl Future<Output = Outcome<T>> + Send + 'static,
) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async { tokio::spawn(future).await? })
}

/// Runs what blocks where it blocks nobody.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    Ok(tokio::task::spawn_blocking(work).await?)
}

async fn launch(job: &Job) -> Outcome<Fars> {
    let job = job.clone();
    aside(move || Fars::launch(&job, String::new())).await?
}

async fn send<K: taipan::Sends>(socket: &Socket<K>, len: usize, tag: u8) -> Outcome<()> {
    if len <= INLINE {
        socket.send(&[tag; INLINE][..len]).await?;
    } else {
        socket.send(vec![tag; len]).await?;
    }
    Ok(())
}

async fn recv<K: taipan::Receives>(socket: &Socket<K>) -> Outcome<(usize, u64)> {
    let message = socket.recv().await?;
    let bytes = message.first();
    Ok((bytes.len(), read(bytes)))
}

async fn send_all<K: taipan::Sends>(
    socket: Socket<K>,
    mut fars: Fars,
    job: Job,
) -> Outcome<Sample> {
    let size = job.cell.size;
    for index in 0..job.warm_up {
        send(&socket, size, tag(index)).await?;
    }
    let fars = aside(move || fars.all_say("warm").map(|()| fars)).await??;
    let start = Mark::now()?;
    for index in job.warm_up..job.total() {
        send(&socket, size, tag(index)).await?;
    }
    aside(move || streamed(&job, &start, fars)).await?
}

async fn receive_all<K: taipan::Receives>(socket: Socket<K>, job: Job) -> Outcome<()> {
    let size = job.cell.size;
    say("ready")?;
    for index in 0..job.warm_up {
        check(index, size, recv(&socket).await?)?;
    }
    let start = cpu_us()?;
    say("warm")?;
    for index in job.warm_up..job.total() {
        check(index, size, recv(&socket).await?)?;
    }
    report(start).await
}

async fn ask<K: taipan::Sends + taipan::Receives>(
    socket: Socket<K>,
    fars: Fars,
    job: Job,
) -> Outcome<Sample> {
    let size = job.cell.size;
    let mut times = Vec::with_capacity(job.count);
    for index in 0..job.warm_up {
        send(&socket, size, tag(index)).await?;
        check(index, size, recv(&socket).await?)?;
    }
    let start = Mark::now()?;
    for index in job.warm_up..job.total() {
        let begin = now_ns()?;
        send(&socket, size, tag(index)).await?;
        let answer = recv(&socket).await?;
        times.push(now_ns()? - begin);
        check(index, size, answer)?;
    }
    asked(&job, &start, times, fars)
}

async fn answer<K: taipan::Sends + taipan::Receives>(socket: Socket<K>, job: Job) -> Outcome<()> {
    let size = job.cell.size;
    say("ready")?;
    let mut start = 0.0;
    for index in 0..job.total() {
        if index == job.warm_up {
            start = cpu_us()?;
        }
        check(index, size, recv(&socket).await?)?;
        send(&socket, size, tag(index)).await?;
    }
    report(start).await
}

async fn report(start: f64) -> Outcome<()> {
    let report = FarReport {
        end_ns: now_ns()?,
        cpu_us: cpu_us()? - start,
    };
    aside(move || report_and_stay(report)).await?
}

async fn near(job: Job) -> Outcome<Sample> {
    let context = Context::new();
    match job.cell.shape {
        Shape::Stream => {
            let fars = launch(&job).await?;
            let push = Push::with_options(&context, options(&job))?;
            push.connect(&*endpoint(&job))?;
            send_all(push, fars, job).await
        }
        Shape::RoundTrip => {
            let fars = launch(&job).await?;
            let req = Req::with_options(&context, options(&job))?;
            req.connect(&*endpoint(&job))?;
            ask(req, fars, job).await
        }
        Shape::FanOut(subscribers) => {
            let publisher = Pub::with_options(&context, options(&job))?;
            publisher.bind(&*endpoint(&job))?;
            let fars = launch(&job).await?;
            publisher.wait_for_subscribers(subscribers).await;
            send_all(publisher, fars, job).await
        }
    }
}

async fn far(job: Job) -> Outcome<()> {
    let context = Context::new();
    match job.cell.shape {
        Shape::Stream => {
            let pull = Pull::with_options(&context, options(&job))?;
            pull.bind(&*endpoint(&job))?;
            receive_all(pull, job).await
        }
        Shape::RoundTrip => {
            let rep = Rep::with_options(&context, options(&job))?;
            rep.bind(&*endpoint(&job))?;
            answer(rep, job).await
        }
        Shape::FanOut(_) => {
            let sub = Sub::with_options(&context, options(&job))?;
            sub.subscribe("")?;
            sub.connect(&*endpoint(&job))?;
            receive_all(sub, job).await
        }
    }
}

impl Peer for CurrentThread {
    fn id(&self) -> &'static str {
        "taipan-async"
    }

    fn version(&self) -> String {
        version()
    }

    fn manner(&self) -> &'static str {
        "async calls, current-thread runtime, default waiting"
    }

    fn lacks(&self, _cell: &Cell) -> Option<&'static str> {
        None
    }

    fn near(&self, job: &Job) -> Outcome<Sample> {
        drive(near(job.clone()))
    }

    fn far(&self, job: &Job) -> Outcome<()> {
        drive(far(job.clone()))
    }
}
