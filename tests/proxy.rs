//! The proxy between every pair of sockets it is made for: content and order, copies, orders, numbers, ends.
//!
//! Every wait is for something that must come, and ends the test if it does not within [`PATIENCE`].

use std::thread::JoinHandle;
use std::time::Duration;

use taipan::{
    AnySocket, Context, Dealer, Kind, Message, Options, Pair, Proxy, ProxyEnd, ProxyError,
    ProxyHandle, ProxyReport, ProxySide, Pub, Pull, Push, Receives, Rep, Req, Router,
    SendErrorKind, Socket, SocketKind, Sub, XPub, XSub,
};

const PATIENCE: Duration = Duration::from_secs(20);

type Run = JoinHandle<Result<ProxyReport, ProxyError>>;

fn start(proxy: Proxy) -> (ProxyHandle, Run) {
    let handle = proxy.handle();
    (handle, std::thread::spawn(move || proxy.run_blocking()))
}

fn finish(handle: &ProxyHandle, run: Run) -> ProxyReport {
    handle.terminate();
    let report = run.join().expect("the proxy's thread").expect("the proxy");
    assert_eq!(report.end, ProxyEnd::Terminated);
    assert_eq!(report.statistics, handle.statistics());
    report
}

fn recv<K: Receives>(socket: &Socket<K>) -> Message {
    socket
        .blocking_recv_timeout(PATIENCE)
        .expect("a message in time")
}

/// Binds one socket and connects the other.
fn marry<A: Kind, B: Kind>(bound: &Socket<A>, connected: &Socket<B>, endpoint: &str) {
    let endpoint = bound.bind(endpoint).expect("bind");
    connected.connect(endpoint).expect("connect");
    assert!(connected.blocking_wait_for_peers(1, Some(PATIENCE)));
    assert!(bound.blocking_wait_for_peers(1, Some(PATIENCE)));
}

fn small(hwm: usize) -> Options {
    let mut options = Options::default();
    (options.send_hwm, options.recv_hwm) = (hwm, hwm);
    options
}

/// What goes in before `try_send` says that there is no room.
fn fill(push: &Push, from: u32) -> u32 {
    let mut next = from;
    loop {
        match push.try_send(next.to_be_bytes()) {
            Ok(()) => next += 1,
            Err(error) => {
                assert_eq!(error.kind(), SendErrorKind::WouldBlock);
                return next;
            }
        }
    }
}

fn number(message: &Message) -> u32 {
    u32::from_be_bytes(message.first().as_slice().try_into().expect("four bytes"))
}

#[test]
fn pull_push_forwards_whole_messages_in_order() {
    for endpoint in ["inproc://front", "tcp://127.0.0.1:*", "ipc://*"] {
        let context = Context::new();
        let (frontend, backend) = (Pull::new(&context), Push::new(&context));
        let (source, sink) = (Push::new(&context), Pull::new(&context));
        marry(&frontend, &source, endpoint);
        marry(&backend, &sink, &endpoint.replace("front", "back"));
        let (handle, run) = start(Proxy::new(&frontend, &backend));

        // More than a burst, and more than the watermarks hold.
        let sender = std::thread::spawn(move || {
            for number in 0..5000_u32 {
                let message = Message::from_frames([
                    number.to_be_bytes().to_vec(),
                    vec![7; number as usize % 100],
                ]);
                source.blocking_send(message).expect("send");
            }
            source
        });
        for expected in 0..5000_u32 {
            let message = recv(&sink);
            assert_eq!(message.frame_count(), 2);
            assert_eq!(number(&message), expected);
            assert_eq!(message.frames()[1], vec![7; expected as usize % 100]);
        }
        let _source = sender.join().expect("sender");

        let report = finish(&handle, run);
        let bytes: u64 = (0..5000).map(|number| 4 + number % 100).sum();
        let (front, back) = (report.statistics.frontend, report.statistics.backend);
        assert_eq!(
            (front.messages_received, front.bytes_received),
            (5000, bytes)
        );
        assert_eq!((back.messages_sent, back.bytes_sent), (5000, bytes));
        assert_eq!((front.messages_sent, front.bytes_sent), (0, 0));
        assert_eq!((back.messages_received, back.bytes_received), (0, 0));
        assert_eq!(report.unsent, []);
    }
}

#[test]
fn router_dealer_takes_requests_forth_and_replies_back() {
    let context = Context::new();
    let (frontend, backend) = (Router::new(&context), Dealer::new(&context));
    let endpoint = frontend.bind("tcp://127.0.0.1:*").expect("bind");
    let workers = backend.bind("inproc://workers").expect("bind");
    let (handle, run) = start(Proxy::new(&frontend, &backend));

    let worker = Rep::new(&context);
    worker.connect(workers).expect("connect");
    let clients: Vec<Req> = (0..3).map(|_| Req::new(&context)).collect();
    for client in &clients {
        client.connect(&endpoint).expect("connect");
    }
    for round in 0..100_u32 {
        for (number, client) in clients.iter().enumerate() {
            client
                .blocking_send(format!("{number}/{round}"))
                .expect("send");
        }
        for _ in &clients {
            let mut request = recv(&worker);
            request.push_back("done");
            worker.blocking_send(request).expect("send");
        }
        for (number, client) in clients.iter().enumerate() {
            let reply = recv(client);
            assert_eq!(
                reply.frames(),
                [format!("{number}/{round}").as_bytes(), b"done"]
            );
        }
    }
    let report = finish(&handle, run);
    assert_eq!(report.statistics.frontend.messages_received, 300);
    assert_eq!(report.statistics.backend.messages_sent, 300);
    assert_eq!(report.statistics.backend.messages_received, 300);
    assert_eq!(report.statistics.frontend.messages_sent, 300);
    assert_eq!(report.statistics.dropped, 0);
}

#[test]
fn xsub_xpub_takes_subscriptions_upstream() {
    let context = Context::new();
    let (frontend, backend) = (XSub::new(&context), XPub::new(&context));
    let publishers = frontend.bind("inproc://publishers").expect("bind");
    let subscribers = backend.bind("tcp://127.0.0.1:*").expect("bind");
    let (handle, run) = start(Proxy::new(&frontend, &backend));

    let publisher = Pub::new(&context);
    publisher.connect(publishers).expect("connect");
    let (apples, all) = (Sub::new(&context), Sub::new(&context));
    apples.connect(&subscribers).expect("connect");
    apples.subscribe("apple").expect("subscribe");
    assert!(publisher.blocking_wait_for_subscribers(1, Some(PATIENCE)));
    publisher.blocking_send("pear 1").expect("send");
    publisher
        .blocking_send(Message::from_frames(["apple 2", "second frame"]))
        .expect("send");
    assert_eq!(recv(&apples).frames(), ["apple 2", "second frame"]);

    all.connect(&subscribers).expect("connect");
    all.subscribe("").expect("subscribe");
    // The subscription to everything has come through when an answer to it does.
    while all.try_recv().is_err() {
        publisher.blocking_send("ping").expect("send");
        std::thread::yield_now();
    }
    publisher.blocking_send("apple 3").expect("send");
    assert_eq!(recv(&apples), "apple 3");
    while recv(&all) != "apple 3" {}

    let statistics = finish(&handle, run).statistics;
    // The messages are `\x01apple` and `\x01`.
    assert_eq!(
        (
            statistics.backend.messages_received,
            statistics.backend.bytes_received
        ),
        (2, 7)
    );
    assert_eq!(
        (
            statistics.frontend.messages_sent,
            statistics.frontend.bytes_sent
        ),
        (2, 7)
    );
    assert_eq!(
        statistics.frontend.messages_received,
        statistics.backend.messages_sent
    );
}

#[test]
fn sub_pub_forwards_what_the_frontend_subscribed_to() {
    let context = Context::new();
    let (frontend, backend) = (Sub::new(&context), Pub::new(&context));
    let (publisher, subscriber) = (Pub::new(&context), Sub::new(&context));
    frontend.subscribe("a").expect("subscribe");
    subscriber.subscribe("").expect("subscribe");
    marry(&frontend, &publisher, "inproc://front");
    marry(&backend, &subscriber, "inproc://back");
    assert!(publisher.blocking_wait_for_subscribers(1, Some(PATIENCE)));
    assert!(backend.blocking_wait_for_subscribers(1, Some(PATIENCE)));
    let (handle, run) = start(Proxy::new(&frontend, &backend));
    for text in ["a1", "b2", "a3"] {
        publisher.blocking_send(text).expect("send");
    }
    assert_eq!(recv(&subscriber), "a1");
    assert_eq!(recv(&subscriber), "a3");
    assert_eq!(
        finish(&handle, run).statistics.frontend.messages_received,
        2
    );
}

#[test]
fn pair_pair_flows_both_ways_at_once() {
    let context = Context::new();
    let (frontend, backend) = (Pair::new(&context), Pair::new(&context));
    let (left, right) = (Pair::new(&context), Pair::new(&context));
    marry(&frontend, &left, "inproc://front");
    marry(&backend, &right, "inproc://back");
    let (handle, run) = start(Proxy::new(&frontend, &backend));
    let echo = std::thread::spawn(move || {
        for _ in 0..3000 {
            let message = recv(&right);
            right.blocking_send(message).expect("send");
        }
    });
    let sender = left.clone();
    let sending = std::thread::spawn(move || {
        for number in 0..3000_u32 {
            sender.blocking_send(number.to_be_bytes()).expect("send");
        }
    });
    for expected in 0..3000 {
        assert_eq!(number(&recv(&left)), expected);
    }
    sending.join().expect("sender");
    echo.join().expect("echo");
    let statistics = finish(&handle, run).statistics;
    for side in [statistics.frontend, statistics.backend] {
        assert_eq!((side.messages_received, side.messages_sent), (3000, 3000));
        assert_eq!((side.bytes_received, side.bytes_sent), (12000, 12000));
    }
}

#[test]
fn capture_gets_both_directions_in_the_order_they_were_forwarded() {
    let context = Context::new();
    let (frontend, backend) = (Router::new(&context), Dealer::new(&context));
    let (client, worker) = (Req::new(&context), Rep::new(&context));
    let (capture, tape) = (Push::new(&context), Pull::new(&context));
    marry(&frontend, &client, "inproc://front");
    marry(&backend, &worker, "inproc://back");
    marry(&tape, &capture, "inproc://tape");
    let (handle, run) = start(Proxy::new(&frontend, &backend).capture(&capture));
    for round in 0..50 {
        client
            .blocking_send(format!("question {round}"))
            .expect("send");
        assert_eq!(recv(&worker), format!("question {round}").as_str());
        worker
            .blocking_send(format!("answer {round}"))
            .expect("send");
        assert_eq!(recv(&client), format!("answer {round}").as_str());
        for text in ["question", "answer"] {
            let copy = recv(&tape);
            // Routing id, delimiter, text.
            assert_eq!(copy.frame_count(), 3);
            assert_eq!(*copy.last(), format!("{text} {round}").as_str());
        }
    }
    finish(&handle, run);
}

#[test]
fn capture_without_room_holds_up_the_proxy_and_loses_nothing() {
    let context = Context::new();
    let (frontend, backend, capture) = (
        Pull::new(&context),
        Push::new(&context),
        Push::new(&context),
    );
    let (source, sink, tape) = (
        Push::new(&context),
        Pull::new(&context),
        Pull::new(&context),
    );
    marry(&frontend, &source, "inproc://front");
    marry(&backend, &sink, "inproc://back");
    let (handle, run) = start(Proxy::new(&frontend, &backend).capture(&capture));
    for number in 0..10_u32 {
        source.blocking_send(number.to_be_bytes()).expect("send");
    }
    // The first goes through, its copy has nowhere to go.
    assert_eq!(number(&recv(&sink)), 0);
    marry(&tape, &capture, "inproc://tape");
    for expected in 0..10 {
        assert_eq!(number(&recv(&tape)), expected);
    }
    for expected in 1..10 {
        assert_eq!(number(&recv(&sink)), expected);
    }
    finish(&handle, run);
}

#[test]
fn a_pause_stops_the_flow_and_loses_nothing() {
    let context = Context::new();
    let frontend = Pull::with_options(&context, small(10)).expect("options");
    let source = Push::with_options(&context, small(10)).expect("options");
    let (backend, sink) = (Push::new(&context), Pull::new(&context));
    marry(&frontend, &source, "inproc://front");
    marry(&backend, &sink, "inproc://back");
    let (handle, run) = start(Proxy::new(&frontend, &backend));
    source.blocking_send(0_u32.to_be_bytes()).expect("send");
    assert_eq!(number(&recv(&sink)), 0);
    let mut expected = 1;
    for _ in 0..20 {
        handle.pause();
        let before = handle.statistics();
        let end = fill(&source, expected);
        assert!(
            end >= expected + 10,
            "a paused proxy leaves the watermarks to the sender"
        );
        assert_eq!(handle.statistics(), before);
        assert_eq!(sink.try_recv(), Err(taipan::RecvError::WouldBlock));
        handle.resume();
        for expected in expected..end {
            assert_eq!(number(&recv(&sink)), expected);
        }
        expected = end;
    }
    let report = finish(&handle, run);
    assert_eq!(report.statistics.backend.messages_sent, u64::from(expected));
    assert_eq!(report.unsent, []);
}

#[test]
fn back_pressure_reaches_the_sender_and_no_message_is_dropped() {
    let context = Context::new();
    let frontend = Pull::with_options(&context, small(10)).expect("options");
    let source = Push::with_options(&context, small(10)).expect("options");
    let backend = Push::with_options(&context, small(10)).expect("options");
    let sink = Pull::with_options(&context, small(10)).expect("options");
    marry(&frontend, &source, "inproc://front");
    let (handle, run) = start(Proxy::new(&frontend, &backend));
    // Without a worker the proxy takes one message and waits.
    source.blocking_send(0_u32.to_be_bytes()).expect("send");
    while handle.statistics().frontend.messages_received == 0 {
        std::thread::yield_now();
    }
    let end = fill(&source, 1);
    assert_eq!(handle.statistics().frontend.messages_received, 1);
    assert_eq!(handle.statistics().backend.messages_sent, 0);
    marry(&backend, &sink, "inproc://back");
    for expected in 0..end {
        assert_eq!(number(&recv(&sink)), expected);
    }
    assert_eq!(
        finish(&handle, run).statistics.backend.messages_sent,
        u64::from(end)
    );
}

#[test]
fn what_was_held_at_the_end_is_in_the_report() {
    let context = Context::new();
    let (frontend, backend, source) = (
        Pull::new(&context),
        Push::new(&context),
        Push::new(&context),
    );
    marry(&frontend, &source, "inproc://front");
    let (handle, run) = start(Proxy::new(&frontend, &backend));
    source.blocking_send("held").expect("send");
    while handle.statistics().frontend.messages_received == 0 {
        std::thread::yield_now();
    }
    let report = finish(&handle, run);
    assert_eq!(report.unsent, [(ProxySide::Backend, Message::from("held"))]);
    assert_eq!(report.statistics.backend.messages_sent, 0);
}

#[test]
fn a_reply_to_a_peer_that_has_left_does_not_end_the_proxy() {
    let context = Context::new();
    let mut options = Options::default();
    options.router_mandatory = true;
    let frontend = Router::with_options(&context, options).expect("options");
    let (backend, worker, client) = (
        Dealer::new(&context),
        Dealer::new(&context),
        Req::new(&context),
    );
    marry(&backend, &worker, "inproc://back");
    marry(&frontend, &client, "inproc://front");
    let (handle, run) = start(Proxy::new(&frontend, &backend));
    worker
        .blocking_send(Message::from_frames(["nobody", "", "lost"]))
        .expect("send");
    client.blocking_send("question").expect("send");
    let question = recv(&worker);
    worker.blocking_send(question).expect("send");
    assert_eq!(recv(&client), "question");
    let statistics = finish(&handle, run).statistics;
    assert_eq!(statistics.dropped, 1);
    assert_eq!(
        (
            statistics.backend.messages_received,
            statistics.frontend.messages_sent
        ),
        (2, 1)
    );
}

#[test]
fn it_ends_when_a_socket_is_closed_whatever_it_waits_for() {
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum WaitsFor {
        Messages,
        Room,
        Orders,
    }
    for closed in [ProxySide::Frontend, ProxySide::Backend] {
        for waits in [WaitsFor::Messages, WaitsFor::Room, WaitsFor::Orders] {
            let context = Context::new();
            let (frontend, backend, source) = (
                Pull::new(&context),
                Push::new(&context),
                Push::new(&context),
            );
            marry(&frontend, &source, "inproc://front");
            let proxy = Proxy::new(&frontend, &backend);
            if waits == WaitsFor::Orders {
                proxy.handle().pause();
            }
            let (handle, run) = start(proxy);
            if waits == WaitsFor::Room {
                source.blocking_send("held").expect("send");
                while handle.statistics().frontend.messages_received == 0 {
                    std::thread::yield_now();
                }
            }
            match closed {
                ProxySide::Frontend => frontend.close(),
                _ => backend.close(),
            }
            let report = run.join().expect("the proxy's thread").expect("the proxy");
            assert_eq!(report.end, ProxyEnd::Closed(closed), "{closed} {waits:?}");
            assert_eq!(
                report.unsent.len(),
                usize::from(waits == WaitsFor::Room),
                "{closed} {waits:?}"
            );
        }
    }
}

#[test]
fn it_ends_with_its_context() {
    let context = Context::new();
    let (_, run) = start(Proxy::new(&Router::new(&context), &Dealer::new(&context)));
    context.shutdown();
    let report = run.join().expect("the proxy's thread").expect("the proxy");
    assert!(matches!(report.end, ProxyEnd::Closed(_)));
}

#[test]
fn terminating_before_it_runs_or_while_paused_ends_it() {
    let context = Context::new();
    let (frontend, backend) = (Router::new(&context), Dealer::new(&context));
    let proxy = Proxy::new(&frontend, &backend);
    proxy.handle().terminate();
    proxy.handle().resume();
    assert_eq!(
        proxy.run_blocking().expect("the proxy").end,
        ProxyEnd::Terminated
    );

    let proxy = Proxy::new(&frontend, &backend);
    proxy.handle().pause();
    let (handle, run) = start(proxy);
    finish(&handle, run);
}

#[tokio::test]
async fn it_runs_in_a_runtime_and_blocking_inside_of_one() {
    let context = Context::new();
    let (frontend, backend) = (Pull::new(&context), Push::new(&context));
    let (source, sink) = (Push::new(&context), Pull::new(&context));
    marry(&frontend, &source, "tcp://127.0.0.1:*");
    marry(&backend, &sink, "tcp://127.0.0.1:*");
    let proxy = Proxy::new(&frontend, &backend);
    let handle = proxy.handle();
    let run = tokio::spawn(proxy.run());
    source
        .send_many((0..2000).map(|number: u32| number.to_be_bytes()))
        .await
        .expect("send");
    for expected in 0..2000 {
        assert_eq!(number(&sink.recv().await.expect("recv")), expected);
    }
    handle.terminate();
    assert_eq!(
        run.await.expect("task").expect("the proxy").end,
        ProxyEnd::Terminated
    );

    let proxy = Proxy::new(&frontend, &backend);
    proxy.handle().terminate();
    assert_eq!(
        proxy.run_blocking().expect("the proxy").end,
        ProxyEnd::Terminated
    );
}

#[test]
fn sockets_that_do_not_fit_are_refused_with_their_kinds() {
    let context = Context::new();
    let socket = |kind| AnySocket::of(&context, kind, Options::default()).expect("options");
    for (front, back) in [
        (SocketKind::Push, SocketKind::Push),
        (SocketKind::Pull, SocketKind::Sub),
        (SocketKind::Rep, SocketKind::Req),
        (SocketKind::Router, SocketKind::Rep),
    ] {
        let proxy = Proxy::new(&socket(front), &socket(back));
        let error = proxy.run_blocking().expect_err("they do not fit");
        assert!(
            matches!(error, ProxyError::Mismatch { frontend, backend } if frontend == front && backend == back),
            "{error}"
        );
    }
    let proxy = Proxy::new(&socket(SocketKind::Pull), &socket(SocketKind::Push));
    let error = proxy
        .capture(&socket(SocketKind::Sub))
        .run_blocking()
        .expect_err("it cannot send");
    assert!(matches!(error, ProxyError::Capture(SocketKind::Sub)));
    assert_eq!(
        error.to_string(),
        "a SUB socket cannot capture what a proxy forwards"
    );
}
