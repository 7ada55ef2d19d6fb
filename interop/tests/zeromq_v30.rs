//! A peer that speaks ZMTP 3.0 only (the `zeromq` crate): no SUBSCRIBE commands, no heartbeats. Either one binds.

use std::future::Future;
use std::time::Duration;

use taipan::SocketKind;
use taipan_interop::{
    PATIENCE, Peer, PeerOptions, TaipanPeer, Watchdog, Wire, frames, fresh_endpoint,
};
use zeromq::{Socket, SocketRecv, SocketSend, ZmqMessage};

const COUNT: usize = 100;

/// The other implementation lives on a runtime of its own; taipan is called from the test's thread.
struct Old<S> {
    runtime: tokio::runtime::Runtime,
    socket: S,
}

impl<S: Socket> Old<S> {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let entered = runtime.enter();
        let socket = S::new();
        drop(entered);
        Self { runtime, socket }
    }

    /// Connects the two.
    fn meet(&mut self, taipan: &mut TaipanPeer, wire: Wire, taipan_binds: bool) {
        let endpoint = fresh_endpoint(wire);
        if taipan_binds {
            let endpoint = taipan.bind(&endpoint);
            self.runtime
                .block_on(self.socket.connect(&endpoint))
                .expect("connected");
        } else {
            let endpoint = endpoint.replace(":*", ":0");
            let bound = self
                .runtime
                .block_on(self.socket.bind(&endpoint))
                .expect("bound");
            taipan.connect(&bound.to_string());
        }
        assert!(taipan.socket().blocking_wait_for_peers(1, Some(PATIENCE)));
        assert_eq!(taipan.socket().stats().peers.len(), 1);
    }
}

/// Whatever does not come within [`PATIENCE`] does not come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}

impl<S: SocketSend> Old<S> {
    /// Sends; a socket of this crate returns an error instead of waiting while nobody is connected.
    fn send(&mut self, message: &[Vec<u8>]) {
        let mut frames = message.iter().cloned();
        let mut message = ZmqMessage::from(frames.next().expect("a frame"));
        frames.for_each(|frame| message.push_back(frame.into()));
        let socket = &mut self.socket;
        self.runtime.block_on(soon(async {
            while socket.send(message.clone()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }));
    }
}

impl<S: SocketRecv> Old<S> {
    fn recv(&mut self) -> Vec<Vec<u8>> {
        let message = self
            .runtime
            .block_on(soon(self.socket.recv()))
            .expect("a message");
        message
            .into_vec()
            .iter()
            .map(|frame| frame.to_vec())
            .collect()
    }
}

fn directions(mut test: impl FnMut(Wire, bool)) {
    let _watchdog = Watchdog::for_test();
    for wire in Wire::ALL {
        for taipan_binds in [true, false] {
            test(wire, taipan_binds);
        }
    }
}

fn sample(number: usize) -> Vec<Vec<u8>> {
    vec![
        number.to_string().into_bytes(),
        Vec::new(),
        vec![7; [255, 256, 100_000][number % 3]],
    ]
}

fn expect(taipan: &mut TaipanPeer, expected: &[Vec<u8>]) {
    assert_eq!(taipan.recv(PATIENCE).as_deref(), Some(expected));
}

#[test]
fn push_to_an_old_pull() {
    directions(|wire, taipan_binds| {
        let mut push = TaipanPeer::new(&PeerOptions::new(SocketKind::Push));
        let mut pull = Old::<zeromq::PullSocket>::new();
        pull.meet(&mut push, wire, taipan_binds);
        (0..COUNT).for_each(|number| assert_eq!(push.send(&sample(number)), Ok(())));
        (0..COUNT).for_each(|number| assert_eq!(pull.recv(), sample(number)));
    });
}

#[test]
fn pull_from_an_old_push() {
    directions(|wire, taipan_binds| {
        let mut pull = TaipanPeer::new(&PeerOptions::new(SocketKind::Pull));
        let mut push = Old::<zeromq::PushSocket>::new();
        push.meet(&mut pull, wire, taipan_binds);
        (0..COUNT).for_each(|number| push.send(&sample(number)));
        (0..COUNT).for_each(|number| expect(&mut pull, &sample(number)));
    });
}

#[test]
fn req_asks_an_old_rep() {
    directions(|wire, taipan_binds| {
        let mut req = TaipanPeer::new(&PeerOptions::new(SocketKind::Req));
        let mut rep = Old::<zeromq::RepSocket>::new();
        rep.meet(&mut req, wire, taipan_binds);
        for number in 0..COUNT {
            assert_eq!(req.send(&sample(number)), Ok(()));
            assert_eq!(rep.recv(), sample(number));
            rep.send(&frames([format!("answer {number}")]));
            expect(&mut req, &frames([format!("answer {number}")]));
        }
    });
}

#[test]
fn rep_answers_an_old_req() {
    directions(|wire, taipan_binds| {
        let mut rep = TaipanPeer::new(&PeerOptions::new(SocketKind::Rep));
        let mut req = Old::<zeromq::ReqSocket>::new();
        req.meet(&mut rep, wire, taipan_binds);
        for number in 0..COUNT {
            req.send(&frames([format!("question {number}")]));
            expect(&mut rep, &frames([format!("question {number}")]));
            assert_eq!(rep.send(&sample(number)), Ok(()));
            assert_eq!(req.recv(), sample(number));
        }
    });
}

#[test]
fn pub_to_an_old_sub() {
    directions(|wire, taipan_binds| {
        let mut publisher = TaipanPeer::new(&PeerOptions::new(SocketKind::XPub));
        let mut sub = Old::<zeromq::SubSocket>::new();
        // Before the link is there: this crate forgets to send what is subscribed while it takes a peer in.
        sub.runtime
            .block_on(soon(sub.socket.subscribe("news")))
            .expect("subscribed");
        sub.meet(&mut publisher, wire, taipan_binds);
        // A topic in a message, as 3.0 has it.
        expect(&mut publisher, &frames(["\x01news"]));
        for number in 0..COUNT {
            assert_eq!(publisher.send(&frames(["other"])), Ok(()));
            assert_eq!(
                publisher.send(&frames(["news", &number.to_string()])),
                Ok(())
            );
        }
        (0..COUNT).for_each(|number| assert_eq!(sub.recv(), frames(["news", &number.to_string()])));
        sub.runtime
            .block_on(soon(sub.socket.unsubscribe("news")))
            .expect("unsubscribed");
        expect(&mut publisher, &frames(["\0news"]));
    });
}

#[test]
fn sub_from_an_old_pub() {
    directions(|wire, taipan_binds| {
        let mut sub = TaipanPeer::new(&PeerOptions::new(SocketKind::Sub));
        sub.subscribe(b"news");
        // To a 3.0 peer libzmq garbles a topic of exactly 255 bytes, and everything after it.
        sub.subscribe(&[b'x'; 255]);
        sub.subscribe(b"last");
        let mut publisher = Old::<zeromq::PubSocket>::new();
        publisher.meet(&mut sub, wire, taipan_binds);
        let mut first = None;
        while first.is_none() {
            publisher.send(&frames(["last", "knock"]));
            first = sub.recv(Duration::from_millis(20));
        }
        for number in 0..COUNT {
            publisher.send(&frames(["other"]));
            publisher.send(&frames(["news", &number.to_string()]));
            publisher.send(&[vec![b'x'; 255], number.to_string().into_bytes()]);
        }
        let mut message = first.expect("heard");
        while message[1] == b"knock" {
            message = sub.recv(PATIENCE).expect("news");
        }
        assert_eq!(message, frames(["news", "0"]));
        for number in 0..COUNT {
            if number > 0 {
                expect(&mut sub, &frames(["news", &number.to_string()]));
            }
            expect(
                &mut sub,
                &[vec![b'x'; 255], number.to_string().into_bytes()],
            );
        }
    });
}

#[test]
fn dealer_to_an_old_router() {
    directions(|wire, taipan_binds| {
        let mut dealer = TaipanPeer::new(&PeerOptions::named(SocketKind::Dealer, "dealer"));
        let mut router = Old::<zeromq::RouterSocket>::new();
        router.meet(&mut dealer, wire, taipan_binds);
        for number in 0..COUNT {
            assert_eq!(dealer.send(&sample(number)), Ok(()));
            let mut message = router.recv();
            assert_eq!(message[0], b"dealer");
            assert_eq!(message[1..], sample(number));
            message[1] = b"answer".to_vec();
            router.send(&message);
            expect(&mut dealer, &message[1..]);
        }
    });
}

#[test]
fn router_to_an_old_dealer() {
    directions(|wire, taipan_binds| {
        let mut router = TaipanPeer::new(&PeerOptions::named(SocketKind::Router, "router"));
        let mut dealer = Old::<zeromq::DealerSocket>::new();
        dealer.meet(&mut router, wire, taipan_binds);
        for number in 0..COUNT {
            dealer.send(&sample(number));
            let mut message = router.recv(PATIENCE).expect("a message");
            assert_eq!(message[1..], sample(number));
            message[1] = b"answer".to_vec();
            assert_eq!(router.send(&message), Ok(()));
            assert_eq!(dealer.recv(), message[1..]);
        }
    });
}
