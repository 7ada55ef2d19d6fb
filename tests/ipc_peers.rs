//! Who is at the other end of an ipc connection: told by the system, and let in or turned away for it.

mod common;

use std::io::Read;
use std::os::unix::net::UnixStream;

use common::*;
use taipan::{
    Context, HandshakeFault, IpcPeers, Monitor, MonitorKind, Options, PeerCredentials, Pull, Push,
};

/// This process, as its peers see it; here they are all in it.
fn ourselves() -> PeerCredentials {
    PeerCredentials {
        pid: std::process::id() as i32,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

fn ipc() -> impl Iterator<Item = String> {
    streams().into_iter().filter(|a| a.starts_with("ipc://"))
}

fn pull_with(context: &Context, change: impl FnOnce(&mut Options)) -> Pull {
    Pull::with_options(context, options(change)).expect("options")
}

fn push_with(context: &Context, change: impl FnOnce(&mut Options)) -> Push {
    Push::with_options(context, options(change)).expect("options")
}

/// A filter that lets this process in by one of its numbers, beside others that do not.
fn filters_for_us() -> [IpcPeers; 3] {
    let us = ourselves();
    let only = |users, groups, processes| IpcPeers {
        users,
        groups,
        processes,
    };
    [
        only(vec![us.uid + 1, us.uid], vec![], vec![]),
        only(vec![us.uid + 1], vec![us.gid], vec![]),
        only(vec![us.uid + 1], vec![us.gid + 1], vec![us.pid]),
    ]
}

fn a_filter_against_us() -> IpcPeers {
    let us = ourselves();
    IpcPeers {
        users: vec![us.uid + 1],
        groups: vec![us.gid + 1],
        processes: vec![us.pid + 1],
    }
}

fn is_turned_away(monitor: &mut Monitor) {
    let failed = event(monitor, |event| {
        matches!(event.kind, MonitorKind::HandshakeFailed { .. })
    });
    assert_eq!(failed.kind.number(), 0x4000);
    let fault = HandshakeFault::PeerRefused(Some(ourselves()));
    assert_eq!(failed.kind, MonitorKind::HandshakeFailed { fault });
}

#[test]
fn the_peers_credentials_are_told_on_both_ends() {
    let _dog = watchdog(60);
    for address in ipc() {
        let context = context();
        let (pull, push) = (Pull::new(&context), Push::new(&context));
        marry(&pull, &push, &address);
        let us = ourselves();
        for peers in [pull.stats().peers, push.stats().peers] {
            assert_eq!(peers.len(), 1);
            assert_eq!(peers[0].credentials, Some(us), "{address}");
            let written = format!(":{}:{}:{}", us.uid, us.gid, us.pid);
            assert_eq!(peers[0].address, written);
        }
    }
}

#[test]
fn credentials_go_with_their_link() {
    let _dog = watchdog(60);
    let context = context();
    let (pull, push) = (Pull::new(&context), Push::new(&context));
    marry(&pull, &push, &ipc().next().expect("an address"));
    drop(pull);
    until_links(&push, 0);
    let peers = push.stats().peers;
    assert_eq!((peers.len(), peers[0].credentials), (1, None));
    assert!(!peers[0].shared_memory);
}

#[test]
fn other_transports_have_no_credentials_and_no_filter() {
    let _dog = watchdog(60);
    for address in [inproc(), "tcp://127.0.0.1:*".to_owned()] {
        let context = context();
        let pull = pull_with(&context, |o| o.ipc_peers = a_filter_against_us());
        let push = push_with(&context, |o| o.ipc_peers = a_filter_against_us());
        marry(&pull, &push, &address);
        assert_eq!(pull.stats().peers[0].credentials, None, "{address}");
        push.blocking_send("in").expect("send");
        assert_eq!(take(&pull, 1), ["in"]);
    }
}

#[test]
fn whoever_is_in_one_of_the_lists_is_let_in() {
    let _dog = watchdog(60);
    for filter in filters_for_us() {
        for address in ipc() {
            let context = context();
            let pull = pull_with(&context, |o| o.ipc_peers = filter.clone());
            let push = push_with(&context, |o| o.ipc_peers = filter.clone());
            marry(&pull, &push, &address);
            push.blocking_send("in").expect("send");
            assert_eq!(take(&pull, 1), ["in"], "{filter:?}");
        }
    }
}

#[test]
fn others_are_turned_away_before_a_byte_is_said() {
    let _dog = watchdog(60);
    let path = std::env::temp_dir().join(format!("taipan-away-{}", std::process::id()));
    let context = context();
    let pull = pull_with(&context, |o| o.ipc_peers = a_filter_against_us());
    let mut monitor = pull.monitor();
    pull.bind(format!("ipc://{}", path.display()))
        .expect("bind");
    let mut peer = UnixStream::connect(&path).expect("connect");
    let mut said = Vec::new();
    peer.read_to_end(&mut said).expect("the end");
    assert_eq!(said, b"");
    is_turned_away(&mut monitor);
    assert_eq!(pull.stats().peers, []);
}

#[test]
fn a_server_can_be_the_wrong_one_too_and_is_dialed_again() {
    let _dog = watchdog(60);
    for address in ipc() {
        let context = context();
        let pull = Pull::new(&context);
        let endpoint = pull.bind(address.as_str()).expect("bind");
        let push = push_with(&context, |o| o.ipc_peers = a_filter_against_us());
        let mut monitor = push.monitor();
        push.connect(endpoint).expect("connect");
        is_turned_away(&mut monitor);
        let retried = event(&mut monitor, |event| {
            matches!(event.kind, MonitorKind::ConnectRetried { .. })
        });
        let MonitorKind::ConnectRetried { reason, .. } = retried.kind else {
            panic!("{retried:?}")
        };
        assert!(reason.ends_with("is not let in"), "{reason}");
        // The filter is read anew at every attempt.
        push.update_options(|o| o.ipc_peers = IpcPeers::default())
            .expect("options");
        assert!(push.blocking_wait_for_peers(1, None));
        push.blocking_send("now").expect("send");
        assert_eq!(take(&pull, 1), ["now"]);
    }
}
