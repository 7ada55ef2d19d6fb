//! What this process has: descriptors, maps of shared memory, resident memory. For tests that run
//! [`alone`](crate::process::alone).

use std::fs;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    pub descriptors: usize,
    /// Maps of memory files of this library.
    pub maps: usize,
}

/// A line of `/proc/self/maps` that names one of our memory files.
fn maps() -> Vec<(usize, usize)> {
    let maps = fs::read_to_string("/proc/self/maps").expect("our maps");
    let ours = maps.lines().filter(|line| line.contains("memfd:taipan"));
    let number = |text: &str| usize::from_str_radix(text, 16).expect("an address");
    ours.map(|line| {
        let (begin, rest) = line.split_once('-').expect("a range");
        let (end, _) = rest.split_once(' ').expect("a range");
        (number(begin), number(end))
    })
    .collect()
}

/// Now.
pub fn census() -> Census {
    // Looking takes a descriptor of its own, each time.
    let descriptors = fs::read_dir("/proc/self/fd")
        .expect("our descriptors")
        .count();
    Census {
        descriptors,
        maps: maps().len(),
    }
}

/// What this process has when nobody calls: the least of some looks, over longer than any caller is waited for. A dialer
/// has a descriptor more now and then.
pub fn at_rest() -> Census {
    let looks = (0..150).map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(1));
        census()
    });
    looks
        .min_by_key(|census| (census.descriptors, census.maps))
        .expect("one")
}

/// Waits until this process has what it had.
#[track_caller]
pub fn settles(expected: Census) {
    for _ in 0..10_000 {
        if census() == expected {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let descriptors = fs::read_dir("/proc/self/fd").expect("our descriptors");
    let names: Vec<_> = descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .collect();
    panic!("{:?} instead of {expected:?}; open: {names:?}", census());
}

/// Whether bytes lie in shared memory of this library, ours or a peer's.
pub fn is_shared(bytes: &[u8]) -> bool {
    let at = bytes.as_ptr().addr();
    maps()
        .iter()
        .any(|(begin, end)| (*begin..*end).contains(&at))
}

/// Resident memory in bytes.
pub fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("our status");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a line");
    let kib = line.split_whitespace().nth(1).expect("a number");
    kib.parse::<usize>().expect("a number") * 1024
}
