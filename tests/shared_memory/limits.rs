//! Resource limits of a process: where they leave no room for shared memory the link stays on the Unix socket, or the
//! error says so; no signal ends the process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use taipan::{Pair, Pull};

use crate::common::*;
use crate::process::{Child, hear, say};
use crate::rig::*;
use crate::script::{noise, same};

fn limit(resource: Resource, most: u64) {
    let maximum = getrlimit(resource).maximum;
    let current = Some(most);
    setrlimit(resource, Rlimit { current, maximum }).expect("a lower limit");
}

/// The child: connects with as little as it is left with, and exchanges messages of all sizes.
pub fn limited(args: &[&str]) {
    let [address, which] = args else {
        panic!("{args:?}")
    };
    let context = context();
    // What is made at first use and is not what is tested.
    let pair = Pair::with_options(&context, small(|o| o.shared_memory.pool_bytes = 256 * POOL))
        .expect("options");
    let warm = Pull::new(&context);
    warm.bind("tcp://127.0.0.1:*").expect("bind");
    let _ = warm.blocking_recv_timeout(std::time::Duration::from_millis(1));
    match *which {
        "file-size" => limit(Resource::Fsize, 0),
        "address-space" => {
            let status = std::fs::read_to_string("/proc/self/status").expect("our status");
            let line = status
                .lines()
                .find(|line| line.starts_with("VmSize:"))
                .expect("a line");
            let kib: u64 = line
                .split_whitespace()
                .nth(1)
                .expect("a number")
                .parse()
                .expect("a number");
            // Neither the pool nor its peer's fits in.
            limit(Resource::As, kib * 1024 + 128 * 1024 * 1024);
        }
        _ => {
            let open = std::fs::read_dir("/proc/self/fd").expect("ours").count() as u64;
            // Enough for the connection (and its watching), not for memory files as well.
            limit(Resource::Nofile, open + 5);
        }
    }
    pair.connect(*address).expect("connect");
    for len in [0, 10, 5_000, 100_000, 3_000_000] {
        pair.blocking_send(noise(len, len)).expect("send");
        assert!(same(pair.blocking_recv().expect("recv").first(), len));
    }
    say(if pair.stats().peers[0].shared_memory {
        "shared"
    } else {
        "not shared"
    });
    hear();
}

fn serve(which: &str) -> String {
    let (dir, context) = (Dir::new(), context());
    let pair = Pair::with_options(&context, small(|_| ())).unwrap();
    let address = dir.address("socket");
    pair.bind(address.as_str()).unwrap();
    let mut child = Child::start("limited", &[&address, which]);
    for len in [0, 10, 5_000, 100_000, 3_000_000] {
        let message = pair.blocking_recv().unwrap();
        assert!(message.byte_len() == len && same(message.first(), len));
        pair.blocking_send(message).unwrap();
    }
    let said = child.line().expect("an outcome");
    child.tell("end");
    child.finish();
    said
}

#[test]
fn without_room_for_files_the_link_stays_on_the_socket() {
    let _dog = watchdog(20);
    assert_eq!(serve("file-size"), "not shared");
}

#[test]
fn without_address_space_the_link_stays_on_the_socket() {
    let _dog = watchdog(20);
    assert_eq!(serve("address-space"), "not shared");
}

#[test]
fn with_few_descriptors_the_link_comes_about_all_the_same() {
    let _dog = watchdog(20);
    eprintln!("{}", serve("descriptors"));
}
