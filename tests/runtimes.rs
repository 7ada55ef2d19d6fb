//! Sockets in no runtime, in several, in one without I/O; pollers and descriptors of one's own.

mod common;

use std::thread;
use std::time::Duration;

use common::*;
use taipan::{Interest, Poller, Pull, Push, Ready, Rep, Req};
use tokio::runtime::{Builder, Runtime};

const MS: Duration = Duration::from_millis(1);

fn plain() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_runtime_without_io_or_time_will_do() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (rep, req) = (Rep::new(&context), Req::new(&context));
        let bare = || Builder::new_current_thread().build().unwrap();
        let endpoint = rep.bind(address.as_str()).unwrap();
        let server = thread::spawn(move || {
            bare().block_on(async {
                for _ in 0..100 {
                    let question = rep.recv().await.unwrap();
                    rep.send(question).await.unwrap();
                }
            });
            rep
        });
        req.connect(endpoint).unwrap();
        bare().block_on(async {
            for text in numbered(0, 100) {
                req.send(text.as_str()).await.unwrap();
                assert_eq!(req.recv().await.unwrap(), text, "{address}");
            }
        });
        server.join().unwrap();
    }
}

#[test]
fn no_executor_of_tokio_is_needed() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (rep, req) = (Rep::new(&context), Req::new(&context));
        marry(&rep, &req, &address);
        let server = thread::spawn(move || {
            futures_executor_block_on(async move {
                for _ in 0..100 {
                    let question = rep.recv().await.unwrap();
                    rep.send(question).await.unwrap();
                }
                rep
            })
        });
        futures_executor_block_on(async {
            for text in numbered(0, 100) {
                req.send(text.as_str()).await.unwrap();
                assert_eq!(req.recv().await.unwrap(), text, "{address}");
            }
        });
        server.join().unwrap();
    }
}

/// The smallest executor: parks the thread until it is woken.
fn futures_executor_block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future
            .as_mut()
            .poll(&mut std::task::Context::from_waker(&waker))
        {
            std::task::Poll::Ready(done) => return done,
            std::task::Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn one_socket_may_move_between_runtimes_and_threads() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        let many = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        for round in 0..20 {
            let sender = {
                let push = push.clone();
                thread::spawn(move || plain().block_on(push.send(round.to_string())).unwrap())
            };
            let got = match round % 4 {
                0 => plain().block_on(pull.recv()).unwrap(),
                1 => pull.blocking_recv().unwrap(),
                2 => {
                    let pull = pull.clone();
                    let task = many.spawn(async move { pull.recv().await.unwrap() });
                    many.block_on(task).unwrap()
                }
                _ => futures_executor_block_on(pull.recv()).unwrap(),
            };
            assert_eq!(got, round.to_string(), "{address}");
            sender.join().unwrap();
        }
    }
}

#[test]
fn a_runtime_that_ends_while_its_task_waits_leaves_the_socket_to_others() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        for round in 0..5 {
            let runtime = plain();
            runtime.block_on(async {
                let pull = pull.clone();
                tokio::spawn(async move { pull.recv().await.unwrap() });
                tokio::task::yield_now().await;
            });
            drop(runtime);
            push.blocking_send(round.to_string()).unwrap();
            assert_eq!(
                plain().block_on(pull.recv()).unwrap(),
                round.to_string(),
                "{address}"
            );
        }
    }
}

#[test]
fn two_runtimes_may_wait_on_one_socket_at_once() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        let receivers: Vec<_> = (0..3)
            .map(|_| {
                let pull = pull.clone();
                thread::spawn(move || {
                    plain().block_on(async move {
                        let mut count = 0;
                        while let Ok(message) = pull.recv().await {
                            if message == "end" {
                                break;
                            }
                            count += 1;
                        }
                        count
                    })
                })
            })
            .collect();
        for _ in 0..1000 {
            push.blocking_send("work").unwrap();
        }
        for _ in 0..3 {
            push.blocking_send("end").unwrap();
        }
        let counts: Vec<u32> = receivers
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(counts.iter().sum::<u32>(), 1000, "{address}: {counts:?}");
    }
}

#[test]
fn a_task_that_waits_in_a_runtime_nobody_drives_does_not_stop_others() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        let parked = plain();
        parked.block_on(async {
            let pull = pull.clone();
            tokio::spawn(async move { pull.recv().await.unwrap() });
            tokio::task::yield_now().await;
        });
        push.blocking_send("for whoever").unwrap();
        push.blocking_send("comes").unwrap();
        // The parked task may be given one; the other is for us.
        assert!(
            ["for whoever", "comes"].contains(&take(&pull, 1)[0].as_str()),
            "{address}"
        );
        drop(parked);
    }
}

#[test]
fn a_poller_tells_who_is_ready_again_and_again() {
    let _dog = watchdog(60);
    for (one, other) in transports().into_iter().zip(transports()) {
        let context = context();
        let (a, b, to_a, to_b) = (
            Pull::new(&context),
            Pull::new(&context),
            Push::new(&context),
            Push::new(&context),
        );
        marry(&a, &to_a, &one);
        marry(&b, &to_b, &other);
        let mut poller = Poller::new();
        assert_eq!(poller.wait(Some(MS)).unwrap(), []);
        poller.add(&a, 1, Interest::READABLE).unwrap();
        poller.add(&b, 2, Interest::READABLE).unwrap();
        assert_eq!(poller.wait(Some(MS)).unwrap(), []);
        for _ in 0..20 {
            let sender = {
                let to_b = to_b.clone();
                thread::spawn(move || to_b.blocking_send("b").unwrap())
            };
            let ready = poller.wait(None).unwrap();
            assert_eq!(
                ready,
                [Ready {
                    token: 2,
                    ready: Interest::READABLE
                }],
                "{other}"
            );
            assert_eq!(
                poller.wait(Some(Duration::ZERO)).unwrap(),
                ready,
                "until it is received"
            );
            assert_eq!(b.try_recv().unwrap(), "b", "{other}");
            sender.join().unwrap();
        }
        to_a.blocking_send("a").unwrap();
        assert_eq!(poller.wait(None).unwrap()[0].token, 1, "{one}");
        poller.add(&a, 3, Interest::READABLE).unwrap();
        assert_eq!(poller.wait(None).unwrap()[0].token, 3, "{one}");
        assert!(poller.remove(&a) && !poller.remove(&a));
        assert_eq!(poller.wait(Some(MS)).unwrap(), [], "{one}");
    }
}

#[test]
fn a_poller_waits_for_room() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let push = Push::with_options(&context, options(|o| o.send_hwm = 2)).unwrap();
        let pull = Pull::with_options(&context, options(|o| o.recv_hwm = 2)).unwrap();
        let mut poller = Poller::new();
        poller.add(&push, 5, Interest::BOTH).unwrap();
        assert_eq!(poller.wait(Some(MS)).unwrap(), [], "no peer");
        marry(&pull, &push, &address);
        let writable = [Ready {
            token: 5,
            ready: Interest::WRITABLE,
        }];
        assert_eq!(poller.wait(None).unwrap(), writable, "{address}");
        let sent = fill(&push, |_| vec![0; 50_000].into());
        assert_eq!(poller.wait(Some(MS)).unwrap(), [], "{address}: full");
        let reader =
            thread::spawn(move || (0..sent).for_each(|_| drop(pull.blocking_recv().unwrap())));
        assert_eq!(poller.wait(None).unwrap(), writable, "{address}");
        reader.join().unwrap();
    }
}

#[test]
fn pollers_see_a_peer_that_connects_later() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (pull, push) = (Pull::new(&context), Push::new(&context));
        let endpoint = pull.bind(address.as_str()).unwrap();
        let mut poller = Poller::new();
        poller.add(&pull, 1, Interest::READABLE).unwrap();
        let sender = thread::spawn(move || {
            push.connect(endpoint).unwrap();
            push.blocking_send("late").unwrap();
            push
        });
        assert_eq!(poller.wait(None).unwrap()[0].token, 1, "{address}");
        assert_eq!(pull.try_recv().unwrap(), "late");
        sender.join().unwrap();
    }
}
