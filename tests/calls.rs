//! The ways to call: async, at once, blocking; streams and sinks; cancelled calls; many tasks, threads and
//! runtimes on one socket.

mod common;

use std::thread;
use std::time::Duration;

use common::*;
use futures_util::{FutureExt, SinkExt, StreamExt};
use taipan::{Context, Dealer, Message, Pull, Push, RecvError, SendErrorKind};
use tokio::runtime::{Builder, Runtime};

const MS: Duration = Duration::from_millis(1);

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn push_with(context: &Context, hwm: usize) -> Push {
    Push::with_options(context, options(|o| o.send_hwm = hwm)).unwrap()
}

fn pull_with(context: &Context, hwm: usize) -> Pull {
    Pull::with_options(context, options(|o| o.recv_hwm = hwm)).unwrap()
}

#[test]
fn the_three_ways_to_call_mean_the_same() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        one_thread().block_on(async {
            push.send("async").await.unwrap();
            push.try_send("try").unwrap();
            push.blocking_send("blocking").unwrap();
            assert_eq!(pull.recv().await.unwrap(), "async", "{address}");
            assert_eq!(pull.recv().await.unwrap(), "try", "{address}");
            assert_eq!(pull.recv().await.unwrap(), "blocking", "{address}");
        });
        push.blocking_send("one").unwrap();
        one_thread().block_on(push.send("two")).unwrap();
        assert_eq!(take(&pull, 2), ["one", "two"], "{address}");
        assert_eq!(pull.try_recv(), Err(RecvError::WouldBlock));
    }
}

#[test]
fn a_thread_that_blocks_inside_a_runtime_gets_what_the_same_thread_has_sent() {
    let _dog = watchdog(30);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        one_thread().block_on(async {
            for text in numbered(0, 100) {
                push.try_send(text).unwrap();
            }
            assert_eq!(take(&pull, 100), numbered(0, 100), "{address}");
        });
        let runtime = one_thread();
        let _entered = runtime.enter();
        for text in numbered(0, 100) {
            push.blocking_send(text).unwrap();
        }
        assert_eq!(take(&pull, 100), numbered(0, 100), "{address}");
    }
}

#[test]
fn timeouts_end_blocking_calls_and_return_the_message() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        push.bind(address.as_str()).unwrap();
        let refused = push.blocking_send_timeout("late", 10 * MS).unwrap_err();
        assert_eq!(
            (refused.kind(), refused.into_message()),
            (SendErrorKind::TimedOut, "late".into())
        );
        assert_eq!(
            pull.blocking_recv_timeout(10 * MS),
            Err(RecvError::TimedOut)
        );
        push.update_options(|o| o.send_timeout = Some(Duration::ZERO))
            .unwrap();
        assert_eq!(
            push.blocking_send("at once").unwrap_err().kind(),
            SendErrorKind::TimedOut
        );
        pull.update_options(|o| o.recv_timeout = Some(10 * MS))
            .unwrap();
        assert_eq!(pull.blocking_recv(), Err(RecvError::TimedOut), "{address}");
        assert!(!pull.blocking_wait_for_peers(1, Some(10 * MS)));
    }
}

#[test]
fn a_receive_that_is_cancelled_has_taken_nothing() {
    let _dog = watchdog(120);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        let sender = thread::spawn(move || {
            for text in numbered(0, 2000) {
                push.blocking_send(text).unwrap();
                thread::yield_now();
            }
            push
        });
        one_thread().block_on(async {
            let mut got = Vec::new();
            while got.len() < 2000 {
                tokio::select! {
                    biased;
                    () = tokio::task::yield_now() => {}
                    message = pull.recv() => got.push(text(&message.unwrap())),
                }
                tokio::select! {
                    message = pull.recv() => got.push(text(&message.unwrap())),
                    () = tokio::time::sleep(Duration::from_micros(50)) => {}
                }
            }
            assert_eq!(got, numbered(0, 2000), "{address}");
        });
        sender.join().unwrap();
    }
}

#[test]
fn a_send_that_is_cancelled_has_sent_nothing() {
    let _dog = watchdog(60);
    let context = context();
    let (push, pull) = (push_with(&context, 1), pull_with(&context, 1));
    marry(&pull, &push, &inproc());
    one_thread().block_on(async {
        push.send("1").await.unwrap();
        push.send("2").await.unwrap();
        for _ in 0..10 {
            tokio::select! {
                biased;
                sent = push.send("never") => panic!("{sent:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        assert!(push.send("never").now_or_never().is_none());
        assert_eq!(pull.recv().await.unwrap(), "1");
        assert_eq!(pull.recv().await.unwrap(), "2");
        push.send("3").await.unwrap();
        assert_eq!(pull.recv().await.unwrap(), "3");
        assert_eq!(pull.try_recv(), Err(RecvError::WouldBlock));
    });
}

#[test]
fn a_receiver_that_gave_up_passes_its_call_on() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        one_thread().block_on(async {
            for round in 0..50 {
                let mut first = Box::pin(pull.recv());
                let mut second = Box::pin(pull.recv());
                assert!((&mut first).now_or_never().is_none());
                assert!((&mut second).now_or_never().is_none());
                push.send(round.to_string()).await.unwrap();
                // Woken or not, the first is dropped unread.
                tokio::task::yield_now().await;
                drop(first);
                assert_eq!(second.await.unwrap(), round.to_string(), "{address}");
            }
        });
    }
}

#[test]
fn streams_and_sinks_carry_everything_in_order_and_end_with_the_socket() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (push_with(&context, 3), pull_with(&context, 3));
        marry(&pull, &push, &address);
        one_thread().block_on(async {
            let mut sink = push.sink();
            let sender = tokio::spawn(async move {
                for text in numbered(0, 500) {
                    sink.send(Message::from(text)).await.unwrap();
                }
                sink.close().await.unwrap();
            });
            let got: Vec<_> = pull
                .stream()
                .take(500)
                .map(|message| text(&message.unwrap()))
                .collect()
                .await;
            assert_eq!(got, numbered(0, 500), "{address}");
            sender.await.unwrap();
            let rest = tokio::spawn(pull.stream().count());
            tokio::task::yield_now().await;
            context.shutdown();
            assert_eq!(rest.await.unwrap(), 0);
            let refused = push.sink().send(Message::from("no")).await.unwrap_err();
            assert_eq!(
                (refused.kind(), refused.into_message()),
                (SendErrorKind::Closed, "no".into())
            );
        });
    }
}

#[test]
fn many_at_once_are_as_one_by_one() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (a, b) = (Dealer::new(&context), Dealer::new(&context));
        marry(&a, &b, &address);
        let sender = thread::spawn(move || {
            (
                one_thread()
                    .block_on(a.send_many(numbered(0, 5000)))
                    .unwrap(),
                a,
            )
        });
        let mut got = Vec::new();
        while got.len() < 2500 {
            let before = got.len();
            let count = b.blocking_recv_many(&mut got, 100).unwrap();
            assert!(
                (1..=100).contains(&count) && got.len() == before + count,
                "{address}"
            );
        }
        one_thread().block_on(async {
            while got.len() < 5000 {
                b.recv_many(&mut got, 64).await.unwrap();
            }
        });
        assert_eq!(
            got.iter().map(text).collect::<Vec<_>>(),
            numbered(0, 5000),
            "{address}"
        );
        assert_eq!(
            b.blocking_recv_many(&mut got, 0).unwrap(),
            0,
            "nothing was asked for"
        );
        assert_eq!(sender.join().unwrap().0, 5000);
    }
}

/// Who receives several messages at a time has several to answer, so the answers are collected; they leave also if the
/// caller does nothing more.
#[test]
fn answers_to_a_batch_leave_without_another_call() {
    let _dog = watchdog(60);
    for address in transports() {
        for blocking in [true, false] {
            let context = context();
            let (asker, answerer) = (Dealer::new(&context), Dealer::new(&context));
            marry(&asker, &answerer, &address);
            assert_eq!(
                one_thread()
                    .block_on(asker.send_many(numbered(0, 8)))
                    .unwrap(),
                8
            );
            let runtime = one_thread();
            let mut got = Vec::new();
            while got.len() < 8 {
                match blocking {
                    true => answerer.blocking_recv_many(&mut got, 8).unwrap(),
                    false => runtime.block_on(answerer.recv_many(&mut got, 8)).unwrap(),
                };
            }
            match blocking {
                true => answerer.try_send("one").unwrap(),
                // The runtime of the sender is not driven any more.
                false => runtime.block_on(async { answerer.try_send("one").unwrap() }),
            }
            assert_eq!(text(&asker.blocking_recv().unwrap()), "one", "{address}");
        }
    }
}
