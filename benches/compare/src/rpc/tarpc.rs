//! tarpc, with bincode over its framed streams (without Nagle's delay, as everybody else), and its channel within a process.

use bytes::Bytes;
use futures_util::StreamExt;
use tarpc::serde_transport::Transport;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::tokio_util::codec::LengthDelimitedCodec;
use tarpc::{ClientMessage, Response, client, context, serde_transport, transport};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::calls::{Calls, runtime};
use crate::Outcome;

#[tarpc::service]
pub trait Mirror {
    async fn mirror(bytes: Bytes) -> Bytes;
}

#[derive(Clone)]
struct Mirrors;

impl Mirror for Mirrors {
    async fn mirror(self, _: context::Context, bytes: Bytes) -> Bytes {
        bytes
    }
}

impl Calls for MirrorClient {
    async fn call(&self, bytes: Bytes) -> Outcome<usize> {
        Ok(self.mirror(context::current(), bytes).await?.len())
    }
}

type Asked = ClientMessage<MirrorRequest>;
type Answered = Response<MirrorResponse>;
type Framed<S, In, Out> = Transport<S, In, Out, Bincode<In, Out>>;

/// Messages over a stream, as `serde_transport::tcp` makes them.
fn framed<S, In, Out>(stream: S) -> Framed<S, In, Out>
where
    S: AsyncRead + AsyncWrite,
    In: for<'de> serde::Deserialize<'de>,
    Out: serde::Serialize,
{
    let frames = LengthDelimitedCodec::builder().new_framed(stream);
    serde_transport::new(frames, Bincode::default())
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
    if transport == "tcp" {
        let listener = TcpListener::bind(place).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let stream = listener.accept().await?.0;
            stream.set_nodelay(true)?;
            tokio::spawn(answer!(framed::<TcpStream, Asked, Answered>(stream)));
        }
    }
    let listener = UnixListener::bind(place)?;
    println!("{place}");
    loop {
        let stream = listener.accept().await?.0;
        tokio::spawn(answer!(framed::<UnixStream, Asked, Answered>(stream)));
    }
}

pub async fn client(place: &str) -> Outcome<MirrorClient> {
    let config = client::Config::default();
    if place.starts_with('/') {
        let stream: Framed<UnixStream, Answered, Asked> = framed(UnixStream::connect(place).await?);
        return Ok(MirrorClient::new(config, stream).spawn());
    }
    let stream = TcpStream::connect(place).await?;
    stream.set_nodelay(true)?;
    let stream: Framed<TcpStream, Answered, Asked> = framed(stream);
    Ok(MirrorClient::new(config, stream).spawn())
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
