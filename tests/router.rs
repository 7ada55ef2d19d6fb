//! ROUTER and DEALER: who is who, and what happens to messages for nobody.

mod common;

use bytes::Bytes;
use common::*;
use taipan::config::RouterNotify;
use taipan::{
    ConnectError, Context, Dealer, DropReason, Message, Options, RecvError, Req, Router,
    SendErrorKind,
};

fn router_with(context: &Context, change: impl FnOnce(&mut Options)) -> Router {
    Router::with_options(context, options(change)).expect("options")
}

fn named(context: &Context, name: &'static str) -> Dealer {
    Dealer::with_options(
        context,
        options(|o| o.routing_id = Bytes::from_static(name.as_bytes())),
    )
    .expect("options")
}

fn to(id: &[u8], body: &str) -> Message {
    Message::from_frames([id, body.as_bytes()])
}

#[test]
fn a_peer_without_a_name_gets_one_of_five_bytes_that_counts_up() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let router = Router::new(&context);
        let endpoint = router.bind(address.as_str()).unwrap();
        let mut last = None;
        for _ in 0..3 {
            let dealer = Dealer::new(&context);
            join(&router, &dealer, &endpoint);
            dealer.blocking_send("hello").unwrap();
            let got = router.blocking_recv().unwrap();
            let id = got.first().to_vec();
            assert_eq!((id.len(), id[0], got.frame_count()), (5, 0, 2), "{address}");
            let number = u32::from_be_bytes(id[1..].try_into().unwrap());
            assert!(
                last.is_none_or(|last: u32| number == last.wrapping_add(1)),
                "{address}"
            );
            last = Some(number);
            router.blocking_send(to(&id, "back")).unwrap();
            assert_eq!(dealer.blocking_recv().unwrap(), "back", "{address}");
            drop(dealer);
            until_links(&router, 0);
        }
    }
}

#[test]
fn messages_go_to_the_peer_that_the_first_frame_names() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (router, a, b) = (
            Router::new(&context),
            named(&context, "a"),
            named(&context, "b"),
        );
        let endpoint = marry(&router, &a, &address);
        join(&router, &b, &endpoint);
        for round in 0..10 {
            router.blocking_send(to(b"b", &round.to_string())).unwrap();
            router
                .blocking_send(to(b"a", &(round + 100).to_string()))
                .unwrap();
        }
        assert_eq!(take(&a, 10), numbered(100, 10), "{address}");
        assert_eq!(take(&b, 10), numbered(0, 10), "{address}");
        a.blocking_send(parts([b"", b"x", b"y"])).unwrap();
        assert_eq!(
            router.blocking_recv().unwrap(),
            parts([b"a", b"", b"x", b"y"]),
            "{address}"
        );
    }
}

#[test]
fn messages_for_nobody_are_dropped_and_counted() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (router, a) = (Router::new(&context), named(&context, "a"));
        marry(&router, &a, &address);
        router.try_send(to(b"nobody", "x")).unwrap();
        router.try_send("a").unwrap();
        let drops = router.stats().drops;
        assert_eq!(
            (
                drops.get(DropReason::Unroutable),
                drops.get(DropReason::Malformed)
            ),
            (1, 1),
            "{address}"
        );
        router.try_send(to(b"a", "for a")).unwrap();
        assert_eq!(take(&a, 1), ["for a"], "{address}");
    }
}

#[test]
fn mandatory_tells_what_cannot_be_delivered_and_gives_it_back() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let router = router_with(&context, |o| o.router_mandatory = true);
        let a = named(&context, "a");
        let endpoint = router.bind(address.as_str()).unwrap();
        let refused = router.try_send(parts([b"a", b"one", b"two"])).unwrap_err();
        assert_eq!(refused.kind(), SendErrorKind::Unroutable, "{address}");
        assert_eq!(refused.into_message(), parts([b"a", b"one", b"two"]));
        assert_eq!(
            router.blocking_send(to(b"a", "x")).unwrap_err().kind(),
            SendErrorKind::Unroutable
        );
        join(&router, &a, &endpoint);
        router.try_send(to(b"a", "now")).unwrap();
        assert_eq!(take(&a, 1), ["now"]);
        drop(a);
        until_links(&router, 0);
        assert_eq!(
            router.try_send(to(b"a", "x")).unwrap_err().kind(),
            SendErrorKind::Unroutable,
            "{address}"
        );
    }
}

#[test]
fn a_full_peer_drops_or_blocks() {
    let _dog = watchdog(60);
    for mandatory in [false, true] {
        let context = context();
        let router = router_with(&context, |o| {
            o.router_mandatory = mandatory;
            o.send_hwm = 2;
        });
        let a = Dealer::with_options(
            &context,
            options(|o| {
                o.routing_id = "a".into();
                o.recv_hwm = 2;
            }),
        )
        .unwrap();
        marry(&router, &a, &inproc());
        for text in numbered(0, 4) {
            router.try_send(to(b"a", &text)).unwrap();
        }
        if mandatory {
            let refused = router.try_send(to(b"a", "full")).unwrap_err();
            assert_eq!(
                (refused.kind(), refused.into_message()),
                (SendErrorKind::WouldBlock, to(b"a", "full"))
            );
        } else {
            router.try_send(to(b"a", "full")).unwrap();
            assert_eq!(router.stats().drops.get(DropReason::Watermark), 1);
        }
        assert_eq!(take(&a, 4), numbered(0, 4));
        router.blocking_send(to(b"a", "room")).unwrap();
        assert_eq!(take(&a, 1), ["room"]);
    }
}

#[test]
fn a_second_peer_of_the_same_name_is_not_heard() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (router, first, second) = (
            Router::new(&context),
            named(&context, "same"),
            named(&context, "same"),
        );
        let endpoint = marry(&router, &first, &address);
        join(&router, &second, &endpoint);
        second.blocking_send("ignored").unwrap();
        first.blocking_send("heard").unwrap();
        assert_eq!(
            router.blocking_recv().unwrap(),
            to(b"same", "heard"),
            "{address}"
        );
        router.blocking_send(to(b"same", "back")).unwrap();
        assert_eq!(take(&first, 1), ["back"], "{address}");
        assert_eq!(router.try_recv(), Err(RecvError::WouldBlock), "{address}");
    }
}

#[test]
fn with_handover_the_second_peer_takes_the_name() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let router = router_with(&context, |o| o.router_handover = true);
        let (first, second) = (named(&context, "same"), named(&context, "same"));
        // Or it would come back and take the name over in turn.
        first
            .update_options(|o| o.reconnect_interval = None)
            .unwrap();
        let endpoint = marry(&router, &first, &address);
        second.connect(endpoint).unwrap();
        second.blocking_send("mine now").unwrap();
        assert_eq!(
            router.blocking_recv().unwrap(),
            to(b"same", "mine now"),
            "{address}"
        );
        router.blocking_send(to(b"same", "yours")).unwrap();
        assert_eq!(take(&second, 1), ["yours"], "{address}");
        until_links(&first, 0);
        assert_eq!(first.try_recv(), Err(RecvError::WouldBlock), "{address}");
        assert_eq!(links(&router), 1, "{address}");
    }
}

#[test]
fn a_peer_that_comes_back_under_its_name_is_the_same_peer() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let router = router_with(&context, |o| o.router_mandatory = true);
        let endpoint = router.bind(address.as_str()).unwrap();
        for round in 0..5 {
            let dealer = named(&context, "me");
            join(&router, &dealer, &endpoint);
            router.blocking_send(to(b"me", &round.to_string())).unwrap();
            assert_eq!(take(&dealer, 1), numbered(round, 1), "{address}");
            drop(dealer);
            until_links(&router, 0);
        }
    }
}

#[test]
fn connect_as_names_the_peer_before_it_is_there() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (here, there) = (
            Router::new(&context),
            router_with(&context, |o| o.routing_id = "own name".into()),
        );
        let address = fixed(&address);
        here.connect_as(address.as_str(), "given").unwrap();
        assert!(matches!(
            here.connect_as(address.as_str(), "given"),
            Err(ConnectError::RoutingIdInUse)
        ));
        here.blocking_send(to(b"given", "early")).unwrap();
        there.bind(address.as_str()).unwrap();
        let got = there.blocking_recv().unwrap();
        assert_eq!(got[1], "early", "{address}");
        there
            .blocking_send(Message::from_frames([got[0].clone(), "back".into()]))
            .unwrap();
        assert_eq!(
            here.blocking_recv().unwrap(),
            to(b"given", "back"),
            "{address}"
        );
    }
}

#[test]
fn a_probe_makes_a_peer_known_before_it_has_spoken() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let router = Router::new(&context);
        let endpoint = router.bind(address.as_str()).unwrap();
        let dealer = named(&context, "d");
        dealer.update_options(|o| o.probe_router = true).unwrap();
        dealer.connect(endpoint.clone()).unwrap();
        assert_eq!(
            router.blocking_recv().unwrap(),
            parts([b"d", b""]),
            "{address}"
        );
        let req = Req::with_options(
            &context,
            options(|o| {
                o.routing_id = "r".into();
                o.probe_router = true;
            }),
        )
        .unwrap();
        req.connect(endpoint).unwrap();
        assert_eq!(
            router.blocking_recv().unwrap(),
            parts([b"r", b""]),
            "{address}"
        );
        req.blocking_send("question").unwrap();
        assert_eq!(
            router.blocking_recv().unwrap(),
            parts([b"r", b"", b"question"]),
            "{address}"
        );
    }
}

#[test]
fn a_router_is_told_who_comes_and_goes() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let mut notify = RouterNotify::default();
        (notify.connect, notify.disconnect) = (true, true);
        let router = router_with(&context, |o| o.router_notify = notify);
        let dealer = named(&context, "d");
        marry(&router, &dealer, &address);
        assert_eq!(
            router.blocking_recv().unwrap(),
            parts([b"d", b""]),
            "{address}"
        );
        dealer.blocking_send("last words").unwrap();
        drop(dealer);
        assert_eq!(
            router.blocking_recv().unwrap(),
            to(b"d", "last words"),
            "{address}"
        );
        assert_eq!(
            router.blocking_recv().unwrap(),
            parts([b"d", b""]),
            "{address}"
        );
    }
}

#[test]
fn a_dealer_takes_turns_and_adds_nothing() {
    let _dog = watchdog(60);
    for (one, other) in transports().into_iter().zip(transports()) {
        let context = context();
        let (dealer, a, b) = (
            Dealer::new(&context),
            Dealer::new(&context),
            Dealer::new(&context),
        );
        marry(&a, &dealer, &one);
        marry(&b, &dealer, &other);
        for text in numbered(0, 6) {
            dealer.blocking_send(text).unwrap();
        }
        assert_eq!(take(&a, 3), ["0", "2", "4"], "{one}");
        assert_eq!(take(&b, 3), ["1", "3", "5"], "{one}");
        a.blocking_send(parts([b"x", b""])).unwrap();
        assert_eq!(dealer.blocking_recv().unwrap(), parts([b"x", b""]), "{one}");
    }
}
