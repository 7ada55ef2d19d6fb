//! Sockets as `Stream` and `Sink`, with the combinators of the futures crates.
//!
//! Expected output:
//! 0
//! 4
//! 16
//! 36
//! 64
//! the sum of all is 120

use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use taipan::{Context, Message, Pull, Push};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let (push, pull) = (Push::new(&context), Pull::new(&context));
    push.connect(pull.bind("inproc://numbers")?)?;

    let numbers = stream::iter((0..10_u32).filter(|number| number % 2 == 0));
    let mut sink = push.sink();
    sink.send_all(&mut numbers.map(|number| Ok(Message::from(number.to_string()))))
        .await?;

    let sum = pull
        .stream()
        .take(5)
        .map_ok(|message| {
            message
                .as_str()
                .ok()
                .and_then(|text| text.parse::<u32>().ok())
                .unwrap_or(0)
        })
        .map_ok(|number| number * number)
        .inspect_ok(|square| println!("{square}"))
        .try_fold(0, |sum, square| async move { Ok(sum + square) })
        .await?;
    println!("the sum of all is {sum}");
    Ok(())
}
