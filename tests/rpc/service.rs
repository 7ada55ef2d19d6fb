//! The service that the tests call, and how it is brought up.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taipan::Context;
use taipan::rpc::{Client, Fault, Raw, RpcError, Server, Sink, Stream, TraceContext, service};
use tokio::sync::Notify;

use crate::common::{unique, watchdog};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub x: f64,
    pub name: Option<String>,
    pub tags: Vec<String>,
}

#[service]
pub trait Work {
    /// Adds.
    async fn add(a: i64, b: i64) -> i64;
    async fn nothing();
    async fn mirror(point: Point) -> Point;
    async fn raw(bytes: Raw, more: Vec<Raw>) -> Vec<Raw>;
    /// Counts how often it ran, and waits until it is let go.
    async fn wait(number: u64) -> u64;
    /// Counts how often it ran.
    async fn run(number: u64) -> u64;
    #[idempotent]
    async fn who() -> String;
    async fn fail(text: String) -> u32;
    async fn panic(text: String) -> u32;
    async fn trace() -> Option<String>;
    #[signal]
    async fn note(text: String);
    async fn count(to: u64) -> Stream<u64>;
    async fn sum(numbers: Stream<i64>) -> i64;
    /// As `sum`, but takes nothing before it is let go.
    async fn late_sum(numbers: Stream<i64>) -> i64;
    async fn double(start: i64, numbers: Stream<i64>) -> Stream<i64>;
    async fn broken(after: u64) -> Stream<u64>;
}

/// What the implementation has seen.
#[derive(Default)]
pub struct Seen {
    pub name: String,
    pub runs: AtomicU64,
    pub waiting: AtomicUsize,
    pub dropped: AtomicUsize,
    pub sent: AtomicU64,
    pub ended: AtomicUsize,
    pub notes: parking_lot::Mutex<Vec<String>>,
    pub changed: Notify,
    pub go: Notify,
}

impl Seen {
    /// Waits until what it has seen fulfils a condition.
    pub async fn until(&self, condition: impl Fn(&Seen) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if condition(self) {
                return;
            }
            changed.await;
        }
    }
}

pub struct Worker(pub Arc<Seen>);

/// Counts when a call is dropped before its end.
struct Dropped<'a>(Option<&'a Seen>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        if let Some(seen) = self.0 {
            seen.dropped.fetch_add(1, Ordering::SeqCst);
            seen.changed.notify_waiters();
        }
    }
}

impl Work for Worker {
    async fn add(&self, a: i64, b: i64) -> Result<i64, Fault> {
        Ok(a + b)
    }

    async fn nothing(&self) -> Result<(), Fault> {
        Ok(())
    }

    async fn mirror(&self, point: Point) -> Result<Point, Fault> {
        tokio::task::yield_now().await;
        Ok(point)
    }

    async fn raw(&self, bytes: Raw, more: Vec<Raw>) -> Result<Vec<Raw>, Fault> {
        Ok(more.into_iter().chain([bytes]).collect())
    }

    async fn wait(&self, number: u64) -> Result<u64, Fault> {
        let mut go = std::pin::pin!(self.0.go.notified());
        go.as_mut().enable();
        self.0.runs.fetch_add(1, Ordering::SeqCst);
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
        let mut dropped = Dropped(Some(&self.0));
        go.await;
        dropped.0 = None;
        Ok(number)
    }

    async fn run(&self, number: u64) -> Result<u64, Fault> {
        self.0.runs.fetch_add(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
        Ok(number)
    }

    async fn who(&self) -> Result<String, Fault> {
        Ok(self.0.name.clone())
    }

    async fn fail(&self, text: String) -> Result<u32, Fault> {
        Ok(text.parse()?)
    }

    async fn panic(&self, text: String) -> Result<u32, Fault> {
        tokio::task::yield_now().await;
        panic!("{text}")
    }

    async fn trace(&self) -> Result<Option<String>, Fault> {
        tokio::task::yield_now().await;
        Ok(TraceContext::current().map(|trace| trace.to_string()))
    }

    async fn note(&self, text: String) -> Result<(), Fault> {
        self.0.notes.lock().push(text);
        self.0.changed.notify_waiters();
        Ok(())
    }

    async fn count(&self, to: u64, results: Sink<u64>) -> Result<(), Fault> {
        let _dropped = Dropped(Some(&self.0));
        for number in 0..to {
            results.send(&number).await?;
            self.0.sent.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    async fn sum(&self, mut numbers: Stream<i64>) -> Result<i64, Fault> {
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            match number {
                Ok(number) => sum = number.checked_add(sum).expect("a small sum"),
                Err(error) => {
                    self.0.ended.fetch_add(1, Ordering::SeqCst);
                    self.0.changed.notify_waiters();
                    return Err(error.into());
                }
            }
        }
        Ok(sum)
    }

    async fn late_sum(&self, numbers: Stream<i64>) -> Result<i64, Fault> {
        self.wait(0).await?;
        self.sum(numbers).await
    }

    async fn double(
        &self,
        start: i64,
        mut numbers: Stream<i64>,
        results: Sink<i64>,
    ) -> Result<(), Fault> {
        results.send(&start).await?;
        while let Some(number) = numbers.next().await {
            results.send(&(2 * number?)).await?;
        }
        Ok(())
    }

    async fn broken(&self, after: u64, results: Sink<u64>) -> Result<(), Fault> {
        for number in 0..after {
            results.send(&number).await?;
        }
        Err(Fault::new("Broken", "as asked"))
    }
}

/// A server with the service, and what it has seen.
pub fn server(
    context: &Context,
    name: &str,
    address: &str,
    concurrency: usize,
) -> (Server, Arc<Seen>) {
    let seen = Arc::new(Seen {
        name: name.to_owned(),
        ..Seen::default()
    });
    let server = Server::builder(context)
        .service(WorkServer::new(Worker(seen.clone())))
        .concurrency(concurrency)
        .bind(address)
        .start()
        .expect("a server");
    (server, seen)
}

pub fn client(context: &Context, address: impl ToString) -> WorkClient {
    WorkClient::new(Client::connect(context, address.to_string()).expect("a client"))
}

/// Addresses of all transports.
pub fn addresses() -> [String; 3] {
    let number = (std::process::id(), unique());
    [
        format!("inproc://rpc-{}-{}", number.0, number.1),
        format!(
            "ipc://{}/taipan-rpc-{}-{}",
            std::env::temp_dir().display(),
            number.0,
            number.1
        ),
        "tcp://127.0.0.1:*".to_owned(),
    ]
}

/// Runs a test on a current-thread runtime, with a watchdog.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let _watchdog = watchdog(60);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(test)
}

/// Runs a test with a server and a client over each transport.
pub fn everywhere<F: Future>(test: impl Fn(WorkClient, Arc<Seen>, Arc<Server>) -> F) {
    run(async {
        for address in addresses() {
            let context = Context::new();
            let (server, seen) = server(&context, "one", &address, 4096);
            let client = client(&context, server.endpoint());
            let server = Arc::new(server);
            test(client, seen, server.clone()).await;
        }
    });
}

pub const SOON: Duration = Duration::from_millis(100);

pub fn disconnected(error: &RpcError) -> bool {
    matches!(error, RpcError::Disconnected { may_have_run: true })
}
