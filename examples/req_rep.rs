//! Questions and answers: a REQ asks, a REP in another thread answers, over TCP.
//!
//! Expected output:
//! 1 squared is 1
//! 2 squared is 4
//! 3 squared is 9
//! asking twice: it is not this socket's turn to send

use std::thread;

use taipan::{Context, Rep, Req};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let rep = Rep::new(&context);
    let endpoint = rep.bind("tcp://127.0.0.1:*")?;
    let server = thread::spawn(move || {
        // Ends when the socket is closed: at the end of the context.
        while let Ok(question) = rep.blocking_recv() {
            let number: i64 = question
                .as_str()
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            if rep.blocking_send((number * number).to_string()).is_err() {
                break;
            }
        }
    });

    let req = Req::new(&context);
    req.connect(endpoint)?;
    for number in 1..=3 {
        req.blocking_send(number.to_string())?;
        println!("{number} squared is {}", req.blocking_recv()?.as_str()?);
    }
    req.blocking_send("4")?;
    if let Err(error) = req.blocking_send("5") {
        println!("asking twice: {error}");
    }

    context.shutdown();
    server.join().map_err(|_| "the server panicked")?;
    Ok(())
}
