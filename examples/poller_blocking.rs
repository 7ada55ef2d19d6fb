//! One thread, several sockets, no runtime: a Poller waits for whichever has something first.
//!
//! Expected output:
//! work: 0 1 2 3 4
//! control: stop
//! nothing more within 10 ms

use std::thread;
use std::time::Duration;

use taipan::{Context, Interest, Poller, Pull, Push};

const WORK: usize = 1;
const CONTROL: usize = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let (work, control) = (Pull::new(&context), Pull::new(&context));
    let (work_at, control_at) = (
        work.bind("tcp://127.0.0.1:*")?,
        control.bind("inproc://control")?,
    );

    let others = context.clone();
    let sender = thread::spawn(
        move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            let (push, stop) = (Push::new(&others), Push::new(&others));
            push.connect(work_at)?;
            stop.connect(control_at)?;
            for number in 0..5 {
                push.blocking_send(number.to_string())?;
            }
            stop.blocking_send("stop")?;
            Ok(())
        },
    );

    let mut poller = Poller::new();
    poller.add(&work, WORK, Interest::READABLE)?;
    poller.add(&control, CONTROL, Interest::READABLE)?;
    let (mut tasks, mut stop) = (Vec::new(), None);
    // Two sockets have no common order: the stop may well come before the work that was sent first.
    while tasks.len() < 5 || stop.is_none() {
        for ready in poller.wait(None)? {
            match ready.token {
                WORK => tasks.push(work.blocking_recv()?.as_str()?.to_owned()),
                _ => stop = Some(control.blocking_recv()?),
            }
        }
    }
    println!("work: {}", tasks.join(" "));
    println!("control: {}", stop.unwrap_or_default().as_str()?);
    if poller.wait(Some(Duration::from_millis(10)))?.is_empty() {
        println!("nothing more within 10 ms");
    }
    sender
        .join()
        .map_err(|_| "the sender panicked")?
        .map_err(|error| error.to_string())?;
    Ok(())
}
