//! Calls run once at most, whatever becomes of the link.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use taipan::Context;
use taipan::rpc::RpcError;

use crate::cable::Cable;
use crate::service::{client, disconnected, run, server};

#[test]
fn a_link_that_breaks_while_a_method_runs_delays_the_answer() {
    run(async {
        let context = Context::new();
        let (server, seen) = server(&context, "one", "tcp://127.0.0.1:*", 100);
        let cable = Cable::to(server.endpoint()).await;
        let work = client(&context, &cable.address);
        // The server's hello comes before the first answer.
        assert_eq!(work.add(1, 1).await, Ok(2));
        let calls: Vec<_> = (0..50)
            .map(|number| {
                let work = work.clone();
                tokio::spawn(async move { work.wait(number).await })
            })
            .collect();
        seen.until(|seen| seen.waiting.load(Ordering::SeqCst) == 50)
            .await;
        cable.cut();
        while work.client().connected() == 1 {
            tokio::task::yield_now().await;
        }
        work.client().wait_connected(1).await;
        assert_eq!(work.add(2, 2).await, Ok(4));
        seen.go.notify_waiters();
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.expect("no panic"), Ok(number as u64));
        }
        assert_eq!(seen.runs.load(Ordering::SeqCst), 50, "each ran once");
        assert_eq!(work.client().stats().resent, 50);
        assert_eq!(server.stats().repeated, 50, "they were sent again");
    });
}

#[test]
fn answers_that_were_lost_are_given_again() {
    run(async {
        let context = Context::new();
        let (server, seen) = server(&context, "one", "tcp://127.0.0.1:*", 100);
        let cable = Cable::to(server.endpoint()).await;
        let work = client(&context, &cable.address);
        assert_eq!(work.add(1, 1).await, Ok(2));
        let call = tokio::spawn({
            let work = work.clone();
            async move { work.wait(7).await }
        });
        seen.until(|seen| seen.waiting.load(Ordering::SeqCst) == 1)
            .await;
        cable.unplug();
        while work.client().connected() == 1 {
            tokio::task::yield_now().await;
        }
        // It ends while there is no link to answer on.
        seen.go.notify_waiters();
        while server.stats().running > 0 {
            tokio::task::yield_now().await;
        }
        cable.plug();
        assert_eq!(call.await.expect("no panic"), Ok(7));
        assert_eq!(seen.runs.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn hundreds_of_calls_and_cuts_and_each_runs_once() {
    run(async {
        let context = Context::new();
        let (server, seen) = server(&context, "one", "tcp://127.0.0.1:*", 100);
        let cable = Arc::new(Cable::to(server.endpoint()).await);
        let work = client(&context, &cable.address);
        assert_eq!(work.add(1, 1).await, Ok(2));
        let mut next = 0;
        for _ in 0..30 {
            let calls: Vec<_> = (next..next + 20)
                .map(|number| {
                    let work = work.clone();
                    tokio::spawn(async move { work.run(number).await })
                })
                .collect();
            for _ in 0..rand::random::<u8>() % 8 {
                tokio::task::yield_now().await;
            }
            cable.cut();
            for (number, call) in (next..).zip(calls) {
                assert_eq!(call.await.expect("no panic"), Ok(number));
            }
            next += 20;
        }
        assert_eq!(seen.runs.load(Ordering::SeqCst), next);
    });
}

#[test]
fn another_server_in_its_place_is_no_reason_to_run_it_again() {
    run(async {
        let context = Context::new();
        let (first, seen) = server(&context, "first", "tcp://127.0.0.1:*", 100);
        let address = first.endpoint().to_string();
        let work = client(&context, &address);
        assert_eq!(work.add(1, 1).await, Ok(2));
        let call = tokio::spawn({
            let work = work.clone();
            async move { work.wait(1).await }
        });
        seen.until(|seen| seen.waiting.load(Ordering::SeqCst) == 1)
            .await;
        drop(first);
        let other = Context::new();
        let (second, unseen) = loop {
            // The port is free once the first has let it go.
            let free = std::net::TcpListener::bind(address.replace("tcp://", ""));
            if free.is_ok() {
                drop(free);
                break server(&other, "second", &address, 100);
            }
            tokio::task::yield_now().await;
        };
        let error = call.await.expect("no panic").expect_err("lost");
        assert!(disconnected(&error), "{error:?}");
        assert_eq!(work.who().await, Ok("second".into()));
        assert_eq!(unseen.runs.load(Ordering::SeqCst), 0);
        drop(second);
    });
}

#[test]
fn streams_end_with_the_link_on_both_sides() {
    run(async {
        let context = Context::new();
        let (server, seen) = server(&context, "one", "tcp://127.0.0.1:*", 100);
        let cable = Cable::to(server.endpoint()).await;
        let work = client(&context, &cable.address);
        assert_eq!(work.add(1, 1).await, Ok(2));
        let mut results = work.count(u64::MAX).await.expect("a stream");
        assert_eq!(results.next().await, Some(Ok(0)));
        let (arguments, sum) = work.sum().await.expect("a call");
        arguments.send(&1).await.expect("room");
        cable.cut();
        let error = loop {
            match results.next().await.expect("an error at the end") {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(disconnected(&error), "{error:?}");
        assert!(disconnected(&sum.await.expect_err("lost")));
        seen.until(|seen| seen.ended.load(Ordering::SeqCst) == 1)
            .await;
        seen.until(|seen| seen.dropped.load(Ordering::SeqCst) == 1)
            .await;
        while server.stats().running > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.add(1, 1).await, Ok(2));
    });
}

#[test]
fn a_client_that_is_closed_fails_what_is_under_way() {
    run(async {
        let context = Context::new();
        let (_server, seen) = server(&context, "one", "inproc://rpc-closed", 100);
        let work = client(&context, "inproc://rpc-closed");
        let call = tokio::spawn({
            let work = work.clone();
            async move { work.wait(1).await }
        });
        seen.until(|seen| seen.waiting.load(Ordering::SeqCst) == 1)
            .await;
        context.shutdown();
        assert_eq!(
            call.await.expect("no panic"),
            Err(RpcError::Closed { may_have_run: true })
        );
        assert_eq!(
            work.add(1, 1).await,
            Err(RpcError::Closed {
                may_have_run: false
            })
        );
        // Nobody waits for ever for what cannot come.
        work.client().wait_connected(1).await;
    });
}
