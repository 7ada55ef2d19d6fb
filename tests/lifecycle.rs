//! Binding, connecting, losing and finding a peer again: what is kept and what is not.

mod common;

use std::thread;

use bytes::Bytes;
use common::*;
use taipan::{
    BindError, ConnectError, Context, Dealer, DropReason, EndpointNotFound, MonitorKind, Options,
    Pub, Pull, Push, RecvError, Rep, Router, SendErrorKind, Sub,
};

fn dealer_with(context: &Context, change: impl FnOnce(&mut Options)) -> Dealer {
    Dealer::with_options(context, options(change)).expect("options")
}

#[test]
fn what_waits_for_a_peer_survives_until_it_comes_back() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        let endpoint = marry(&pull, &push, &fixed(&address));
        push.blocking_send("before").unwrap();
        assert_eq!(take(&pull, 1), ["before"], "{address}");
        drop(pull);
        until_links(&push, 0);
        for text in numbered(0, 100) {
            push.try_send(text).unwrap();
        }
        let again = Pull::new(&context);
        again.bind(endpoint).unwrap();
        assert_eq!(take(&again, 100), numbered(0, 100), "{address}");
        assert_eq!(push.stats().reconnects, 1, "{address}");
        assert_eq!(push.stats().drops.total(), 0, "{address}");
    }
}

#[test]
fn what_waits_for_a_peer_that_connected_goes_with_it() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (push, pull) = (Push::new(&context), Pull::new(&context));
        let endpoint = marry(&push, &pull, &address);
        drop(pull);
        until_links(&push, 0);
        assert_eq!(push.stats().peers, [], "{address}");
        let refused = push.try_send("nobody").unwrap_err();
        assert_eq!(refused.kind(), SendErrorKind::WouldBlock, "{address}");
        let again = Pull::new(&context);
        join(&push, &again, &endpoint);
        push.blocking_send("somebody").unwrap();
        assert_eq!(take(&again, 1), ["somebody"], "{address}");
    }
}

#[test]
fn a_client_that_comes_back_is_a_new_peer_to_the_server() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let rep = Rep::new(&context);
        let endpoint = rep.bind(address.as_str()).unwrap();
        for round in 0..5 {
            let req = taipan::Req::new(&context);
            req.connect(endpoint.clone()).unwrap();
            req.blocking_send(round.to_string()).unwrap();
            assert_eq!(rep.blocking_recv().unwrap(), round.to_string(), "{address}");
            rep.blocking_send("ok").unwrap();
            assert_eq!(req.blocking_recv().unwrap(), "ok", "{address}");
        }
    }
}

#[test]
fn subscriptions_are_told_anew_to_a_publisher_that_comes_back() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (publisher, sub) = (Pub::new(&context), Sub::new(&context));
        sub.subscribe("a").unwrap();
        let endpoint = marry(&publisher, &sub, &fixed(&address));
        sub.subscribe("b").unwrap();
        drop(publisher);
        until_links(&sub, 0);
        sub.subscribe("c").unwrap();
        sub.unsubscribe("a").unwrap();
        let again = Pub::new(&context);
        again.bind(endpoint).unwrap();
        until(|| again.stats().topics == 2);
        for topic in ["a1", "b1", "c1"] {
            again.blocking_send(topic).unwrap();
        }
        assert_eq!(take(&sub, 2), ["b1", "c1"], "{address}");
        assert_eq!(sub.try_recv(), Err(RecvError::WouldBlock), "{address}");
    }
}

#[test]
fn a_message_half_written_when_the_link_breaks_is_dropped_whole_and_counted_once() {
    let _dog = watchdog(60);
    let context = context();
    let push = Push::new(&context);
    let endpoint = push.bind("tcp://127.0.0.1:*").unwrap();
    let mut peer = raw(&endpoint);
    std::io::Write::write_all(&mut peer, &hello("PULL")).unwrap();
    assert!(push.blocking_wait_for_peers(1, None));
    push.try_send(vec![1; 50_000_000]).unwrap();
    assert_eq!(push.flush(), 1, "more than the kernel takes");
    drop(peer);
    until_links(&push, 0);
    until(|| push.stats().peers.is_empty());
    assert_eq!(push.stats().drops.get(DropReason::LinkLost), 1);
    assert_eq!(push.stats().messages_out, 1);
}

#[test]
fn an_endpoint_that_is_unbound_takes_nobody_new_and_keeps_its_peers() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (pull, old, late) = (
            Pull::new(&context),
            Push::new(&context),
            Push::new(&context),
        );
        let endpoint = marry(&pull, &old, &fixed(&address));
        pull.unbind(&endpoint).unwrap();
        assert_eq!(pull.unbind(&endpoint), Err(EndpointNotFound), "{address}");
        late.connect(endpoint.clone()).unwrap();
        late.try_send("late").unwrap();
        old.blocking_send("old").unwrap();
        assert_eq!(take(&pull, 1), ["old"], "{address}");
        assert_eq!(links(&pull), 1, "{address}");
        let other = Pull::new(&context);
        other.bind(endpoint).unwrap();
        assert_eq!(take(&other, 1), ["late"], "{address}");
    }
}

#[test]
fn a_disconnected_endpoint_is_given_up_and_only_by_its_exact_name() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (pull, push) = (Pull::new(&context), Push::new(&context));
        let endpoint = marry(&pull, &push, &address);
        assert_eq!(push.unbind(&endpoint), Err(EndpointNotFound), "{address}");
        assert_eq!(
            pull.disconnect(&endpoint),
            Err(EndpointNotFound),
            "{address}"
        );
        push.blocking_send("last").unwrap();
        push.disconnect(&endpoint).unwrap();
        assert_eq!(
            push.disconnect(&endpoint),
            Err(EndpointNotFound),
            "{address}"
        );
        assert_eq!(take(&pull, 1), ["last"], "{address}");
        until_links(&pull, 0);
        assert_eq!(
            push.try_send("no").unwrap_err().kind(),
            SendErrorKind::WouldBlock,
            "{address}"
        );
        join(&pull, &push, &endpoint);
        push.blocking_send("again").unwrap();
        assert_eq!(take(&pull, 1), ["again"], "{address}");
    }
}

#[test]
fn a_wildcard_is_not_the_name_of_an_endpoint() {
    let context = context();
    let pull = Pull::new(&context);
    for wildcard in ["tcp://127.0.0.1:*", "ipc://*"] {
        let endpoint = pull.bind(wildcard).unwrap();
        assert_eq!(pull.last_endpoint(), Some(endpoint.clone()));
        assert_eq!(
            pull.unbind(&wildcard.parse().unwrap()),
            Err(EndpointNotFound)
        );
        pull.unbind(&endpoint).unwrap();
    }
}

#[test]
fn an_address_has_one_listener() {
    let context = context();
    for address in [
        "tcp://127.0.0.1:*".to_owned(),
        inproc(),
        format!("ipc://@taken-{}", std::process::id()),
    ] {
        let (first, second) = (Pull::new(&context), Pull::new(&context));
        let endpoint = first.bind(address.as_str()).unwrap();
        let refused = second.bind(endpoint.clone()).unwrap_err();
        assert!(
            matches!(refused, BindError::AddressInUse),
            "{address}: {refused:?}"
        );
        drop(first);
        second.bind(endpoint).unwrap();
    }
}

#[test]
fn an_ipc_path_is_taken_over_from_whoever_had_it() {
    let _dog = watchdog(60);
    let context = context();
    let path = format!(
        "ipc://{}/taipan-steal-{}",
        std::env::temp_dir().display(),
        std::process::id()
    );
    let (first, second, push) = (
        Pull::new(&context),
        Pull::new(&context),
        Push::new(&context),
    );
    first.bind(path.as_str()).unwrap();
    let endpoint = second.bind(path.as_str()).unwrap();
    first.unbind(&endpoint).unwrap();
    push.connect(endpoint).unwrap();
    push.blocking_send("to the second").unwrap();
    assert_eq!(take(&second, 1), ["to the second"]);
}

#[test]
fn what_can_never_work_is_refused_at_once() {
    let context = context();
    let push = Push::new(&context);
    for wrong in [
        "",
        "tcp",
        "tcp://",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:99999",
        "inproc://",
        "ipc://",
    ] {
        assert!(
            matches!(push.connect(wrong), Err(ConnectError::Endpoint(_))),
            "{wrong}"
        );
        assert!(
            matches!(push.bind(wrong), Err(BindError::Endpoint(_))),
            "{wrong}"
        );
    }
    assert!(
        matches!(push.connect("other://x"), Err(ConnectError::UnknownScheme(scheme)) if scheme == "other")
    );
    assert!(
        matches!(push.bind("other://x"), Err(BindError::UnknownScheme(scheme)) if scheme == "other")
    );
}

#[test]
fn connecting_twice_to_one_endpoint_counts_once_where_it_would_double_messages() {
    let _dog = watchdog(60);
    for address in streams() {
        let context = context();
        let (publisher, sub) = (Pub::new(&context), Sub::new(&context));
        sub.subscribe("").unwrap();
        let endpoint = marry(&publisher, &sub, &address);
        sub.connect(endpoint.clone()).unwrap();
        assert_eq!(sub.stats().peers.len(), 1, "{address}");
        assert!(publisher.blocking_wait_for_subscribers(1, None));
        publisher.blocking_send("once").unwrap();
        publisher.blocking_send("end").unwrap();
        assert_eq!(take(&sub, 2), ["once", "end"], "{address}");
        // A PUSH may want two shares.
        let (pull, push) = (Pull::new(&context), Push::new(&context));
        let endpoint = marry(&pull, &push, "tcp://127.0.0.1:*");
        join(&pull, &push, &endpoint);
        assert_eq!(links(&pull), 2);
    }
}

#[test]
fn incompatible_kinds_do_not_meet() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let (rep, push) = (Rep::new(&context), Push::new(&context));
        push.update_options(|o| o.linger = Some(std::time::Duration::ZERO))
            .unwrap();
        let endpoint = rep.bind(address.as_str()).unwrap();
        let mut monitor = push.monitor();
        push.connect(endpoint.clone()).unwrap();
        if !address.starts_with("inproc") {
            event(&mut monitor, |e| {
                matches!(e.kind, MonitorKind::HandshakeFailed { .. })
            });
        }
        assert_eq!((links(&rep), links(&push)), (0, 0), "{address}");
    }
}

#[test]
fn a_greeting_a_farewell_and_a_hiccup_are_received_as_messages() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let server = dealer_with(&context, |o| {
            o.hello_msg = Some(Bytes::from_static(b"hello from server"));
            o.disconnect_msg = Some(Bytes::from_static(b"client left"));
        });
        let client = dealer_with(&context, |o| {
            o.hello_msg = Some(Bytes::from_static(b"hello from client"));
            o.hiccup_msg = Some(Bytes::from_static(b"server left"));
        });
        let endpoint = marry(&server, &client, &fixed(&address));
        client.blocking_send("work").unwrap();
        assert_eq!(take(&server, 2), ["hello from client", "work"], "{address}");
        assert_eq!(take(&client, 1), ["hello from server"], "{address}");
        drop(server);
        assert_eq!(take(&client, 1), ["server left"], "{address}");
        let server = dealer_with(&context, |o| {
            o.disconnect_msg = Some(Bytes::from_static(b"client left"))
        });
        server.bind(endpoint).unwrap();
        assert_eq!(take(&server, 1), ["hello from client"], "{address}");
        client.blocking_send("bye").unwrap();
        drop(client);
        assert_eq!(take(&server, 2), ["bye", "client left"], "{address}");
        assert_eq!(server.try_recv(), Err(RecvError::WouldBlock), "{address}");
        assert_eq!(server.stats().peers, [], "{address}");
    }
}

#[test]
fn a_router_learns_which_peer_said_farewell() {
    let _dog = watchdog(60);
    for address in transports() {
        let context = context();
        let router = Router::with_options(
            &context,
            options(|o| o.disconnect_msg = Some("gone".into())),
        )
        .unwrap();
        let dealer = dealer_with(&context, |o| o.routing_id = "d".into());
        marry(&router, &dealer, &address);
        drop(dealer);
        assert_eq!(
            router.blocking_recv().unwrap(),
            parts([b"d", b"gone"]),
            "{address}"
        );
    }
}

#[test]
fn connecting_in_process_while_somebody_binds_never_misses() {
    let _dog = watchdog(120);
    let context = context();
    for _ in 0..300 {
        let address = inproc();
        let (pull, push) = (Pull::new(&context), Push::new(&context));
        let connector = {
            let (push, address) = (push.clone(), address.clone());
            thread::spawn(move || push.connect(address.as_str()).map(drop))
        };
        pull.bind(address.as_str()).unwrap();
        connector.join().unwrap().unwrap();
        assert!(push.blocking_wait_for_peers(1, None));
        push.blocking_send("met").unwrap();
        assert_eq!(take(&pull, 1), ["met"]);
    }
}
