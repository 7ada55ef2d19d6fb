//! Shared memory beside other transports, and in pollers.

use std::thread;
use std::time::Duration;

use taipan::{Interest, Poller, Pull, Push};

use crate::common::*;
use crate::rig::*;
use crate::script::{noise, same};

#[test]
fn one_socket_serves_all_transports_at_once() {
    let _dog = watchdog(30);
    let (dir, context) = (Dir::new(), context());
    let pull = Pull::with_options(&context, small(|_| ())).unwrap();
    let addresses = [
        dir.address("socket"),
        "tcp://127.0.0.1:*".to_owned(),
        inproc(),
    ];
    let endpoints = addresses.map(|address| pull.bind(address.as_str()).unwrap());
    let pushes = endpoints.map(|endpoint| {
        let push = Push::with_options(&context, small(|_| ())).unwrap();
        join(&pull, &push, &endpoint);
        push
    });
    let sending: Vec<_> = pushes
        .into_iter()
        .enumerate()
        .map(|(who, push)| {
            thread::spawn(move || {
                for at in 0..500 {
                    push.blocking_send(noise(10 + at * 100, who * 1_000 + at))
                        .unwrap();
                }
                push
            })
        })
        .collect();
    let mut next = [0; 3];
    for _ in 0..1_500 {
        let message = pull.blocking_recv().unwrap();
        let at = (message.byte_len() - 10) / 100;
        let who = (0..3)
            .find(|who| same(message.first(), who * 1_000 + at))
            .expect("noise of one of them");
        assert_eq!(next[who], at);
        next[who] += 1;
    }
    sending
        .into_iter()
        .for_each(|thread| drop(thread.join().unwrap()));
}

#[test]
fn a_poller_waits_for_shared_memory_both_ways() {
    let _dog = watchdog(30);
    let (dir, context) = (Dir::new(), context());
    let push = Push::with_options(&context, small(|o| o.send_hwm = 2)).unwrap();
    let pull = Pull::with_options(&context, small(|o| o.recv_hwm = 2)).unwrap();
    marry(&pull, &push, &dir.address("socket"));
    let sending = thread::spawn(move || {
        let mut poller = Poller::new();
        poller.add(&push, 1, Interest::WRITABLE).unwrap();
        let mut sent = 0;
        while sent < 2_000 {
            let ready = poller.wait(None).unwrap();
            assert_eq!(ready[0].token, 1);
            while sent < 2_000 && push.try_send(noise(sent * 10, sent)).is_ok() {
                sent += 1;
            }
        }
        push
    });
    let mut poller = Poller::new();
    poller.add(&pull, 2, Interest::READABLE).unwrap();
    let mut got = 0;
    while got < 2_000 {
        assert_eq!(poller.wait(None).unwrap()[0].token, 2);
        while let Ok(message) = pull.try_recv() {
            assert!(message.byte_len() == got * 10 && same(message.first(), got));
            got += 1;
        }
    }
    assert!(
        poller
            .wait(Some(Duration::from_millis(1)))
            .unwrap()
            .is_empty()
    );
    drop(sending.join().unwrap());
}
