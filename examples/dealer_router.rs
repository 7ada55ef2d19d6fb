//! A server that answers out of order: the ROUTER keeps the ids of those who asked, the DEALERs need not wait.
//!
//! Expected output:
//! alice asks: slow question
//! bob asks: quick question
//! bob is told: answer to quick question
//! alice is told: answer to slow question
//! nobody is told: there is no such peer

use taipan::{Context, Dealer, Message, Options, Router};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let mut options = Options::default();
    // Messages for unknown peers are errors, instead of being dropped.
    options.router_mandatory = true;
    let router = Router::with_options(&context, options)?;
    let endpoint = router.bind("ipc://*")?;

    let mut clients = Vec::new();
    let mut questions = Vec::new();
    for (name, question) in [("alice", "slow question"), ("bob", "quick question")] {
        let mut options = Options::default();
        options.routing_id = name.into();
        let client = Dealer::with_options(&context, options)?;
        client.connect(&endpoint)?;
        client.blocking_send(question)?;
        clients.push((name, client));
        // What a ROUTER receives begins with the id of the sender.
        let message = router.blocking_recv()?;
        println!(
            "{} asks: {}",
            message.as_str()?,
            std::str::from_utf8(&message[1])?
        );
        questions.push(message);
    }
    for message in questions.into_iter().rev() {
        let answer = format!("answer to {}", std::str::from_utf8(&message[1])?);
        // What it sends goes to the peer named first, without the name.
        router.blocking_send(Message::from_frames([
            message.first().clone(),
            answer.into(),
        ]))?;
    }
    for (name, client) in clients.iter().rev() {
        println!("{name} is told: {}", client.blocking_recv()?.as_str()?);
    }
    if let Err(error) = router.blocking_send(Message::from_frames(["carol", "hello"])) {
        println!("nobody is told: {error}");
    }
    Ok(())
}
