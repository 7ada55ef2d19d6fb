//! Shared memory with a process of another user: rings, but no pool and no views.
//!
//! Needs the right to start a process as somebody else, so it does nothing where the tests do not run as root.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::process::CommandExt;
use std::process::Command;

use common::{unique, watchdog};
use taipan::{Context, Pair};

const NOBODY: u32 = 65534;
const ROLE: &str = "TAIPAN_OTHER_USER";

fn large(first: u8) -> Vec<u8> {
    (0..3_000_000_u32).map(|at| at as u8 ^ first).collect()
}

/// What the child does: sends back what it gets, changed.
fn child(endpoint: &str) {
    let context = Context::new();
    let pair = Pair::new(&context);
    pair.connect(endpoint).expect("connect");
    let got = pair.blocking_recv().expect("a message");
    assert!(*got.first() == large(1)[..], "it came whole");
    let peer = &pair.stats().peers[0];
    assert!(peer.shared_memory, "over shared memory");
    assert_eq!(peer.credentials.expect("known").uid, 0);
    pair.blocking_send(large(2)).expect("send");
    assert_eq!(pair.blocking_recv().expect("the end"), "end");
}

#[test]
fn another_user_gets_rings_but_no_pool() {
    let _dog = watchdog(60);
    if let Ok(endpoint) = std::env::var(ROLE) {
        return child(&endpoint);
    }
    let endpoint = format!("ipc://@taipan-user-{}-{}", std::process::id(), unique());
    let context = Context::new();
    let pair = Pair::new(&context);
    pair.bind(endpoint.as_str()).expect("bind");
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command
        .args(["--exact", "another_user_gets_rings_but_no_pool"])
        .env(ROLE, &endpoint)
        .uid(NOBODY)
        .current_dir("/");
    let Ok(mut child) = command.spawn() else {
        eprintln!("not allowed to start a process as another user: nothing was tested");
        return;
    };
    pair.blocking_send(large(1)).expect("send");
    assert!(*pair.blocking_recv().expect("an answer").first() == large(2)[..]);
    let stats = pair.stats();
    assert_eq!(stats.peers[0].credentials.expect("known").uid, NOBODY);
    assert!(stats.peers[0].shared_memory, "over shared memory");
    assert_eq!(
        stats.pool, None,
        "who has the pool could read everybody's messages"
    );
    pair.blocking_send("end").expect("send");
    assert!(child.wait().expect("the child").success());
}
