//! Many publishers, many subscribers, one address to know: a proxy between XSUB and XPUB.
//!
//! Expected output:
//! subscriber: a from publisher 0
//! subscriber: a from publisher 1
//! captured: subscription to "a"
//! captured: a from publisher 0
//! captured: a from publisher 1
//! the proxy forwarded 2 messages down and 1 up

use std::thread;

use taipan::{Context, Proxy, Pub, Pull, Push, Sub, XPub, XSub};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let (frontend, backend) = (XSub::new(&context), XPub::new(&context));
    let for_publishers = frontend.bind("tcp://127.0.0.1:*")?;
    let for_subscribers = backend.bind("tcp://127.0.0.1:*")?;
    let (capture, tape) = (Push::new(&context), Pull::new(&context));
    capture.connect(tape.bind("inproc://tape")?)?;

    let proxy = Proxy::new(&frontend, &backend).capture(&capture);
    let handle = proxy.handle();
    let running = thread::spawn(move || proxy.run_blocking());

    let publishers: Vec<Pub> = (0..2).map(|_| Pub::new(&context)).collect();
    for publisher in &publishers {
        publisher.connect(&for_publishers)?;
    }
    // Both must be there before the subscription comes, for this output only.
    frontend.blocking_wait_for_peers(2, None);
    let subscriber = Sub::new(&context);
    subscriber.connect(&for_subscribers)?;
    subscriber.subscribe("a")?;

    for (number, publisher) in publishers.iter().enumerate() {
        // The subscription travels upstream, through the proxy; what nobody wants is not even sent.
        publisher.blocking_wait_for_subscribers(1, None);
        publisher.blocking_send(format!("b from publisher {number}"))?;
        publisher.blocking_send(format!("a from publisher {number}"))?;
        println!("subscriber: {}", subscriber.blocking_recv()?.as_str()?);
    }
    for _ in 0..3 {
        let copy = tape.blocking_recv()?;
        match copy.first().as_slice() {
            [1, topic @ ..] => println!(
                "captured: subscription to {:?}",
                std::str::from_utf8(topic)?
            ),
            _ => println!("captured: {}", copy.as_str()?),
        }
    }
    handle.terminate();
    let report = running.join().map_err(|_| "the proxy panicked")??;
    let (down, up) = (
        report.statistics.backend.messages_sent,
        report.statistics.frontend.messages_sent,
    );
    println!("the proxy forwarded {down} messages down and {up} up");
    Ok(())
}
