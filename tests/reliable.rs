//! Messengers over every transport: what is sent arrives once and in order, whoever is there first.

use std::time::Duration;

use taipan::Context;
use taipan::reliable::{Acknowledge, Letter, Messenger};
use taipan::store::MemoryStore;

fn addresses() -> Vec<String> {
    let ipc = std::env::temp_dir().join(format!("taipan-reliable-{}", std::process::id()));
    vec![
        "tcp://127.0.0.1:*".into(),
        format!("ipc://{}", ipc.display()),
        "inproc://reliable".into(),
    ]
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    let time = Duration::from_secs(60);
    tokio::time::timeout(time, what).await.expect("it hangs")
}

#[tokio::test]
async fn what_is_sent_arrives_in_order_and_is_receipted() {
    for address in addresses() {
        let context = Context::new();
        let bert = Messenger::builder(&context, "bert")
            .listen(address)
            .store(MemoryStore::new())
            .start()
            .unwrap();
        let anna = Messenger::builder(&context, "anna")
            .connect(bert.endpoints()[0].to_string())
            .store(MemoryStore::new())
            .start()
            .unwrap();
        let mut receipts = Vec::new();
        for number in 0..1000 {
            let mut letter = Letter::new(number.to_string());
            letter.persistent = number % 2 == 0;
            receipts.push(anna.try_send("bert", letter).unwrap());
        }
        for number in 0..1000 {
            let delivery = within(bert.recv()).await.unwrap();
            assert_eq!(delivery.content, number.to_string().as_str());
            assert_eq!(*delivery.from(), "anna");
        }
        for receipt in receipts {
            within(receipt).await.unwrap();
        }
        // One link carries both directions.
        let receipt = within(bert.send("anna", "back")).await.unwrap();
        assert_eq!(within(anna.recv()).await.unwrap().content, "back");
        within(receipt).await.unwrap();
        let left = within(anna.close(Duration::from_secs(10))).await;
        assert!(left.dropped.is_empty() && left.kept.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn what_is_given_back_comes_again() {
    let context = Context::new();
    let bert = Messenger::builder(&context, "bert")
        .listen("tcp://127.0.0.1:*")
        .acknowledge(Acknowledge::Manual)
        .start()
        .unwrap();
    let anna = Messenger::builder(&context, "anna")
        .connect(bert.endpoints()[0].to_string())
        .start()
        .unwrap();
    let receipt = within(anna.send("bert", "once")).await.unwrap();
    within(receipt).await.unwrap();
    let first = within(bert.recv()).await.unwrap();
    assert_eq!(first.redelivered(), 0);
    first.nack();
    let second = within(bert.recv()).await.unwrap();
    assert_eq!(
        (second.redelivered(), &second.content[..]),
        (1, &b"once"[..])
    );
    second.ack();
    assert!(bert.try_recv().unwrap().is_none());
}

#[tokio::test]
async fn a_message_to_nobody_expires_in_time_and_is_reported() {
    let context = Context::new();
    let anna = Messenger::builder(&context, "anna").start().unwrap();
    let letter = Letter::new("late").ttl(Duration::from_millis(20));
    let receipt = within(anna.send("nobody", letter)).await.unwrap();
    let error = within(receipt).await.unwrap_err();
    assert!(error.to_string().ends_with("expired"), "{error}");
}
