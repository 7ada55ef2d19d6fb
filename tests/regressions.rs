//! One test for each bug that was found from outside, named after what it did. Bugs of one room have theirs there.

use std::time::Duration;

use taipan::{Context, Pull, Push};

const PATIENCE: Duration = Duration::from_secs(20);

/// The receiver emptied its inbox, then took away the event that announced the next entry, and slept on.
/// Hit about once in 20 rounds.
#[test]
fn a_blocked_receiver_missed_an_in_process_peer() {
    for _ in 0..60 {
        let context = Context::new();
        let (first, last) = (Push::new(&context), Pull::new(&context));
        let (inward, outward) = (Pull::new(&context), Push::new(&context));
        first.connect(inward.bind("inproc://in").expect("bind")).expect("connect");
        last.connect(outward.bind("inproc://out").expect("bind")).expect("connect");
        let sender = std::thread::spawn(move || {
            for number in 0..5000_u32 {
                first.blocking_send(number.to_be_bytes()).expect("send");
            }
            first
        });
        let between = std::thread::spawn(move || {
            for _ in 0..5000 {
                outward.blocking_send(inward.blocking_recv().expect("recv")).expect("send");
            }
            outward
        });
        for expected in 0..5000_u32 {
            let message = last.blocking_recv_timeout(PATIENCE).expect("a message in time");
            assert_eq!(message, expected.to_be_bytes());
        }
        sender.join().expect("sender");
        between.join().expect("between");
    }
}
