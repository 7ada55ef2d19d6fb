//! Name and password: a server that knows its users, one client that is let in and one that is not.
//!
//! Expected output:
//! user alice says: hello
//! mallory is refused

use taipan::config::PlainUsers;
use taipan::{Context, MonitorKind, Options, Pull, Push, Security};

fn client(
    context: &Context,
    name: &str,
    password: &str,
) -> Result<Push, Box<dyn std::error::Error>> {
    let mut options = Options::default();
    options.security = Security::plain_client(name, password);
    // A message goes to peers that are linked only, so that nothing waits for one that never comes.
    options.immediate = true;
    Ok(Push::with_options(context, options)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let mut options = Options::default();
    options.security =
        Security::plain_server(PlainUsers::new().with_user("alice", "correct horse"));
    let server = Pull::with_options(&context, options)?;
    let endpoint = server.bind("tcp://127.0.0.1:*")?;

    let alice = client(&context, "alice", "correct horse")?;
    alice.connect(&endpoint)?;
    alice.blocking_send("hello")?;
    let message = server.blocking_recv()?;
    println!(
        "user {} says: {}",
        server.stats().peers[0].user_id,
        message.as_str()?
    );

    let mut monitor = server.monitor();
    let mallory = client(&context, "mallory", "battery staple")?;
    mallory.connect(&endpoint)?;
    loop {
        match monitor.blocking_recv()?.kind {
            MonitorKind::HandshakeFailed { .. } => break println!("mallory is refused"),
            MonitorKind::HandshakeSucceeded => break println!("mallory is let in"),
            _ => {}
        }
    }
    Ok(())
}
