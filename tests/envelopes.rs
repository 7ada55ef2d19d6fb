//! What goes over the wire between REQ, REP and their relatives: envelopes, numbers, and broken ones.

mod common;

use common::*;
use taipan::{Context, Dealer, DropReason, Message, MonitorKind, Options, Rep, Req, Router};

fn req_with(context: &Context, change: impl FnOnce(&mut Options)) -> Req {
    Req::with_options(context, options(change)).expect("options")
}

/// A ROUTER that receives a request and returns the frames in front of the body.
fn envelope(router: &Router) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut all = frames(&router.blocking_recv().unwrap());
    let body = all.pop().unwrap();
    (all, body)
}

/// Answers with the given envelope.
fn answer(router: &Router, envelope: &[Vec<u8>], body: &str) {
    let all = envelope.iter().cloned().chain([body.as_bytes().to_vec()]);
    router.blocking_send(Message::from_frames(all)).unwrap();
}

#[test]
fn a_request_is_an_empty_frame_and_the_body() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (router, req) = (
            Router::new(&context),
            req_with(&context, |o| o.routing_id = "me".into()),
        );
        marry(&router, &req, &address);
        req.blocking_send(parts([b"one", b"", b"two"])).unwrap();
        let got = router.blocking_recv().unwrap();
        assert_eq!(
            frames(&got),
            [&b"me"[..], b"", b"one", b"", b"two"],
            "{address}"
        );
        router.blocking_send(got).unwrap();
        assert_eq!(
            req.blocking_recv().unwrap(),
            parts([b"one", b"", b"two"]),
            "{address}"
        );
    }
}

#[test]
fn correlated_requests_count_up_and_other_numbers_are_dropped() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let router = Router::new(&context);
        let req = req_with(&context, |o| {
            o.req_correlate = true;
            o.req_relaxed = true;
        });
        marry(&router, &req, &address);
        req.blocking_send("first").unwrap();
        let (first, _) = envelope(&router);
        req.blocking_send("second").unwrap();
        let (second, body) = envelope(&router);
        assert_eq!(body, b"second");
        assert_eq!(
            (first.len(), first[1].len(), first[2].len()),
            (3, 4, 0),
            "id, number, empty"
        );
        let number = |envelope: &[Vec<u8>]| u32::from_ne_bytes(envelope[1][..].try_into().unwrap());
        assert_eq!(number(&second), number(&first).wrapping_add(1), "{address}");
        answer(&router, &first, "late");
        answer(&router, &second, "in time");
        assert_eq!(req.blocking_recv().unwrap(), "in time", "{address}");
        assert_eq!(
            req.stats().drops.get(DropReason::Unexpected),
            1,
            "{address}"
        );
    }
}

#[test]
fn a_server_that_breaks_the_form_of_a_reply_is_cut_off() {
    let _dog = watchdog(60);
    for address in streams() {
        for broken in [
            parts([b"no delimiter"]),
            parts([b"12345", b"", b"body"]),
            parts([b""]),
        ] {
            let context = context();
            let (router, req) = (Router::new(&context), Req::new(&context));
            marry(&router, &req, &address);
            let mut monitor = req.monitor();
            req.blocking_send("question").unwrap();
            let (path, _) = envelope(&router);
            let reply = [path[0].clone().into()]
                .into_iter()
                .chain(broken.into_frames());
            router.blocking_send(Message::from_frames(reply)).unwrap();
            let gone = event(&mut monitor, |e| {
                matches!(e.kind, MonitorKind::Disconnected { .. })
            });
            assert_eq!(
                gone.kind,
                MonitorKind::Disconnected {
                    reason: "what a REQ socket got is not a reply".into()
                },
                "{address}"
            );
            assert_eq!(req.stats().drops.get(DropReason::Malformed), 1, "{address}");
        }
    }
}

#[test]
fn a_reply_goes_back_the_whole_way_the_request_came() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (rep, dealer) = (Rep::new(&context), Dealer::new(&context));
        marry(&rep, &dealer, &address);
        dealer
            .blocking_send(parts([b"far", b"near", b"", b"body", b"", b"more"]))
            .unwrap();
        assert_eq!(
            rep.blocking_recv().unwrap(),
            parts([b"body", b"", b"more"]),
            "{address}"
        );
        rep.blocking_send(parts([b"reply", b"in two"])).unwrap();
        let back = dealer.blocking_recv().unwrap();
        assert_eq!(
            back,
            parts([b"far", b"near", b"", b"reply", b"in two"]),
            "{address}"
        );
    }
}

#[test]
fn requests_without_a_delimiter_are_skipped_and_counted() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (rep, dealer) = (Rep::new(&context), Dealer::new(&context));
        marry(&rep, &dealer, &address);
        dealer.blocking_send("nothing in front").unwrap();
        dealer.blocking_send(parts([b"two", b"frames"])).unwrap();
        dealer.blocking_send(parts([b"", b"good"])).unwrap();
        assert_eq!(rep.blocking_recv().unwrap(), "good", "{address}");
        assert_eq!(rep.stats().drops.get(DropReason::Malformed), 2, "{address}");
        rep.blocking_send("answer").unwrap();
        assert_eq!(
            dealer.blocking_recv().unwrap(),
            parts([b"", b"answer"]),
            "{address}"
        );
    }
}
