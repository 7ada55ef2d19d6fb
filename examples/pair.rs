//! Two threads and nobody else: PAIR sockets, both ways at once.
//!
//! Expected output:
//! main: ping 0
//! thread: pong 0
//! main: ping 1
//! thread: pong 1
//! thread: bye

use std::thread;

use taipan::{Context, Pair};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let here = Pair::new(&context);
    let there = Pair::new(&context);
    there.connect(here.bind("inproc://the-two-of-us")?)?;

    let other = thread::spawn(
        move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            for number in 0..2 {
                let message = there.blocking_recv()?;
                println!("main: {}", message.as_str()?);
                there.blocking_send(format!("pong {number}"))?;
            }
            there.blocking_send("bye")?;
            Ok(())
        },
    );
    for number in 0..2 {
        here.blocking_send(format!("ping {number}"))?;
        println!("thread: {}", here.blocking_recv()?.as_str()?);
    }
    println!("thread: {}", here.blocking_recv()?.as_str()?);
    other
        .join()
        .map_err(|_| "the thread panicked")?
        .map_err(|error| error.to_string())?;
    Ok(())
}
