//! No more than so much: a budget for a socket, and one for the link of a single slow subscriber.
//!
//! Expected output:
//! 10 messages in 90 ms or more: true
//! 9 of them had to wait
//! the fast subscriber got 1000 of 1000
//! the slow one missed some: true
//! what it got is in order: true

use std::time::{Duration, Instant};

use taipan::throttle::{Budget, Limits, LinkBudgets, Throttled, throttle_links};
use taipan::{Context, Options, Pub, Pull, Push, Sub};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();

    // A socket: its calls wait for the budget. 100 messages a second, one at once.
    let (pull, push) = (Pull::new(&context), Push::new(&context));
    push.connect(pull.bind("ipc://*")?)?;
    let mut limits = Limits::messages(100);
    limits.burst_messages = Some(1);
    let budget = Budget::new(limits)?;
    let slow = Throttled::new(&push).sending(&budget);
    let start = Instant::now();
    for number in 0..10 {
        slow.blocking_send(number.to_string())?;
    }
    let enough = start.elapsed() >= Duration::from_millis(90);
    println!("10 messages in 90 ms or more: {enough}");
    println!("{} of them had to wait", budget.stats().delayed);

    // A link: of two subscribers, the one at this address gets 10 kB a second and may be 10 messages behind.
    let mut options = Options::default();
    options.send_hwm = 10;
    let publisher = Pub::with_options(&context, options)?;
    let (slow, fast) = (Sub::new(&context), Sub::new(&context));
    throttle_links(&publisher, |link| {
        match Budget::new(Limits::bytes(10_000)) {
            Ok(own) if link.endpoint == "inproc://slow" => LinkBudgets::sending(&own),
            _ => LinkBudgets::none(),
        }
    });
    for (subscriber, address) in [(&slow, "inproc://slow"), (&fast, "inproc://fast")] {
        subscriber.subscribe("")?;
        publisher.bind(address)?;
        subscriber.connect(address)?;
    }
    publisher.blocking_wait_for_subscribers(2, None);
    let mut received = 0;
    for number in 0..1000u32 {
        publisher.blocking_send(format!("{number:0100}"))?;
        received += u32::from(fast.blocking_recv()?.byte_len() == 100);
    }
    println!("the fast subscriber got {received} of 1000");
    let mut numbers = Vec::new();
    while let Ok(message) = slow.try_recv() {
        numbers.push(message.as_str()?.parse::<u32>()?);
    }
    println!("the slow one missed some: {}", numbers.len() < 1000);
    println!("what it got is in order: {}", numbers.is_sorted());
    Ok(())
}
