//! The end of sockets and contexts: what still goes out, what is given up and told, and who is woken.

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::*;
use taipan::{
    BindError, ConnectError, Context, Dealer, LingerReport, Poller, Pub, Pull, Push, RecvError,
    Rep, Req, SendErrorKind, Sub,
};

const MS: Duration = Duration::from_millis(1);

#[test]
fn nothing_is_lost_when_a_sender_is_dropped_at_once() {
    let _dog = watchdog(120);
    for address in transports() {
        let context = context();
        let pull = Pull::with_options(&context, options(|o| o.recv_hwm = 0)).unwrap();
        let endpoint = pull.bind(address.as_str()).unwrap();
        let push = Push::new(&context);
        push.connect(endpoint).unwrap();
        for text in numbered(0, 900) {
            push.blocking_send(text).unwrap();
        }
        drop(push);
        assert_eq!(take(&pull, 900), numbered(0, 900), "{address}");
    }
}

#[test]
fn large_messages_are_not_lost_when_the_sender_and_its_context_are_dropped() {
    let _dog = watchdog(120);
    for address in streams() {
        let (here, there) = (context(), context());
        let pull = Pull::new(&here);
        let endpoint = pull.bind(address.as_str()).unwrap();
        let sender = thread::spawn(move || {
            let push = Push::new(&there);
            push.connect(endpoint).unwrap();
            for at in 0..20_u8 {
                push.blocking_send(vec![at; 1_000_000]).unwrap();
            }
        });
        for at in 0..20_u8 {
            assert!(
                pull.blocking_recv().unwrap() == vec![at; 1_000_000],
                "{address}: {at}"
            );
        }
        sender.join().unwrap();
    }
}

#[test]
fn replies_are_not_lost_when_the_server_is_dropped_at_once() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (rep, req) = (Rep::new(&context), Req::new(&context));
        marry(&rep, &req, &address);
        req.blocking_send("question").unwrap();
        assert_eq!(rep.blocking_recv().unwrap(), "question");
        rep.blocking_send(vec![5; 2_000_000]).unwrap();
        drop(rep);
        assert!(
            req.blocking_recv().unwrap() == vec![5; 2_000_000],
            "{address}"
        );
    }
}

#[test]
fn published_messages_are_not_lost_when_the_publisher_is_dropped_at_once() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (publisher, sub) = (Pub::new(&context), Sub::new(&context));
        sub.subscribe("").unwrap();
        marry(&publisher, &sub, &address);
        assert!(publisher.blocking_wait_for_subscribers(1, None));
        for text in numbered(0, 500) {
            publisher.blocking_send(text).unwrap();
        }
        drop(publisher);
        assert_eq!(take(&sub, 500), numbered(0, 500), "{address}");
    }
}

#[test]
fn a_sender_may_be_gone_before_the_receiver_comes() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let address = fixed(&address);
        let push = Push::new(&context);
        push.connect(address.as_str()).unwrap();
        for text in numbered(0, 10) {
            push.try_send(text).unwrap();
        }
        drop(push);
        let pull = Pull::new(&context);
        pull.bind(address.as_str()).unwrap();
        assert_eq!(take(&pull, 10), numbered(0, 10), "{address}");
        assert_eq!(context.terminate(), LingerReport::default(), "{address}");
    }
}

#[test]
fn an_unreachable_peer_is_waited_for_as_long_as_linger_says_and_reported() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let push = Push::with_options(&context, options(|o| o.linger = Some(100 * MS))).unwrap();
        push.connect(fixed(&address).as_str()).unwrap();
        for _ in 0..3 {
            push.try_send("12345").unwrap();
        }
        let start = Instant::now();
        let report = context.terminate();
        assert_eq!(
            (report.unsent_messages, report.unsent_bytes),
            (3, 15),
            "{address}"
        );
        assert!(start.elapsed() >= 100 * MS, "{address}");
    }
}

#[test]
fn without_linger_nothing_is_waited_for() {
    let _dog = watchdog(20);
    for address in transports() {
        let context = context();
        let push =
            Push::with_options(&context, options(|o| o.linger = Some(Duration::ZERO))).unwrap();
        push.connect(fixed(&address).as_str()).unwrap();
        push.try_send("lost").unwrap();
        drop(push);
        assert_eq!(context.terminate().unsent_messages, 1, "{address}");
    }
}

#[test]
fn a_peer_that_does_not_read_is_waited_for_as_long_as_linger_says() {
    let _dog = watchdog(60);
    for address in streams() {
        let (here, there) = (context(), context());
        let pull = Pull::new(&here);
        let push = Push::with_options(&there, options(|o| o.linger = Some(100 * MS))).unwrap();
        marry(&pull, &push, &address);
        let sent = fill(&push, |_| vec![0; 100_000].into()) as u64;
        let report = there.terminate();
        assert!(
            report.unsent_messages > 0 && report.unsent_messages <= sent,
            "{address}: {report:?}"
        );
        assert!(
            report.unsent_bytes >= report.unsent_messages * 50_000,
            "{address}: {report:?}"
        );
        drop(push);
    }
}

#[test]
fn linger_counts_from_the_close_and_takes_the_latest_setting() {
    let _dog = watchdog(20);
    let context = context();
    let push = Push::with_options(&context, options(|o| o.linger = None)).unwrap();
    push.connect(inproc().as_str()).unwrap();
    push.try_send("lost").unwrap();
    push.update_options(|o| o.linger = Some(Duration::ZERO))
        .unwrap();
    assert_eq!(context.terminate().unsent_messages, 1);
}

#[test]
fn a_subscriber_has_nothing_to_linger_for() {
    let _dog = watchdog(20);
    for address in transports() {
        let context = context();
        let sub = Sub::with_options(&context, options(|o| o.linger = None)).unwrap();
        sub.connect(fixed(&address).as_str()).unwrap();
        sub.subscribe("topic").unwrap();
        assert_eq!(context.terminate(), LingerReport::default(), "{address}");
    }
}

#[test]
fn shutdown_wakes_everybody_who_waits_in_any_thread() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (pull, push) = (Pull::new(&context), Push::new(&context));
        let linger = |o: &mut taipan::Options| o.linger = Some(Duration::ZERO);
        push.update_options(linger).unwrap();
        push.bind(address.as_str()).unwrap();
        let idle = Pull::new(&context);
        idle.bind(fixed(&address).replace("-", "+").as_str())
            .unwrap_or_else(|_| idle.bind(inproc().as_str()).unwrap());
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let pull = pull.clone();
            waiting.push(thread::spawn(move || {
                assert_eq!(pull.blocking_recv(), Err(RecvError::Closed))
            }));
            let idle = idle.clone();
            waiting.push(thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                assert_eq!(runtime.block_on(idle.recv()), Err(RecvError::Closed));
            }));
            let push = push.clone();
            waiting.push(thread::spawn(move || {
                let refused = push.blocking_send("waits").unwrap_err();
                assert_eq!(
                    (refused.kind(), refused.into_message()),
                    (SendErrorKind::Closed, "waits".into())
                );
            }));
        }
        let polled = pull.clone();
        waiting.push(thread::spawn(move || {
            let mut poller = Poller::new();
            poller.add(&polled, 7, taipan::Interest::READABLE).unwrap();
            assert_eq!(poller.wait(None).unwrap()[0].token, 7);
        }));
        let watched = pull.clone();
        waiting.push(thread::spawn(move || {
            assert!(!watched.blocking_wait_for_peers(1, None))
        }));
        thread::sleep(20 * MS);
        context.shutdown();
        for thread in waiting {
            thread.join().unwrap();
        }
    }
}

#[test]
fn after_the_end_every_call_says_closed() {
    let _dog = watchdog(20);
    let context = context();
    let (push, pull) = (Push::new(&context), Pull::new(&context));
    marry(&pull, &push, &inproc());
    context.shutdown();
    for (push, pull) in [(push, pull), (Push::new(&context), Pull::new(&context))] {
        assert_eq!(
            push.try_send("no").unwrap_err().kind(),
            SendErrorKind::Closed
        );
        assert_eq!(
            push.blocking_send("no").unwrap_err().kind(),
            SendErrorKind::Closed
        );
        assert_eq!(pull.try_recv(), Err(RecvError::Closed));
        assert_eq!(pull.blocking_recv_timeout(MS), Err(RecvError::Closed));
        for address in transports() {
            assert!(
                matches!(pull.bind(address.as_str()), Err(BindError::Closed)),
                "{address}"
            );
            let address = fixed(&address);
            assert!(
                matches!(push.connect(address.as_str()), Err(ConnectError::Closed)),
                "{address}"
            );
        }
    }
}

#[test]
fn a_socket_that_one_clone_closed_is_closed_for_all() {
    let _dog = watchdog(20);
    let context = context();
    let pull = Pull::new(&context);
    let clone = pull.clone();
    let waiting = thread::spawn(move || clone.blocking_recv());
    pull.close();
    pull.close();
    assert_eq!(waiting.join().unwrap(), Err(RecvError::Closed));
}

#[test]
fn both_sides_may_close_at_once_with_messages_under_way() {
    let _dog = watchdog(60);
    for address in transports() {
        for _ in 0..10 {
            let context = context();
            let a = Dealer::with_options(&context, options(|o| o.linger = Some(200 * MS))).unwrap();
            let b = Dealer::with_options(&context, options(|o| o.linger = Some(200 * MS))).unwrap();
            marry(&a, &b, &fixed(&address));
            for _ in 0..50 {
                a.try_send("to b").unwrap();
                b.try_send("to a").unwrap();
            }
            let other = thread::spawn(move || drop(a));
            drop(b);
            other.join().unwrap();
            context.terminate();
        }
    }
}

#[test]
fn a_link_is_finished_after_the_last_message_whatever_the_peer_still_says() {
    use std::io::{Read, Write};
    let _dog = watchdog(60);
    let context = Context::new();
    let push = Push::new(&context);
    let endpoint = push.bind("tcp://127.0.0.1:*").unwrap();
    let mut peer = raw(&endpoint);
    peer.write_all(&hello("PULL")).unwrap();
    assert!(push.blocking_wait_for_peers(1, None));
    let mut sent = 0;
    while push.try_send(vec![9; 60_000]).is_ok() && sent < 100_000_000 {
        sent += 60_000;
        if push.flush() > 0 {
            break;
        }
    }
    let closing = thread::spawn(move || drop(push));
    let mut got = vec![0; 64 * 1024];
    let mut total = 0;
    // A PING in answer to everything that is read: it may find the socket closed already.
    let ping = [&[4, 7][..], b"\x04PING\x00\x00"].concat();
    loop {
        let _ = peer.write_all(&ping);
        match peer.read(&mut got) {
            Ok(0) => break,
            Ok(count) => total += count,
            Err(error) => panic!("after {total} bytes: {error}"),
        }
    }
    assert!(total >= sent, "{total} of {sent}");
    closing.join().unwrap();
}
