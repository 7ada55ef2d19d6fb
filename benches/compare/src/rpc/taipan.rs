//! taipan's calls.

use bytes::Bytes;
use taipan::Context;
use taipan::rpc::{Client, Fault, Raw, Server, service};

use super::calls::{Calls, runtime};
use crate::Outcome;

#[service]
pub trait Mirror {
    async fn mirror(bytes: Raw) -> Raw;
}

struct Mirrors;

impl Mirror for Mirrors {
    async fn mirror(&self, bytes: Raw) -> Result<Raw, Fault> {
        Ok(bytes)
    }
}

impl Calls for MirrorClient {
    async fn call(&self, bytes: Bytes) -> Outcome<usize> {
        Ok(self.mirror(Raw(bytes)).await?.len())
    }
}

fn server(context: &Context, address: String) -> Outcome<Server> {
    let server = Server::builder(context)
        .service(MirrorServer::new(Mirrors))
        .bind(address);
    Ok(server.start()?)
}

pub async fn serve(transport: &str, place: &str) -> Outcome<()> {
    let context = Context::new();
    let server = match transport {
        "tcp" => server(&context, format!("tcp://{}", place.replace(":0", ":*"))),
        _ => server(&context, format!("ipc://{place}")),
    }?;
    println!("{}", server.endpoint());
    std::future::pending().await
}

pub async fn client(place: &str) -> Outcome<MirrorClient> {
    Ok(MirrorClient::new(Client::connect(&Context::new(), place)?))
}

/// With the server in another thread of this process.
pub async fn within() -> Outcome<MirrorClient> {
    let (context, ready) = (Context::new(), tokio::sync::oneshot::channel());
    let theirs = context.clone();
    std::thread::spawn(move || -> Outcome<()> {
        runtime()?.block_on(async {
            let _server = server(&theirs, "inproc://mirror".to_owned())?;
            // Whoever waits for it is there.
            let _ = ready.0.send(());
            std::future::pending().await
        })
    });
    ready.1.await?;
    Ok(MirrorClient::new(Client::connect(
        &context,
        "inproc://mirror",
    )?))
}
