//! tonic: gRPC over HTTP/2, its messages written by hand instead of generated.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::body::Body;
use tonic::server::{NamedService, UnaryService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;

use super::calls::Calls;
use crate::Outcome;

const PATH: &str = "/compare.Mirror/Mirror";

/// What goes and comes back.
#[derive(Clone, PartialEq, prost::Message)]
struct Parcel {
    #[prost(bytes = "bytes", tag = "1")]
    body: Bytes,
}

#[derive(Clone)]
struct Mirrors;

impl NamedService for Mirrors {
    const NAME: &'static str = "compare.Mirror";
}

impl UnaryService<Parcel> for Mirrors {
    type Response = Parcel;
    type Future = Ready<Result<Response<Parcel>, Status>>;

    fn call(&mut self, request: Request<Parcel>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}

impl Service<http::Request<Body>> for Mirrors {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Parcel, Parcel>::default());
            Ok(grpc.unary(Mirrors, request).await)
        })
    }
}

#[derive(Clone)]
pub struct MirrorClient(tonic::client::Grpc<Channel>);

impl Calls for MirrorClient {
    async fn call(&self, body: Bytes) -> Outcome<usize> {
        let mut grpc = self.0.clone();
        grpc.ready().await?;
        let (path, codec) = (
            PathAndQuery::from_static(PATH),
            ProstCodec::<Parcel, Parcel>::default(),
        );
        let answer = grpc
            .unary(Request::new(Parcel { body }), path, codec)
            .await?;
        Ok(answer.into_inner().body.len())
    }
}

pub async fn serve(transport: &str, place: &str) -> Outcome<()> {
    let mut server = Server::builder();
    let router = server.add_service(Mirrors);
    match transport {
        "tcp" => {
            let listener = tokio::net::TcpListener::bind(place).await?;
            println!("http://{}", listener.local_addr()?);
            let connections = TcpListenerStream::new(listener);
            let quick = futures_util::StreamExt::map(connections, |connection| {
                connection.and_then(|connection| connection.set_nodelay(true).map(|()| connection))
            });
            router.serve_with_incoming(quick).await?;
        }
        _ => {
            let listener = tokio::net::UnixListener::bind(place)?;
            println!("unix://{place}");
            router
                .serve_with_incoming(UnixListenerStream::new(listener))
                .await?;
        }
    }
    Ok(())
}

pub async fn client(place: &str) -> Outcome<MirrorClient> {
    let channel = Endpoint::from_shared(place.to_owned())?
        .tcp_nodelay(true)
        .connect()
        .await?;
    Ok(MirrorClient(tonic::client::Grpc::new(channel)))
}
