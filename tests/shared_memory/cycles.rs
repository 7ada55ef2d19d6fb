//! Links that come and go thousands of times leave nothing behind.

use taipan::{Context, Message, Pair, Pull, Push};

use crate::census::{at_rest, resident, settles};
use crate::common::*;
use crate::process::{Child, alone};
use crate::rig::*;
use crate::script::{noise, same};

/// What resident memory may grow by after the warm-up.
const SLACK: usize = 8 * 1024 * 1024;

fn one_cycle(pull: &Pull, endpoint: &taipan::Endpoint, other: &Context, at: usize) -> Message {
    let push = Push::with_options(other, small(|_| ())).unwrap();
    push.connect(endpoint.clone()).unwrap();
    push.blocking_send(noise(20_000, at)).unwrap();
    let view = pull.blocking_recv().unwrap();
    assert!(same(view.first(), at));
    view
}

#[test]
fn a_thousand_links_of_one_process_leave_nothing_behind() {
    if !alone() {
        return;
    }
    let _dog = watchdog(60);
    let (here, there, dir) = (context(), context(), Dir::new());
    let pull = Pull::with_options(&here, small(|_| ())).unwrap();
    let endpoint = pull.bind(dir.address("socket").as_str()).unwrap();
    let mut kept = Vec::new();
    let mut before = None;
    for at in 0..1_500 {
        kept.push(one_cycle(&pull, &endpoint, &there, at));
        kept.truncate(at % 5);
        if at == 300 {
            kept.clear();
            until_links(&pull, 0);
            before = Some((at_rest(), resident()));
        }
    }
    kept.clear();
    until_links(&pull, 0);
    let (census, memory) = before.unwrap();
    settles(census);
    assert!(
        resident() < memory + SLACK,
        "{memory} bytes have become {}",
        resident()
    );
}

#[test]
fn hundreds_of_links_to_processes_leave_nothing_behind() {
    if !alone() {
        return;
    }
    let _dog = watchdog(60);
    let (context, dir) = (context(), Dir::new());
    let pair = Pair::with_options(&context, small(|_| ())).unwrap();
    let address = dir.address("socket");
    pair.bind(address.as_str()).unwrap();
    let mut before = None;
    for round in 0..6 {
        let child = Child::start("come_and_go", &[&address, "60"]);
        for _ in 0..60 {
            assert!(same(pair.blocking_recv().unwrap().first(), 3));
            pair.blocking_send("thanks").unwrap();
            pair.flush();
        }
        child.finish();
        until_links(&pair, 0);
        if round == 1 {
            before = Some((at_rest(), resident()));
        }
    }
    let (census, memory) = before.unwrap();
    settles(census);
    assert!(
        resident() < memory + SLACK,
        "{memory} bytes have become {}",
        resident()
    );
}
