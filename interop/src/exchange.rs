//! What two connected sockets have to do for each other, for every compatible pair of kinds.
//!
//! Everything is checked: content, order, counts, envelopes. Nobody waits for a connection: queues hold what is
//! sent early, and where there is none (PUB, ROUTER) the sender tries until the receiver has heard it.

use std::time::Duration;

use taipan::SocketKind::{self, *};

use crate::peer::{Frames, PATIENCE, Peer, Refusal, frames};

/// Messages in a row; below every high water mark.
const COUNT: usize = 200;
/// The pause between two attempts to be heard.
const BEAT: Duration = Duration::from_millis(20);

/// A socket and what it is.
pub struct End<'a> {
    /// Its kind.
    pub kind: SocketKind,
    /// Its routing id; a router has to have one, if the other end is a router too.
    pub routing_id: &'a [u8],
    /// The socket.
    pub peer: &'a mut dyn Peer,
}

impl End<'_> {
    fn send(&mut self, message: &[Vec<u8>]) {
        let sent = self.peer.send(message);
        assert_eq!(sent, Ok(()), "a {} sends", self.kind);
    }

    fn recv(&mut self) -> Frames {
        let message = self.peer.recv(PATIENCE);
        message.unwrap_or_else(|| panic!("nothing came to a {}", self.kind))
    }

    fn expect(&mut self, expected: &[Vec<u8>]) {
        assert_eq!(self.recv(), expected, "a {} receives", self.kind);
    }

    /// The envelope that this socket has in front of its messages at a router: a given routing id must be there, one
    /// that the router made up has five bytes and begins with a zero.
    fn check_routing_id(&self, found: &[u8]) {
        if self.routing_id.is_empty() {
            assert_eq!(
                (found.len(), found[0]),
                (5, 0),
                "a made-up routing id: {found:?}"
            );
        } else {
            assert_eq!(found, self.routing_id, "a given routing id");
        }
    }
}

/// Lets two connected sockets do everything their kinds can do together.
///
/// # Panics
/// If anything is not as it has to be, or if the kinds do not go together.
pub fn exchange(mut a: End<'_>, mut b: End<'_>) {
    assert!(a.kind.accepts(b.kind), "{} and {}", a.kind, b.kind);
    match (a.kind, b.kind) {
        (Push, Pull) => stream(&mut a, &mut b, "down"),
        (Pair, Pair) | (Dealer, Dealer) => {
            stream(&mut a, &mut b, "there");
            stream(&mut b, &mut a, "back");
        }
        (Pub | XPub, Sub | XSub) => publish(&mut a, &mut b),
        (Req, Rep) => ask(&mut a, &mut b),
        (Req, Router) => ask_router(&mut a, &mut b),
        (Dealer, Rep) => deal_to_rep(&mut a, &mut b),
        (Dealer, Router) => deal_to_router(&mut a, &mut b),
        (Router, Router) => route(&mut a, &mut b),
        _ => exchange(b, a),
    }
}

/// Message `number` of a series: one to four frames, the empty one and the limits of short frames among them.
fn sample(series: &str, number: usize) -> Frames {
    let mut message = vec![format!("{series} {number}").into_bytes()];
    message.extend((0..number % 4).map(|part| vec![number as u8; [0, 255, 256][part]]));
    message
}

fn stream(from: &mut End<'_>, to: &mut End<'_>, series: &str) {
    for number in 0..COUNT {
        from.send(&sample(series, number));
    }
    for number in 0..COUNT {
        to.expect(&sample(series, number));
    }
}

fn publish(publisher: &mut End<'_>, subscriber: &mut End<'_>) {
    subscriber.peer.subscribe(b"news.");
    wait_until_heard(publisher, subscriber, b"news.");
    for number in 0..COUNT {
        publisher.send(&frames([format!("other {number}")]));
        publisher.send(&sample("news.", number));
    }
    for number in 0..COUNT {
        subscriber.expect(&sample("news.", number));
    }

    subscriber.peer.unsubscribe(b"news.");
    if publisher.kind == XPub {
        assert_eq!(hear(publisher, subscriber), [b"\0news."], "an XPUB is told");
    }
    subscriber.peer.subscribe(b"end");
    wait_until_heard(publisher, subscriber, b"end");
    publisher.send(&sample("news.", 1));
    publisher.send(&frames(["end", "last"]));
    subscriber.expect(&frames(["end", "last"]));

    if (publisher.kind, subscriber.kind) == (XPub, XSub) {
        stream(subscriber, publisher, "upstream");
    }
}

/// What an XPUB is told next. Meanwhile the subscriber is asked for messages, because libzmq tells its subscriptions
/// to those who connect to it only while it is called.
fn hear(publisher: &mut End<'_>, subscriber: &mut End<'_>) -> Frames {
    for _ in 0..3000 {
        if let Some(told) = publisher.peer.recv(BEAT) {
            return told;
        }
        assert_eq!(
            subscriber.peer.recv(Duration::ZERO),
            None,
            "nothing was sent yet"
        );
    }
    panic!("the subscription never reached the publisher");
}

/// Returns when the publisher knows of the topic, and the subscriber has nothing left to read.
fn wait_until_heard(publisher: &mut End<'_>, subscriber: &mut End<'_>, topic: &[u8]) {
    if publisher.kind == XPub {
        let told = hear(publisher, subscriber);
        assert_eq!(told, [[b"\x01", topic].concat()], "an XPUB is told");
        return;
    }
    let knock = |number: u32| vec![topic.to_vec(), number.to_be_bytes().to_vec()];
    let mut knocks = 0;
    let mut heard = loop {
        knocks += 1;
        publisher.send(&knock(knocks));
        match subscriber.peer.recv(BEAT) {
            Some(message) => break message,
            None => assert!(
                knocks < 3000,
                "the subscription never reached the publisher"
            ),
        }
    };
    // From the first knock that was heard on, every one has to come.
    let heard_first = u32::from_be_bytes(heard[1].as_slice().try_into().expect("four bytes"));
    for number in heard_first..=knocks {
        assert_eq!(heard, knock(number), "a {} receives", subscriber.kind);
        if number < knocks {
            heard = subscriber.recv();
        }
    }
}

fn ask(req: &mut End<'_>, rep: &mut End<'_>) {
    for number in 0..COUNT {
        req.send(&sample("question", number));
        rep.expect(&sample("question", number));
        rep.send(&sample("answer", number));
        req.expect(&sample("answer", number));
    }
}

fn ask_router(req: &mut End<'_>, router: &mut End<'_>) {
    for number in 0..COUNT {
        req.send(&sample("question", number));
        let mut envelope = router.recv();
        let body = envelope.split_off(2);
        req.check_routing_id(&envelope[0]);
        assert_eq!(envelope[1], b"", "the delimiter");
        assert_eq!(body, sample("question", number));
        envelope.extend(sample("answer", number));
        router.send(&envelope);
        req.expect(&sample("answer", number));
    }
}

fn deal_to_rep(dealer: &mut End<'_>, rep: &mut End<'_>) {
    let in_envelope = |number: usize, series: &str| {
        let mut message = frames(["trace"].into_iter().take(number % 2));
        message.push(Vec::new());
        message.extend(sample(series, number));
        message
    };
    for number in 0..COUNT {
        dealer.send(&in_envelope(number, "question"));
    }
    for number in 0..COUNT {
        rep.expect(&sample("question", number));
        rep.send(&sample("answer", number));
    }
    for number in 0..COUNT {
        dealer.expect(&in_envelope(number, "answer"));
    }
}

fn deal_to_router(dealer: &mut End<'_>, router: &mut End<'_>) {
    for number in 0..COUNT {
        dealer.send(&sample("question", number));
    }
    for number in 0..COUNT {
        let mut message = router.recv();
        dealer.check_routing_id(&message[0]);
        assert_eq!(message[1..], sample("question", number));
        message.truncate(1);
        message.extend(sample("answer", number));
        router.send(&message);
    }
    for number in 0..COUNT {
        dealer.expect(&sample("answer", number));
    }
}

fn route(a: &mut End<'_>, b: &mut End<'_>) {
    let to = |name: &[u8], series: &str, number: usize| {
        let mut message = vec![name.to_vec()];
        message.extend(sample(series, number));
        message
    };
    let (name_a, name_b) = (a.routing_id.to_vec(), b.routing_id.to_vec());
    let mut attempts = 0;
    while let Err(refusal) = a.peer.send(&to(&name_b, "hello", 0)) {
        assert_eq!(refusal, Refusal::Unroutable);
        attempts += 1;
        assert!(attempts < 3000, "the routers never met");
        assert_eq!(b.peer.recv(BEAT), None, "nothing was sent yet");
    }
    b.expect(&to(&name_a, "hello", 0));
    for number in 0..COUNT {
        a.send(&to(&name_b, "there", number));
        b.send(&to(&name_a, "back", number));
    }
    for number in 0..COUNT {
        b.expect(&to(&name_a, "there", number));
        a.expect(&to(&name_b, "back", number));
    }
}
