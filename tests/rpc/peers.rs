//! Two ends that call each other on one connection.

use std::sync::Arc;

use taipan::Context;
use taipan::rpc::{Peer, Server};

use crate::service::{Seen, WorkClient, WorkServer, Worker, addresses, run};

fn worker(name: &str) -> WorkServer<Worker> {
    WorkServer::new(Worker(Arc::new(Seen {
        name: name.to_owned(),
        ..Seen::default()
    })))
}

#[test]
fn both_call_and_both_are_called() {
    run(async {
        for address in addresses() {
            for dealer in [false, true] {
                let context = Context::new();
                let kind = |builder: taipan::rpc::PeerBuilder| match dealer {
                    true => builder.dealer(),
                    false => builder,
                };
                let one = Peer::builder(&context)
                    .service(worker("one"))
                    .bind(address.clone());
                let one = kind(one).start().expect("a peer");
                let there = one.endpoint().expect("an address").to_string();
                let other = Peer::builder(&context)
                    .service(worker("other"))
                    .connect(there);
                let other = kind(other).start().expect("a peer");
                let (from_one, from_other) = (
                    WorkClient::new(one.client().clone()),
                    WorkClient::new(other.client().clone()),
                );
                // The same numbers in both directions do not meet.
                for _ in 0..10 {
                    let (answer, question) = tokio::join!(from_one.who(), from_other.who());
                    assert_eq!((answer, question), (Ok("other".into()), Ok("one".into())));
                }
                let (numbers, mut doubled) = from_one.double(0).await.expect("a call");
                let (more, mut again) = from_other.double(1).await.expect("a call");
                assert_eq!(doubled.next().await, Some(Ok(0)));
                assert_eq!(again.next().await, Some(Ok(1)));
                for number in 0..200 {
                    numbers.send(&number).await.expect("room");
                    more.send(&-number).await.expect("room");
                    assert_eq!(doubled.next().await, Some(Ok(2 * number)));
                    assert_eq!(again.next().await, Some(Ok(-2 * number)));
                }
                assert_eq!(one.stats().calls, 11);
            }
        }
    });
}

#[test]
fn a_server_may_go_to_a_peer_that_listens() {
    run(async {
        for address in addresses() {
            let context = Context::new();
            let peer = Peer::builder(&context)
                .dealer()
                .bind(address)
                .start()
                .expect("a peer");
            let there = peer.endpoint().expect("an address").to_string();
            let server = Server::builder(&context)
                .service(worker("far"))
                .connect(there)
                .start()
                .expect("a server");
            let far = WorkClient::new(peer.client().clone());
            assert_eq!(far.who().await, Ok("far".into()));
            assert_eq!(server.stats().calls, 1);
        }
    });
}
