//! Calls that wait for a budget: cancelled, timed out, closed under, in every kind of runtime.

use std::future::poll_fn;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use taipan::throttle::{Limits, Throttled};
use taipan::{Pull, Push, RecvError, Req, Router, SendErrorKind};

use crate::common::{context, fill, inproc, marry, options, parts, text, until, watchdog};
use crate::ways::{at_least, bytes, messages, stopped, ways};

/// Polls a future once and drops it.
async fn cancelled<T>(future: impl Future<Output = T>) {
    let mut future = std::pin::pin!(future);
    let once = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(once, "it should have waited");
}

fn runtime() -> tokio::runtime::Runtime {
    // Neither time nor I/O.
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().expect("a runtime")
}

#[test]
fn a_cancelled_send_has_sent_nothing_and_gives_its_tokens_back() {
    let _watchdog = watchdog(30);
    runtime().block_on(async {
        let context = context();
        let (pull, push) = (Pull::new(&context), Push::new(&context));
        marry(&pull, &push, &inproc());
        let budget = stopped();
        let slow = Throttled::new(&push).sending(&budget);
        for _ in 0..100 {
            cancelled(slow.send("never")).await;
        }
        let stats = budget.stats();
        assert_eq!((stats.messages, stats.waiting, stats.delayed), (1, 0, 0));
        budget.set(Limits::none()).expect("limits");
        slow.send("2").await.expect("send");
        assert_eq!(text(&pull.recv().await.expect("recv")), "2");
        assert_eq!(pull.try_recv(), Err(RecvError::WouldBlock));
    });
}

#[test]
fn a_send_that_waits_for_room_holds_no_tokens() {
    let _watchdog = watchdog(30);
    runtime().block_on(async {
        for way in ways() {
            let context = context();
            let few = way.options(|options| (options.send_hwm, options.recv_hwm) = (1, 1));
            let push = Push::with_options(&context, few.clone()).expect("options");
            let pull = Pull::with_options(&context, few).expect("options");
            marry(&pull, &push, &way.address);
            let budget = messages(1_000_000_000, 1_000_000_000);
            let slow = Throttled::new(&push).sending(&budget);
            let large = vec![0; 100_000];
            let mut accepted = 0;
            while slow.try_send(large.clone()).is_ok() {
                accepted += 1;
            }
            cancelled(slow.send(large.clone())).await;
            let timeout = Duration::from_millis(10);
            let refused = slow
                .blocking_send_timeout(large.clone(), timeout)
                .unwrap_err();
            assert_eq!(refused.kind(), SendErrorKind::TimedOut);
            assert_eq!(refused.message().byte_len(), 100_000);
            assert_eq!(budget.stats().messages, accepted, "{}", way.address);
            // Room wakes the one who waits for it.
            let receiver = thread::spawn(move || {
                for _ in 0..=accepted {
                    pull.blocking_recv().expect("recv");
                }
            });
            slow.send(large).await.expect("send");
            assert_eq!(budget.stats().messages, accepted + 1);
            receiver.join().expect("the receiver");
        }
    });
}

#[test]
fn a_cancelled_receive_loses_nothing() {
    let _watchdog = watchdog(30);
    runtime().block_on(async {
        for way in ways() {
            let context = context();
            let push = Push::with_options(&context, way.options.clone()).expect("options");
            let pull = Pull::with_options(&context, way.options.clone()).expect("options");
            marry(&pull, &push, &way.address);
            let budget = stopped();
            let slow = Throttled::new(&pull).receiving(&budget);
            for number in 0..5 {
                push.send(number.to_string()).await.expect("send");
            }
            // It has to be there before it can wait for the budget.
            pull.wait_ready(taipan::Interest::READABLE).await;
            for _ in 0..10 {
                cancelled(slow.recv()).await;
            }
            assert_eq!(slow.try_recv(), Err(RecvError::WouldBlock));
            let timeout = Duration::from_millis(10);
            let timed_out = slow.blocking_recv_timeout(timeout);
            assert_eq!(timed_out, Err(RecvError::TimedOut));
            assert_eq!(budget.stats().messages, 1);
            budget.set(Limits::none()).expect("limits");
            for number in 0..5 {
                assert_eq!(text(&slow.recv().await.expect("recv")), number.to_string());
            }
        }
    });
}

#[test]
fn what_one_receiver_gives_back_wakes_another_that_waits_for_messages() {
    let _watchdog = watchdog(30);
    let context = context();
    let (pull, push) = (Pull::new(&context), Push::new(&context));
    marry(&pull, &push, &inproc());
    let budget = stopped();
    let slow = Throttled::new(&pull).receiving(&budget);
    push.blocking_send("2").expect("send");
    runtime().block_on(async {
        let mut first = Box::pin(slow.recv());
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        let mut second = Box::pin(slow.recv());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        drop(first);
        budget.set(Limits::none()).expect("limits");
        assert_eq!(text(&second.await.expect("recv")), "2");
    });
}

#[test]
fn a_new_rate_is_for_those_who_wait_too() {
    let _watchdog = watchdog(30);
    let context = context();
    let (pull, push) = (Pull::new(&context), Push::new(&context));
    marry(&pull, &push, &inproc());
    let budget = stopped();
    let slow = Throttled::new(&push).sending(&budget);
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let slow = slow.clone();
            thread::spawn(move || slow.blocking_send("later"))
        })
        .collect();
    until(|| budget.stats().waiting == 4);
    budget.set(Limits::messages(1_000)).expect("limits");
    for thread in waiting {
        thread.join().expect("a sender").expect("send");
    }
    let stats = budget.stats();
    assert_eq!((stats.messages, stats.delayed, stats.waiting), (5, 4, 0));
    assert!(stats.delay > Duration::ZERO);
}

#[test]
fn closing_the_socket_ends_the_wait() {
    let _watchdog = watchdog(30);
    let context = context();
    let (pull, push) = (Pull::new(&context), Push::new(&context));
    marry(&pull, &push, &inproc());
    let budget = stopped();
    let (near, far) = (
        Throttled::new(&push).sending(&budget),
        Throttled::new(&pull).receiving(&budget),
    );
    push.blocking_send("1").expect("send");
    let sender = thread::spawn(move || near.blocking_send("2"));
    let receiver = thread::spawn(move || far.blocking_recv());
    until(|| budget.stats().waiting == 2);
    push.close();
    let refused = sender.join().expect("the sender").unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Closed);
    assert_eq!(refused.into_message(), "2");
    pull.close();
    let refused = receiver.join().expect("the receiver");
    assert_eq!(refused, Err(RecvError::Closed));
    assert_eq!(budget.stats().waiting, 0);
}

#[test]
fn what_cannot_be_sent_takes_nothing() {
    let _watchdog = watchdog(30);
    let context = context();
    let budget = messages(1, 1);
    let hasty = options(|options| options.linger = Some(Duration::ZERO));
    let req = Req::with_options(&context, hasty).expect("options");
    let req = Throttled::new(&req).sending(&budget);
    req.socket().connect(inproc().as_str()).expect("connect");
    req.try_send("1").expect("send");
    budget.set(Limits::messages(1_000_000)).expect("limits");
    let refused = req.blocking_send("2").unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::State);
    let router = Router::with_options(&context, options(|options| options.router_mandatory = true));
    let router = Throttled::new(&router.expect("options")).sending(&budget);
    let refused = router.blocking_send(parts([b"nobody", b"x"])).unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Unroutable);
    assert_eq!(budget.stats().messages, 1);
}

#[test]
fn a_router_whose_peer_is_full_waits_without_looking_all_the_time() {
    let _watchdog = watchdog(30);
    let context = context();
    let few = options(|options| {
        (options.send_hwm, options.recv_hwm) = (1, 1);
        options.router_mandatory = true;
    });
    let router = Router::with_options(&context, few.clone()).expect("options");
    let dealer = taipan::Dealer::with_options(
        &context,
        options(|options| {
            (options.send_hwm, options.recv_hwm) = (1, 1);
            options.routing_id = "d".into();
        }),
    )
    .expect("options");
    // Another peer that has room, so that the socket as a whole is ready.
    let other = taipan::Dealer::with_options(&context, options(|o| o.routing_id = "o".into()));
    let endpoint = marry(&router, &dealer, &inproc());
    crate::common::join(&router, &other.expect("options"), &endpoint);
    let budget = messages(1_000_000, 1_000_000);
    let slow = Throttled::new(&router).sending(&budget);
    let accepted = fill(&router, |_| parts([b"d", b"x"]));
    runtime().block_on(async {
        cancelled(slow.send(parts([b"d", b"x"]))).await;
        assert_eq!(budget.stats().messages, 0);
        let waiting = slow.send(parts([b"d", b"last"]));
        let receiving = async {
            for _ in 0..accepted {
                dealer.recv().await.expect("recv");
            }
            text(&dealer.recv().await.expect("recv"))
        };
        let (sent, last) = futures_util::join!(waiting, receiving);
        sent.expect("send");
        assert_eq!(last, "last");
        assert_eq!(budget.stats().messages, 1);
    });
}

#[test]
fn every_runtime_and_none_waits() {
    let _watchdog = watchdog(60);
    let run = |name: &str, wait: &dyn Fn(&Throttled<taipan::kind::Push>)| {
        let context = context();
        let (pull, push) = (Pull::new(&context), Push::new(&context));
        marry(&pull, &push, &inproc());
        let budget = messages(200, 1);
        let slow = Throttled::new(&push).sending(&budget);
        let start = Instant::now();
        wait(&slow);
        at_least(start, 9.0 / 200.0);
        for number in 0..10 {
            assert_eq!(
                text(&pull.blocking_recv().expect("recv")),
                number.to_string()
            );
        }
        assert!(budget.stats().delayed >= 1, "{name}");
    };
    let send = |slow: Throttled<taipan::kind::Push>| async move {
        for number in 0..10 {
            slow.send(number.to_string()).await.expect("send");
        }
    };
    run("no runtime", &|slow| {
        for number in 0..10 {
            slow.blocking_send(number.to_string()).expect("send");
        }
    });
    run("a runtime without time and I/O", &|slow| {
        runtime().block_on(send(slow.clone()));
    });
    run("a current-thread runtime", &|slow| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().expect("a runtime");
        runtime.block_on(send(slow.clone()));
    });
    run("a multi-thread runtime", &|slow| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let task = runtime.spawn(send(slow.clone()));
        runtime.block_on(task).expect("the task");
    });
}

#[test]
fn waiting_leaves_the_thread_to_other_tasks() {
    let _watchdog = watchdog(30);
    runtime().block_on(async {
        let context = context();
        let (pull, push) = (Pull::new(&context), Push::new(&context));
        marry(&pull, &push, &inproc());
        let slow = Throttled::new(&push).sending(&stopped());
        let waiting = tokio::spawn(async move { slow.send("2").await });
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        waiting.abort();
    });
}

#[test]
fn a_message_larger_than_the_burst_goes_at_the_right_rate() {
    let _watchdog = watchdog(60);
    for way in ways() {
        let context = context();
        let push = Push::with_options(&context, way.options.clone()).expect("options");
        let pull = Pull::with_options(&context, way.options.clone()).expect("options");
        marry(&pull, &push, &way.address);
        let budget = bytes(10_000_000, 1000);
        let slow = Throttled::new(&push).sending(&budget);
        let start = Instant::now();
        let receiver = thread::spawn(move || {
            for _ in 0..4 {
                assert_eq!(pull.blocking_recv().expect("recv").byte_len(), 500_000);
            }
        });
        for _ in 0..4 {
            slow.blocking_send(vec![7; 500_000]).expect("send");
        }
        at_least(start, 0.15);
        receiver.join().expect("the receiver");
    }
}

#[test]
fn without_a_budget_the_calls_are_the_sockets_own() {
    let _watchdog = watchdog(30);
    let context = context();
    let few = options(|options| (options.send_hwm, options.recv_hwm) = (2, 2));
    let push = Push::with_options(&context, few.clone()).expect("options");
    let pull = Pull::with_options(&context, few).expect("options");
    marry(&pull, &push, &inproc());
    let (near, far) = (Throttled::new(&push), Throttled::new(&pull));
    for number in 0..4 {
        near.try_send(number.to_string()).expect("send");
    }
    assert_eq!(
        near.try_send("5").unwrap_err().kind(),
        SendErrorKind::WouldBlock
    );
    for number in 0..4 {
        assert_eq!(
            text(&far.blocking_recv().expect("recv")),
            number.to_string()
        );
    }
    assert_eq!(far.try_recv(), Err(RecvError::WouldBlock));
}
