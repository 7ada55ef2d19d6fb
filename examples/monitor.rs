//! What happens to connections, as typed events: one socket listens, another comes and goes.
//!
//! Expected output:
//! listener: Listening
//! listener: Accepted
//! listener: HandshakeSucceeded
//! listener: Disconnected
//! client: ConnectDelayed
//! client: Connected
//! client: HandshakeSucceeded
//! client: MonitorStopped

use taipan::{Context, Monitor, MonitorKind, Pull, Push};

/// Reads events until one is of the kind (or, without a kind, to the end).
fn print_until(
    name: &str,
    monitor: &mut Monitor,
    last: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    loop {
        let event = monitor.blocking_recv()?;
        let kind = match event.kind {
            MonitorKind::Disconnected { .. } => "Disconnected".to_owned(),
            kind => format!("{kind:?}"),
        };
        println!("{name}: {kind}");
        if kind == last {
            return Ok(());
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let pull = Pull::new(&context);
    let mut of_listener = pull.monitor();
    let endpoint = pull.bind("tcp://127.0.0.1:*")?;
    print_until("listener", &mut of_listener, "Listening")?;

    let push = Push::new(&context);
    let mut of_client = push.monitor();
    push.connect(endpoint)?;
    print_until("listener", &mut of_listener, "HandshakeSucceeded")?;
    push.blocking_wait_for_peers(1, None);
    drop(push);
    print_until("listener", &mut of_listener, "Disconnected")?;
    print_until("client", &mut of_client, "MonitorStopped")
}
