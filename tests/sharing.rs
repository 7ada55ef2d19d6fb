//! One socket shared by many tasks and threads: everybody is woken, nothing is lost, nobody starves.

mod common;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::*;
use taipan::{Context, Message, Pull, Push};
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
fn every_waiting_receiver_gets_one_of_the_messages_that_come_together() {
    let _dog = watchdog(60);
    for address in transports() {
        for waiting in [2, 3, 10, 100] {
            let context = context();
            let (push, pull) = (Push::new(&context), Pull::new(&context));
            marry(&pull, &push, &address);
            one_thread().block_on(async {
                let tasks: Vec<_> = (0..waiting)
                    .map(|_| {
                        let pull = pull.clone();
                        tokio::spawn(async move { text(&pull.recv().await.unwrap()) })
                    })
                    .collect();
                tokio::task::yield_now().await;
                push.send_many(numbered(0, waiting)).await.unwrap();
                let mut got = HashSet::new();
                for task in tasks {
                    got.insert(task.await.unwrap());
                }
                assert_eq!(got, numbered(0, waiting).into_iter().collect(), "{address}");
            });
        }
    }
}

#[test]
fn every_waiting_sender_gets_its_turn_when_there_is_room() {
    let _dog = watchdog(60);
    for waiting in [2, 3, 10, 100] {
        let context = context();
        let (push, pull) = (push_with(&context, 100), pull_with(&context, 100));
        marry(&pull, &push, &inproc());
        assert_eq!(fill(&push, |_| Message::from("first")), 200);
        one_thread().block_on(async {
            let tasks: Vec<_> = (0..waiting)
                .map(|_| {
                    let push = push.clone();
                    tokio::spawn(async move { push.send("then").await.unwrap() })
                })
                .collect();
            tokio::task::yield_now().await;
            assert_eq!(take(&pull, 200), vec!["first"; 200]);
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(take(&pull, waiting), vec!["then"; waiting]);
        });
    }
}

#[test]
fn every_blocked_thread_gets_one_of_the_messages_that_come_together() {
    let _dog = watchdog(60);
    for address in transports() {
        for _ in 0..20 {
            let context = context();
            let (push, pull) = (Push::new(&context), Pull::new(&context));
            marry(&pull, &push, &address);
            let threads: Vec<_> = (0..6)
                .map(|_| {
                    let pull = pull.clone();
                    thread::spawn(move || text(&pull.blocking_recv().unwrap()))
                })
                .collect();
            push.blocking_send_many(numbered(0, 6)).unwrap();
            let got: HashSet<_> = threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect();
            assert_eq!(got, numbered(0, 6).into_iter().collect(), "{address}");
        }
    }
}

#[test]
fn a_thousand_receivers_on_one_thread_let_a_timer_tick() {
    let _dog = watchdog(120);
    let context = context();
    one_thread().block_on(async {
        let mut senders = Vec::new();
        let mut tasks = Vec::new();
        let done = Arc::new(AtomicUsize::new(0));
        for at in 0..1000 {
            let (push, pull) = (Push::new(&context), Pull::new(&context));
            let address = if at % 10 == 0 {
                "tcp://127.0.0.1:*".to_owned()
            } else {
                inproc()
            };
            push.connect(pull.bind(address.as_str()).unwrap()).unwrap();
            senders.push(push);
            let done = done.clone();
            tasks.push(tokio::spawn(async move {
                let mut count = 0;
                while pull.recv().await.unwrap() != "end" {
                    count += 1;
                }
                done.fetch_add(1, Ordering::Relaxed);
                count
            }));
        }
        let mut clock = tokio::time::interval(MS);
        for _ in 0..20 {
            clock.tick().await;
        }
        assert_eq!(done.load(Ordering::Relaxed), 0);
        for push in &senders {
            push.send_many(numbered(0, 20)).await.unwrap();
            push.send("end").await.unwrap();
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), 20);
        }
        clock.tick().await;
    });
}

#[test]
fn a_busy_socket_lets_other_tasks_of_its_thread_run() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        let feeder = push.clone();
        let feeding = thread::spawn(move || while feeder.blocking_send("x").is_ok() {});
        one_thread().block_on(async {
            let receiver = pull.clone();
            let task = tokio::spawn(async move { while receiver.recv().await.is_ok() {} });
            for _ in 0..20 {
                tokio::time::sleep(MS).await;
            }
            push.close();
            pull.close();
            task.await.unwrap();
        });
        feeding.join().unwrap();
    }
}

#[test]
fn clones_in_many_threads_share_one_socket_and_lose_nothing() {
    let _dog = watchdog(120);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        marry(&pull, &push, &address);
        let senders: Vec<_> = (0..4)
            .map(|at| {
                let push = push.clone();
                thread::spawn(move || {
                    numbered(at * 1000, 1000)
                        .into_iter()
                        .for_each(|t| push.blocking_send(t).unwrap())
                })
            })
            .collect();
        let left = Arc::new(AtomicUsize::new(4000));
        let receivers: Vec<_> = (0..4)
            .map(|_| {
                let (pull, left) = (pull.clone(), left.clone());
                thread::spawn(move || {
                    let mut got = Vec::new();
                    while left.load(Ordering::Relaxed) > 0 {
                        if let Ok(message) = pull.blocking_recv_timeout(5 * MS) {
                            got.push(text(&message).parse::<usize>().unwrap());
                            left.fetch_sub(1, Ordering::Relaxed);
                        }
                    }
                    got
                })
            })
            .collect();
        senders
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        let mut got: Vec<_> = receivers
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        got.sort_unstable();
        assert!(got.into_iter().eq(0..4000), "{address}");
    }
}
