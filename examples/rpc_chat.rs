//! A chat: each guest has a stream of lines to the room and one from it, both of one call.
//!
//! Expected output:
//! ann hears: bob: hello
//! bob hears: ann: hi bob
//! ann hears: bob left

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use taipan::Context;
use taipan::rpc::{Client, Fault, Server, Sink, Stream, service};
use tokio::sync::mpsc;

#[service]
trait Room {
    /// Enters with a name; says what is in the first stream, hears what others say in the second.
    async fn enter(name: String, says: Stream<String>) -> Stream<String>;
}

type Line = String;

/// Who is there, and where their lines go.
#[derive(Default)]
struct Guests(Arc<Mutex<HashMap<String, mpsc::Sender<Line>>>>);

impl Guests {
    /// Tells everybody else. Who does not keep up misses a line; the room waits for nobody.
    fn tell(&self, from: &str, line: &str) {
        let guests = self.0.lock().expect("nobody panics here");
        for (_, guest) in guests.iter().filter(|(name, _)| *name != from) {
            let _ = guest.try_send(line.to_owned());
        }
    }
}

impl Room for Guests {
    async fn enter(
        &self,
        name: String,
        mut says: Stream<String>,
        hears: Sink<String>,
    ) -> Result<(), Fault> {
        let (sender, mut lines) = mpsc::channel(16);
        self.0
            .lock()
            .expect("nobody panics here")
            .insert(name.clone(), sender);
        // The first line says that the guest is in.
        hears.send(&"welcome".to_owned()).await?;
        loop {
            tokio::select! {
                Some(line) = lines.recv() => hears.send(&line).await?,
                said = says.next() => match said {
                    Some(Ok(said)) => self.tell(&name, &format!("{name}: {said}")),
                    _ => break,
                },
            }
        }
        self.0.lock().expect("nobody panics here").remove(&name);
        self.tell(&name, &format!("{name} left"));
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let server = Server::builder(&context)
        .service(RoomServer::new(Guests::default()))
        .bind("ipc://*")
        .start()?;
    let room = RoomClient::new(Client::connect(&context, server.endpoint().to_string())?);

    let (ann, mut to_ann) = room.enter("ann".into()).await?;
    let (bob, mut to_bob) = room.enter("bob".into()).await?;
    for stream in [&mut to_ann, &mut to_bob] {
        assert_eq!(stream.next().await, Some(Ok("welcome".into())));
    }
    bob.send(&"hello".into()).await?;
    println!("ann hears: {}", to_ann.next().await.ok_or("the end")??);
    ann.send(&"hi bob".into()).await?;
    println!("bob hears: {}", to_bob.next().await.ok_or("the end")??);
    bob.finish();
    println!("ann hears: {}", to_ann.next().await.ok_or("the end")??);
    Ok(())
}
