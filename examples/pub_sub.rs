//! News by topic: a PUB sends everything once, each SUB gets what it asked for.
//!
//! Expected output:
//! sports: goal! (frame 2: minute 12)
//! all: weather/rain
//! all: sports/goal!
//! all: stocks/up

use taipan::{Context, Message, Pub, Sub};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let publisher = Pub::new(&context);
    let endpoint = publisher.bind("tcp://127.0.0.1:*")?;

    let (sports, all) = (Sub::new(&context), Sub::new(&context));
    sports.subscribe("sports/")?;
    all.subscribe("")?;
    sports.connect(&endpoint)?;
    all.connect(&endpoint)?;

    // Nothing is kept for those who come later, so wait until both have subscribed.
    publisher.wait_for_subscribers(2).await;
    publisher.send("weather/rain").await?;
    publisher
        .send(Message::from_frames(["sports/goal!", "minute 12"]))
        .await?;
    publisher.send("stocks/up").await?;

    let news = sports.recv().await?;
    let (topic, details) = (news.as_str()?, std::str::from_utf8(&news[1])?);
    println!(
        "sports: {} (frame 2: {details})",
        topic.trim_start_matches("sports/")
    );
    for _ in 0..3 {
        println!("all: {}", all.recv().await?.as_str()?);
    }
    Ok(())
}
