//! With the feature `tracing` a call is a span on both sides. Alone in its binary: who is subscribed is known to all threads.

mod common;

use common::watchdog;
use taipan::Context;
use taipan::rpc::{Client, Fault, Server, service};

/// Remembers the names of spans, and which methods they are of.
#[derive(Clone, Default)]
struct Spans(std::sync::Arc<parking_lot::Mutex<Vec<String>>>);

impl tracing::Subscriber for Spans {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.name().starts_with("rpc.")
    }

    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        struct Method(String);
        impl tracing::field::Visit for Method {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "method" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut method = Method(String::new());
        attributes.record(&mut method);
        let mut spans = self.0.lock();
        spans.push(format!("{} {}", attributes.metadata().name(), method.0));
        tracing::span::Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[service]
trait Sum {
    async fn add(a: i64, b: i64) -> i64;
}

struct Adds;

impl Sum for Adds {
    async fn add(&self, a: i64, b: i64) -> Result<i64, Fault> {
        Ok(a + b)
    }
}

#[test]
fn calls_are_spans_on_both_sides() {
    let _watchdog = watchdog(60);
    let spans = Spans::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    tracing::subscriber::with_default(spans.clone(), || {
        runtime.block_on(async {
            let context = Context::new();
            let server = Server::builder(&context)
                .service(SumServer::new(Adds))
                .bind("inproc://spans")
                .start()
                .expect("a server");
            let client =
                Client::connect(&context, server.endpoint().to_string()).expect("a client");
            assert_eq!(SumClient::new(client).add(1, 2).await, Ok(3));
        });
    });
    assert_eq!(
        *spans.0.lock(),
        ["rpc.call \"Sum.add\"", "rpc.serve \"Sum.add\""]
    );
}
