//! Middleware of `tower` around a service and around a client: limits on both sides, and a timeout.
//!
//! Expected output:
//! 20 calls, never more than 2 at a time: true
//! a slow one: request timed out
//! the client's own limit: 4 at a time, all answered: true

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use taipan::Context;
use taipan::rpc::{
    Client, Fault, Invocation, Layered, MsgPack, Payload, RpcError, Server, service,
};
use tower::{Service, ServiceBuilder, ServiceExt};

#[service]
trait Work {
    async fn work(millis: u64) -> u64;
}

#[derive(Default)]
struct Worker {
    busy: AtomicUsize,
    most: AtomicUsize,
}

impl Work for Worker {
    async fn work(&self, millis: u64) -> Result<u64, Fault> {
        let busy = self.busy.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(busy, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        self.busy.fetch_sub(1, Ordering::SeqCst);
        Ok(millis)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let worker = Arc::new(Worker::default());
    let limited = Layered::new(WorkServer::shared(worker.clone()), |inner| {
        ServiceBuilder::new()
            .concurrency_limit(2)
            .timeout(Duration::from_secs(1))
            .service(inner)
    });
    let server = Server::builder(&context)
        .service(limited)
        .bind("tcp://127.0.0.1:*")
        .start()?;
    let client = Client::connect(&context, server.endpoint().to_string())?;

    let work = WorkClient::new(client.clone());
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let work = work.clone();
        calls.spawn(async move { work.work(5).await });
    }
    let answers = calls.join_all().await;
    let all = answers.iter().all(|answer| *answer == Ok(5));
    let never_more = all && worker.most.load(Ordering::SeqCst) <= 2;
    println!(
        "{} calls, never more than 2 at a time: {never_more}",
        answers.len()
    );
    if let Err(RpcError::Application(fault)) = work.work(10_000).await {
        println!("a slow one: {}", fault.message);
    }

    // The same client as a service, with a limit of its own.
    let service = client.into_service(4);
    let mut calls = tokio::task::JoinSet::new();
    for millis in 0..12_u64 {
        let mut service = service.clone();
        let call = Invocation::new("Work.work", Payload::encode::<MsgPack, _>(&(millis,))?);
        calls.spawn(async move {
            service
                .ready()
                .await?
                .call(call)
                .await?
                .decode::<MsgPack, u64>()
                .map_err(|error| RpcError::BadResult(error.to_string()))
        });
    }
    let mut answers: Vec<u64> = calls
        .join_all()
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    answers.sort_unstable();
    let all = answers == (0..12).collect::<Vec<_>>();
    println!("the client's own limit: 4 at a time, all answered: {all}");
    Ok(())
}
