//! Several servers.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use taipan::Context;
use taipan::rpc::Client;

use crate::service::{WorkClient, run, server};

#[test]
fn calls_go_where_the_fewest_are_under_way() {
    run(async {
        let context = Context::new();
        let servers = ["a", "b", "c"].map(|name| server(&context, name, "tcp://127.0.0.1:*", 100));
        let mut builder = Client::builder(&context);
        for (server, _) in &servers {
            builder = builder.connect(server.endpoint().to_string());
        }
        let work = WorkClient::new(builder.build().expect("a client"));
        work.client().wait_connected(3).await;
        let calls: Vec<_> = (0..30)
            .map(|number| {
                let work = work.clone();
                tokio::spawn(async move { work.wait(number).await })
            })
            .collect();
        for (_, seen) in &servers {
            seen.until(|seen| seen.waiting.load(Ordering::SeqCst) == 10)
                .await;
            seen.go.notify_waiters();
        }
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.expect("no panic"), Ok(number as u64));
        }
    });
}

#[test]
fn idempotent_calls_move_on_when_a_server_goes() {
    run(async {
        let contexts = [Context::new(), Context::new()];
        let servers = [("a", &contexts[0]), ("b", &contexts[1])]
            .map(|(name, context)| server(context, name, "tcp://127.0.0.1:*", 100));
        let context = Context::new();
        let work = WorkClient::new(
            Client::builder(&context)
                .connect(servers[0].0.endpoint().to_string())
                .connect(servers[1].0.endpoint().to_string())
                .build()
                .expect("a client"),
        );
        work.client().wait_connected(2).await;
        let mut servers = servers.into_iter();
        let gone = servers.next();
        let mut answers = BTreeMap::new();
        let mut gone = gone;
        for number in 0..200 {
            if number == 100 {
                drop(gone.take());
            }
            *answers
                .entry(work.who().await.expect("an answer"))
                .or_insert(0) += 1;
        }
        assert!(answers["b"] >= 100, "{answers:?}");
        assert_eq!(answers.values().sum::<i32>(), 200);
    });
}

#[test]
fn a_client_goes_on_with_whoever_is_left_and_notices_who_comes_back() {
    run(async {
        let own = Context::new();
        let (first, _) = server(&own, "first", "tcp://127.0.0.1:*", 100);
        let address = first.endpoint().to_string();
        let context = Context::new();
        let (second, _) = server(&context, "second", "tcp://127.0.0.1:*", 100);
        let work = WorkClient::new(
            Client::builder(&context)
                .connect(address.clone())
                .connect(second.endpoint().to_string())
                .build()
                .expect("a client"),
        );
        work.client().wait_connected(2).await;
        drop(first);
        while work.client().connected() == 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.who().await, Ok("second".into()));
        own.terminate_async().await;
        let (_third, _) = server(&context, "third", &address, 100);
        work.client().wait_connected(2).await;
        drop(second);
        while work.client().connected() == 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.who().await, Ok("third".into()));
    });
}
