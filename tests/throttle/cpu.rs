//! Waiting costs no CPU time.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use taipan::throttle::Throttled;
use taipan::{Pull, Push, SendErrorKind};

use crate::common::{context, inproc, marry, watchdog};
use crate::ways::stopped;

/// The CPU time of a thread in ticks of 10 ms.
fn ticks(thread: &Path) -> u64 {
    let stat = fs::read_to_string(thread.join("stat")).expect("the thread is there");
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
    // Behind the name come the fields from the third on; the 14th and the 15th are the times.
    let field = |number: usize| -> u64 { fields[number - 3].parse().expect("a number") };
    field(14) + field(15)
}

#[test]
fn waiting_costs_no_cpu_time() {
    let _watchdog = watchdog(60);
    let context = context();
    let (pull, push) = (Pull::new(&context), Push::new(&context));
    marry(&pull, &push, &inproc());
    let slow = Throttled::new(&push).sending(&stopped());
    let own = Path::new("/proc/thread-self");
    let before = ticks(own);
    let wait = Duration::from_secs(1);
    let refused = slow.blocking_send_timeout("2", wait).unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::TimedOut);
    // A tenth of what looking all the time would cost, and many times what it should.
    assert!(ticks(own) - before <= 10);
}
