//! Peers that do not speak the protocol, or lie: they hurt themselves.

use std::sync::atomic::Ordering;
use std::time::Duration;

use taipan::rpc::wire::{Envelope, Header, Side};
use taipan::rpc::{RpcError, Server, WINDOW};
use taipan::{Context, Dealer, Message, Pair, Router};

use crate::service::{client, run, server};

/// A call of `Work.add` with these arguments.
fn add(id: u64, params: &[u8]) -> Message {
    Message::from(Envelope::write_call(
        id,
        "Work.add",
        params,
        &Header::default(),
    ))
}

/// Somebody who speaks to it by hand.
fn hostile(context: &Context, server: &Server) -> Dealer {
    let hostile = Dealer::new(context);
    hostile
        .connect(server.endpoint().clone())
        .expect("connected");
    hostile
}

/// The next answer, past whatever else comes.
async fn answer(socket: &Dealer) -> (u64, Result<Vec<u8>, RpcError>) {
    loop {
        let message = socket.recv().await.expect("a message");
        if let Ok(Envelope::Answer { id, outcome }) = Envelope::read(message.first()) {
            let outcome = outcome.map(|range| message.first()[range].to_vec());
            return (id, outcome.map_err(RpcError::from));
        }
    }
}

#[test]
fn garbage_is_counted_and_everybody_goes_on() {
    run(async {
        let context = Context::new();
        let (server, _) = server(&context, "one", "tcp://127.0.0.1:*", 100);
        let work = client(&context, server.endpoint());
        let hostile = hostile(&context, &server);
        let call = Envelope::write_call(1, "Work.add", &[0x92, 1, 2], &Header::default());
        let mut sent: Vec<Vec<u8>> = (0..call.len())
            .map(|end| call[..end].to_vec())
            .filter(|cut| !cut.is_empty())
            .collect();
        sent.push([call.clone(), vec![0]].concat());
        sent.push(vec![0xc1; 100]);
        // 100,000 arrays in each other, and ones that announce what is not there.
        sent.push([&[0x94, 0, 1, 0xa1, b'x'], &[0x91_u8; 100_000][..]].concat());
        sent.push(vec![0x94, 0, 1, 0xa1, b'x', 0xdd, 0xff, 0xff, 0xff, 0xff]);
        sent.push(vec![0x94, 0, 1, 0xa1, b'x', 0xdf, 0xff, 0xff, 0xff, 0xff]);
        // 1 GiB of arguments, announced as a text, as bytes, and as an extension.
        for announced in [0xdb, 0xc6, 0xc9] {
            sent.push(vec![0x94, 0, 1, 0xa1, b'x', announced, 0x40, 0, 0, 0]);
        }
        // An answer to nobody, an unknown type, a method that is not UTF-8.
        sent.push(Envelope::write_answer(3, Ok(&[0xc0])));
        sent.push(vec![0x92, 99, 1]);
        sent.push(vec![0x94, 0, 1, 0xa1, 0xff, 0x90]);
        let count = sent.len() as u64;
        for garbage in sent {
            hostile.send(garbage).await.expect("sent");
        }
        hostile.send(add(9, &[0x92, 1, 2])).await.expect("sent");
        assert_eq!(answer(&hostile).await, (9, Ok(vec![3])));
        assert_eq!(server.stats().malformed, count);
        assert_eq!(work.add(1, 2).await, Ok(3));
    });
}

#[test]
fn arguments_that_lie_about_their_length_are_wrong_arguments() {
    run(async {
        let context = Context::new();
        let (server, _) = server(&context, "one", "tcp://127.0.0.1:*", 100);
        let hostile = hostile(&context, &server);
        let raw = |id, params: &[u8]| {
            Message::from(Envelope::write_call(
                id,
                "Work.raw",
                params,
                &Header::default(),
            ))
        };
        // An attachment that is not there, an extension that is none of ours.
        let reference = |tag, index| [&[0x92, 0xd6, tag, 0, 0, 0, index], &[0x90][..]].concat();
        for (id, params) in [reference(7, 0), reference(7, 9), reference(8, 0)]
            .iter()
            .enumerate()
        {
            hostile.send(raw(id as u64, params)).await.expect("sent");
            let (answered, outcome) = answer(&hostile).await;
            assert_eq!(answered, id as u64);
            assert!(
                matches!(outcome, Err(RpcError::BadArguments(_))),
                "{outcome:?}"
            );
        }
        let mut message = raw(7, &reference(7, 0));
        message.push_back(vec![5; 600]);
        hostile.send(message).await.expect("sent");
        let (id, outcome) = answer(&hostile).await;
        assert_eq!(id, 7);
        outcome.expect("the attachment comes back");
    });
}

#[test]
fn the_same_number_twice_is_one_call() {
    run(async {
        let context = Context::new();
        let (server, seen) = server(&context, "one", "tcp://127.0.0.1:*", 100);
        let hostile = hostile(&context, &server);
        let run = || Envelope::write_call(5, "Work.run", &[0x91, 1], &Header::default());
        for _ in 0..3 {
            hostile.send(run()).await.expect("sent");
            assert_eq!(answer(&hostile).await, (5, Ok(vec![1])));
        }
        assert_eq!(seen.runs.load(Ordering::SeqCst), 1);
        let done = Header {
            answered: Some(6),
            ..Header::default()
        };
        hostile
            .send(Envelope::write_call(6, "Work.run", &[0x91, 1], &done))
            .await
            .expect("sent");
        assert_eq!(answer(&hostile).await, (6, Ok(vec![1])));
        hostile.send(run()).await.expect("sent");
        assert_eq!(answer(&hostile).await, (5, Err(RpcError::Forgotten)));
        assert_eq!(seen.runs.load(Ordering::SeqCst), 2);
        assert_eq!(server.stats().repeated, 3);
    });
}

#[test]
fn more_items_than_credit_end_the_stream() {
    run(async {
        let context = Context::new();
        let (server, seen) = server(&context, "one", "tcp://127.0.0.1:*", 100);
        let hostile = hostile(&context, &server);
        hostile
            .send(Envelope::write_call(
                1,
                "Work.late_sum",
                &[0x90],
                &Header::default(),
            ))
            .await
            .expect("sent");
        let credit = hostile.recv().await.expect("credit");
        assert_eq!(
            Envelope::read(credit.first()),
            Ok(Envelope::Credit {
                id: 1,
                to: Side::Caller,
                count: WINDOW
            })
        );
        for _ in 0..10 * WINDOW {
            hostile
                .send(Envelope::write_item(1, Side::Callee, &[1]))
                .await
                .expect("sent");
        }
        // What is sent on one link is taken in order, so all items are there before this is answered.
        hostile.send(add(2, &[0x92, 1, 1])).await.expect("sent");
        assert_eq!(answer(&hostile).await, (2, Ok(vec![2])));
        seen.go.notify_waiters();
        let (id, outcome) = answer(&hostile).await;
        let Err(RpcError::Application(fault)) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(id, 1);
        assert!(fault.message.contains("more items than credit"), "{fault}");
        assert_eq!(seen.ended.load(Ordering::SeqCst), 1);
        // Items of calls that are over, or never were, are nobody's.
        hostile
            .send(Envelope::write_item(77, Side::Callee, &[1]))
            .await
            .expect("sent");
        hostile.send(add(3, &[0x92, 2, 2])).await.expect("sent");
        assert_eq!(answer(&hostile).await, (3, Ok(vec![4])));
    });
}

#[test]
fn a_caller_that_takes_no_answers_holds_up_nobody() {
    run(async {
        let context = Context::new();
        let (server, _) = server(&context, "one", "tcp://127.0.0.1:*", 50);
        let work = client(&context, server.endpoint());
        assert_eq!(work.add(1, 1).await, Ok(2));
        // Reads nothing: its answers fill what the kernel and the watermark hold, then wait, then are dropped.
        let deaf = Dealer::new(&context);
        deaf.update_options(|options| {
            options.recv_hwm = 1;
            // Nobody reads what it has left when all is over.
            options.linger = Some(Duration::ZERO);
        })
        .expect("an option");
        deaf.connect(server.endpoint().clone()).expect("connected");
        let bytes = [&[0x92, 0xc6, 0, 1, 0, 0][..], &[7; 65536], &[0x90]].concat();
        let mut others = 1;
        for id in 0..3000 {
            let call = Envelope::write_call(id, "Work.raw", &bytes, &Header::default());
            deaf.send(call).await.expect("sent");
            if id % 100 == 0 {
                others += 1;
                assert_eq!(work.add(1, 2).await, Ok(3));
            }
        }
        while server.stats().calls < 3000 + others {
            others += 1;
            assert_eq!(work.add(1, 2).await, Ok(3));
        }
        assert!(server.stats().answers_dropped > 0);
    });
}

#[test]
fn a_server_that_answers_garbage_fails_no_other_call() {
    run(async {
        let context = Context::new();
        let fake = Router::new(&context);
        let endpoint = fake.bind("tcp://127.0.0.1:*").expect("bound");
        let work = client(&context, endpoint);
        let call = tokio::spawn({
            let work = work.clone();
            async move { work.add(1, 2).await }
        });
        loop {
            let (from, rest) = fake.recv().await.expect("a message").split_first();
            let envelope = rest.expect("an envelope");
            if let Ok(Envelope::Call { id, .. }) = Envelope::read(envelope.first()) {
                let answers = [
                    vec![0xc1],
                    Envelope::write_answer(id + 1, Ok(&[9])),
                    Envelope::write_answer(u64::MAX, Ok(&[9])),
                    Envelope::write_item(id, Side::Caller, &[9]),
                    Envelope::write_answer(id, Ok(&[0xa1, b'x'])),
                    Envelope::write_answer(id, Ok(&[3])),
                ];
                for answer in answers {
                    let mut message = Message::from(from.clone());
                    message.push_back(answer);
                    fake.send(message).await.expect("sent");
                }
                break;
            }
        }
        let outcome = call.await.expect("no panic");
        assert!(
            matches!(outcome, Err(RpcError::BadResult(_))),
            "{outcome:?}"
        );
    });
}

#[test]
fn a_peer_that_starts_again_with_the_same_numbers_gets_no_old_answers() {
    run(async {
        let context = Context::new();
        let seen = std::sync::Arc::new(crate::service::Seen::default());
        let worker = crate::service::WorkServer::new(crate::service::Worker(seen.clone()));
        let peer = taipan::rpc::Peer::builder(&context)
            .service(worker)
            .bind("tcp://127.0.0.1:*")
            .start();
        let peer = peer.expect("a peer");
        let endpoint = peer.endpoint().expect("an address").clone();
        // One that says no hello, then two processes that do.
        for (round, hello) in [None, Some([1; 16]), Some([2; 16])].into_iter().enumerate() {
            let own = Context::new();
            let pair = Pair::new(&own);
            pair.connect(endpoint.clone()).expect("connected");
            if let Some(instance) = hello {
                pair.send(Envelope::write_hello(&instance))
                    .await
                    .expect("sent");
            }
            let call =
                Envelope::write_call(0, "Work.run", &[0x91, round as u8], &Header::default());
            pair.send(call).await.expect("sent");
            loop {
                let message = pair.recv().await.expect("a message");
                if let Ok(Envelope::Answer { id: 0, outcome }) = Envelope::read(message.first()) {
                    assert_eq!(message.first()[outcome.expect("a result")], [round as u8]);
                    break;
                }
            }
            drop(pair);
            own.terminate_async().await;
        }
        assert_eq!(seen.runs.load(Ordering::SeqCst), 3);
    });
}
