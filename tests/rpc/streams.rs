//! Streams of arguments and results.

use std::sync::atomic::Ordering;

use taipan::rpc::{Fault, RpcError, WINDOW};

use crate::service::everywhere;

#[test]
fn results_come_one_after_the_other_and_end() {
    everywhere(|work, _, server| async move {
        let mut numbers = work.count(1000).await.expect("a stream");
        for number in 0..1000 {
            assert_eq!(numbers.next().await, Some(Ok(number)));
        }
        assert_eq!(numbers.next().await, None);
        assert_eq!(numbers.next().await, None);
        assert_eq!(server.stats().failed, 0);
        assert_eq!(work.client().in_flight(), 0);
    });
}

#[test]
fn whoever_sends_waits_for_whoever_takes() {
    everywhere(|work, seen, _| async move {
        let mut numbers = work.count(10 * u64::from(WINDOW)).await.expect("a stream");
        assert_eq!(numbers.next().await, Some(Ok(0)));
        // Calls overtake the stream, so what could be sent has been.
        for _ in 0..200 {
            work.nothing().await.expect("an answer");
        }
        assert_eq!(seen.sent.load(Ordering::SeqCst), u64::from(WINDOW));
        let mut next = 1;
        while let Some(number) = numbers.next().await {
            assert_eq!(number, Ok(next));
            next += 1;
        }
        assert_eq!(next, 10 * u64::from(WINDOW));
    });
}

#[test]
fn a_stream_of_results_that_is_dropped_cancels_the_method() {
    everywhere(|work, seen, server| async move {
        let mut numbers = work.count(u64::MAX).await.expect("a stream");
        assert_eq!(numbers.next().await, Some(Ok(0)));
        drop(numbers);
        seen.until(|seen| seen.dropped.load(Ordering::SeqCst) == 1)
            .await;
        while server.stats().running > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.add(1, 1).await, Ok(2));
    });
}

#[test]
fn an_error_is_the_last_item() {
    everywhere(|work, _, _| async move {
        let mut numbers = work.broken(3).await.expect("a stream");
        for number in 0..3 {
            assert_eq!(numbers.next().await, Some(Ok(number)));
        }
        let fault = Fault::new("Broken", "as asked");
        assert_eq!(
            numbers.next().await,
            Some(Err(RpcError::Application(fault)))
        );
        assert_eq!(numbers.next().await, None);
    });
}

#[test]
fn arguments_go_one_after_the_other() {
    everywhere(|work, _, _| async move {
        let (numbers, sum) = work.sum().await.expect("a call");
        let answer = tokio::spawn(sum);
        for number in 1..=1000 {
            numbers.send(&number).await.expect("room");
        }
        numbers.finish();
        assert_eq!(answer.await.expect("no panic"), Ok(500_500));
    });
}

#[test]
fn arguments_that_do_not_end_well_are_no_success() {
    everywhere(|work, seen, _| async move {
        let (numbers, sum) = work.sum().await.expect("a call");
        numbers.send(&1).await.expect("room");
        drop(numbers);
        assert!(matches!(sum.await, Err(RpcError::Application(_))));
        assert_eq!(seen.ended.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn streams_go_both_ways_at_once() {
    everywhere(|work, _, _| async move {
        let (numbers, mut doubled) = work.double(-1).await.expect("a call");
        assert_eq!(doubled.next().await, Some(Ok(-1)));
        for number in 0..300 {
            numbers.send(&number).await.expect("room");
            assert_eq!(doubled.next().await, Some(Ok(2 * number)));
        }
        numbers.finish();
        assert_eq!(doubled.next().await, None);
    });
}

#[test]
fn a_stream_of_arguments_ends_with_the_method() {
    everywhere(|work, _, _| async move {
        // The method fails at the first item that is no number of its kind, and takes no more.
        let (numbers, sum) = work.sum().await.expect("a call");
        let all = async {
            loop {
                if let Err(error) = numbers.send(&i64::MAX).await {
                    break error;
                }
            }
        };
        let (error, answer) = tokio::join!(all, sum);
        assert!(matches!(answer, Err(RpcError::Panicked(_))), "{answer:?}");
        assert_eq!(error, RpcError::Cancelled);
        assert_eq!(work.add(1, 1).await, Ok(2));
    });
}
