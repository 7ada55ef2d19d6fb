//! tarpc, with bincode over its framed streams, and its channel within a process.

use bytes::Bytes;
use futures_util::StreamExt;
use serde_bytes::ByteBuf;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::{client, context, serde_transport, transport};

use super::calls::{Calls, runtime};
use crate::Outcome;

#[tarpc::service]
pub trait Mirror {
    async fn mirror(bytes: ByteBuf) -> ByteBuf;
}

#[derive(Clone)]
struct Mirrors;

impl Mirror for Mirrors {
    async fn mirror(self, _: context::Context, bytes: ByteBuf) -> ByteBuf {
        bytes
    }
}

impl Calls for MirrorClient {
    async fn call(&self, bytes: Bytes) -> Outcome<usize> {
        let answer = self
            .mirror(context::current(), ByteBuf::from(bytes))
            .await?;
        Ok(answer.len())
    }
}

/// Serves what comes over one connection.
macro_rules! answer {
    ($transport:expr) => {
        BaseChannel::with_defaults($transport)
            .execute(Mirrors.serve())
            .for_each(|call| async {
                tokio::spawn(call);
            })
    };
}

pub async fn serve(transport: &str, place: &str) -> Outcome<()> {
    match transport {
        "tcp" => {
            let mut listener = serde_transport::tcp::listen(place, Bincode::default).await?;
            println!("{}", listener.local_addr());
            while let Some(connection) = listener.next().await {
                tokio::spawn(answer!(connection?));
            }
        }
        _ => {
            let mut listener = serde_transport::unix::listen(place, Bincode::default).await?;
            println!("{place}");
            while let Some(connection) = listener.next().await {
                tokio::spawn(answer!(connection?));
            }
        }
    }
    Ok(())
}

pub async fn client(place: &str) -> Outcome<MirrorClient> {
    let config = client::Config::default();
    Ok(match place.starts_with('/') {
        true => {
            let connection = serde_transport::unix::connect(place, Bincode::default).await?;
            // Bound by now, and not needed any more.
            std::fs::remove_file(place)?;
            MirrorClient::new(config, connection).spawn()
        }
        false => {
            let connection = serde_transport::tcp::connect(place, Bincode::default).await?;
            MirrorClient::new(config, connection).spawn()
        }
    })
}

/// With the server in another thread of this process.
pub fn within() -> Outcome<MirrorClient> {
    let (near, far) = transport::channel::unbounded();
    std::thread::spawn(move || -> Outcome<()> {
        runtime()?.block_on(answer!(far));
        Ok(())
    });
    Ok(MirrorClient::new(client::Config::default(), near).spawn())
}
