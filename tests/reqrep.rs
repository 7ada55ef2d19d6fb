//! REQ and REP: whose turn it is, what an envelope is, and what becomes of replies nobody waits for.

mod common;

use std::time::Duration;

use common::*;
use taipan::{
    Context, Dealer, DropReason, Message, Options, RecvError, Rep, Req, Router, SendErrorKind,
};

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
fn questions_and_answers_in_both_orders_of_binding() {
    let _dog = watchdog(60);
    for address in transports() {
        for place in [marry::<taipan::kind::Rep, taipan::kind::Req>, marry_early] {
            let context = context();
            let (rep, req) = (Rep::new(&context), Req::new(&context));
            place(&rep, &req, &address);
            for text in numbered(0, 50) {
                req.blocking_send(text.as_str()).unwrap();
                assert_eq!(rep.blocking_recv().unwrap(), text, "{address}");
                rep.blocking_send(format!("re {text}")).unwrap();
                assert_eq!(
                    req.blocking_recv().unwrap(),
                    format!("re {text}"),
                    "{address}"
                );
            }
        }
        let context = context();
        let (rep, req) = (Rep::new(&context), Req::new(&context));
        marry(&req, &rep, &address);
        req.blocking_send("turned").unwrap();
        assert_eq!(rep.blocking_recv().unwrap(), "turned", "{address}");
    }
}

#[test]
fn out_of_turn_calls_are_refused_and_change_nothing() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (rep, req) = (Rep::new(&context), Req::new(&context));
        marry(&rep, &req, &address);
        assert_eq!(req.try_recv(), Err(RecvError::State), "{address}");
        assert_eq!(
            rep.try_send("early").unwrap_err().kind(),
            SendErrorKind::State
        );
        req.blocking_send("question").unwrap();
        let refused = req.try_send(parts([b"again", b"and again"])).unwrap_err();
        assert_eq!(refused.kind(), SendErrorKind::State);
        assert_eq!(refused.into_message(), parts([b"again", b"and again"]));
        assert_eq!(rep.blocking_recv().unwrap(), "question");
        assert_eq!(rep.try_recv(), Err(RecvError::State));
        assert_eq!(rep.blocking_recv(), Err(RecvError::State));
        rep.blocking_send("answer").unwrap();
        assert_eq!(
            rep.try_send("twice").unwrap_err().kind(),
            SendErrorKind::State
        );
        assert_eq!(req.blocking_recv().unwrap(), "answer", "{address}");
        assert_eq!(req.try_recv(), Err(RecvError::State), "{address}");
    }
}

#[test]
fn a_request_without_a_peer_would_block_and_comes_back_as_it_was() {
    let context = context();
    let req = req_with(&context, |o| o.req_correlate = true);
    let refused = req.try_send(parts([b"a", b"b"])).unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::WouldBlock);
    assert_eq!(refused.into_message(), parts([b"a", b"b"]));
    assert_eq!(req.try_recv(), Err(RecvError::State), "nothing was asked");
}

#[test]
fn requests_take_turns_among_servers() {
    let _dog = watchdog(60);
    for (one, other) in transports().into_iter().zip(transports()) {
        let context = context();
        let (req, first, second) = (Req::new(&context), Rep::new(&context), Rep::new(&context));
        marry(&first, &req, &one);
        marry(&second, &req, &other);
        for turn in 0..6 {
            req.blocking_send("q").unwrap();
            let rep = if turn % 2 == 0 { &first } else { &second };
            assert_eq!(rep.blocking_recv().unwrap(), "q", "{one}: {turn}");
            rep.blocking_send(turn.to_string()).unwrap();
            assert_eq!(req.blocking_recv().unwrap(), turn.to_string());
        }
    }
}

#[test]
fn relaxed_requests_may_follow_each_other() {
    let _dog = watchdog(60);
    for (one, other) in transports().into_iter().zip(transports()) {
        let context = context();
        let (first, second) = (Rep::new(&context), Rep::new(&context));
        let req = req_with(&context, |o| o.req_relaxed = true);
        marry(&first, &req, &one);
        marry(&second, &req, &other);
        req.blocking_send("to the first").unwrap();
        assert_eq!(first.blocking_recv().unwrap(), "to the first");
        req.blocking_send("to the second").unwrap();
        assert_eq!(second.blocking_recv().unwrap(), "to the second");
        first.blocking_send("abandoned").unwrap();
        second.blocking_send("wanted").unwrap();
        assert_eq!(req.blocking_recv().unwrap(), "wanted", "{one}");
        assert_eq!(req.try_recv(), Err(RecvError::State), "{one}");
    }
}

#[test]
fn only_the_peer_that_was_asked_is_heard() {
    let _dog = watchdog(60);
    for (one, other) in transports().into_iter().zip(transports()) {
        let context = context();
        let (asked, other_one) = (Router::new(&context), Router::new(&context));
        other_one
            .update_options(|o| o.router_mandatory = true)
            .unwrap();
        let req = req_with(&context, |o| o.routing_id = "q".into());
        marry(&asked, &req, &one);
        marry(&other_one, &req, &other);
        req.blocking_send("question").unwrap();
        let (path, _) = envelope(&asked);
        other_one
            .blocking_send(parts([b"q", b"", b"not asked"]))
            .unwrap();
        until(|| other_one.flush() == 0);
        until(|| {
            assert_eq!(req.try_recv(), Err(RecvError::WouldBlock), "{other}");
            req.stats().drops.get(DropReason::Unexpected) == 1
        });
        answer(&asked, &path, "asked");
        assert_eq!(req.blocking_recv().unwrap(), "asked", "{one}");
    }
}

#[test]
fn when_the_asked_peer_has_gone_another_may_answer() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (asked, other) = (Router::new(&context), Router::new(&context));
        let req = req_with(&context, |o| o.routing_id = "q".into());
        let endpoint = marry(&req, &asked, &address);
        req.blocking_send("question").unwrap();
        envelope(&asked);
        drop(asked);
        until_links(&req, 0);
        join(&req, &other, &endpoint);
        other.blocking_send(parts([b"q", b"", b"instead"])).unwrap();
        assert_eq!(req.blocking_recv().unwrap(), "instead", "{address}");
    }
}

#[test]
fn a_reply_to_a_requester_that_has_gone_is_dropped_and_counted() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (rep, gone) = (Rep::new(&context), Req::new(&context));
        let endpoint = marry(&rep, &gone, &address);
        gone.blocking_send("question").unwrap();
        assert_eq!(rep.blocking_recv().unwrap(), "question");
        drop(gone);
        until_links(&rep, 0);
        rep.blocking_send("to nobody").unwrap();
        assert_eq!(
            rep.stats().drops.get(DropReason::Unroutable),
            1,
            "{address}"
        );
        let next = Req::new(&context);
        join(&rep, &next, &endpoint);
        next.blocking_send("next").unwrap();
        assert_eq!(rep.blocking_recv().unwrap(), "next", "{address}");
    }
}

#[test]
fn a_request_that_arrived_before_its_requester_left_is_still_served() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (rep, gone) = (Rep::new(&context), Dealer::new(&context));
        marry(&rep, &gone, &address);
        gone.blocking_send(parts([b"", b"one"])).unwrap();
        gone.blocking_send(parts([b"", b"two"])).unwrap();
        drop(gone);
        assert_eq!(rep.blocking_recv().unwrap(), "one", "{address}");
        rep.blocking_send("to nobody").unwrap();
        assert_eq!(rep.blocking_recv().unwrap(), "two", "{address}");
    }
}

#[test]
fn a_reply_to_a_requester_without_room_is_dropped_and_counted() {
    let _dog = watchdog(60);
    let context = context();
    let rep = Rep::with_options(&context, options(|o| o.send_hwm = 1)).unwrap();
    let dealer = Dealer::with_options(&context, options(|o| o.recv_hwm = 1)).unwrap();
    marry(&rep, &dealer, &inproc());
    for _ in 0..6 {
        dealer.blocking_send(parts([b"", b"q"])).unwrap();
        assert_eq!(rep.blocking_recv().unwrap(), "q");
        rep.try_send("a").unwrap();
    }
    // Two fit between them, and one may have been looked at already.
    let dropped = rep.stats().drops.get(DropReason::Watermark);
    assert!(dropped == 3 || dropped == 4, "{dropped}");
    for _ in dropped..6 {
        assert_eq!(dealer.blocking_recv().unwrap(), parts([b"", b"a"]));
    }
    assert_eq!(dealer.try_recv(), Err(RecvError::WouldBlock));
}

#[test]
fn a_requester_whose_server_died_waits_only_as_long_as_it_wants() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (rep, req) = (Rep::new(&context), Req::new(&context));
        req.update_options(|o| o.recv_timeout = Some(Duration::from_millis(50)))
            .unwrap();
        marry(&rep, &req, &address);
        req.blocking_send("question").unwrap();
        assert_eq!(rep.blocking_recv().unwrap(), "question");
        drop(rep);
        assert_eq!(req.blocking_recv(), Err(RecvError::TimedOut), "{address}");
        assert_eq!(
            req.try_send("still waiting").unwrap_err().kind(),
            SendErrorKind::State
        );
    }
}

#[test]
fn a_request_that_waits_for_a_server_is_answered_once_it_comes() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (rep, req) = (Rep::new(&context), Req::new(&context));
        let address = fixed(&address);
        req.connect(address.as_str()).unwrap();
        req.try_send("question").unwrap();
        rep.bind(address.as_str()).unwrap();
        assert_eq!(rep.blocking_recv().unwrap(), "question", "{address}");
        rep.blocking_send("answer").unwrap();
        assert_eq!(req.blocking_recv().unwrap(), "answer", "{address}");
    }
}
