//! Tests of the room with real memory files, and what they share: looking at this process from outside.

mod copy;
mod memfd;
mod pool;
mod ring;
mod violations;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use super::bell::Bell;
use super::channel::Channel;
use super::live::SEGMENT_HEAD;
use super::memfd::{PeerSegment, Segment};

/// Set in a child that runs one test for its parent.
const CHILD: &str = "TAIPAN_SHM_TEST_CHILD";

/// The second descriptor of a segment, as a peer would get it.
fn sent(segment: &Segment) -> OwnedFd {
    let fd = segment.fd().expect("still open");
    rustix::io::fcntl_dupfd_cloexec(fd, 0).expect("a second descriptor")
}

/// The smallest ring.
const RING: usize = 64 * 1024;

/// A ring segment of ours, and the same as the peer has it.
fn segment() -> (Segment, PeerSegment) {
    let len = SEGMENT_HEAD + RING;
    let segment = Segment::create("taipan-ring", len, Some(SEGMENT_HEAD)).expect("a segment");
    let peer = PeerSegment::adopt(sent(&segment), len as u64, len as u64, Some(SEGMENT_HEAD));
    (segment, peer.expect("a good segment"))
}

/// Both ends of a bell.
fn bells() -> (Bell, Bell) {
    let (one, other) = UnixStream::pair().expect("a pair");
    (Bell::new(one.into()), Bell::new(other.into()))
}

/// Both ends of a link.
fn ends() -> (Channel, Channel) {
    let ((ours, ours_there), (theirs, theirs_here)) = (segment(), segment());
    let (bell, bell_there) = bells();
    (
        Channel::new(ours.map(), theirs_here.map(), bell),
        Channel::new(theirs.map(), ours_there.map(), bell_there),
    )
}

/// Descriptors of this process on memory files of this name.
fn descriptors(name: &str) -> usize {
    let wanted = format!("/memfd:{name} (deleted)");
    let links = fs::read_dir("/proc/self/fd")
        .expect("descriptors")
        .flatten();
    let targets = links.filter_map(|link| fs::read_link(link.path()).ok());
    targets.filter(|to| to.to_string_lossy() == wanted).count()
}

/// Maps of this process of memory files of this name.
fn maps(name: &str) -> usize {
    let wanted = format!("/memfd:{name} (deleted)");
    let maps = fs::read_to_string("/proc/self/maps").expect("maps");
    maps.lines().filter(|line| line.ends_with(&wanted)).count()
}

/// All descriptors, all maps and the pages of address space of this process.
fn everything() -> (usize, usize, usize) {
    let descriptors = fs::read_dir("/proc/self/fd").expect("descriptors").count();
    let maps = fs::read_to_string("/proc/self/maps").expect("maps");
    let statm = fs::read_to_string("/proc/self/statm").expect("sizes");
    let pages = statm.split(' ').next().and_then(|size| size.parse().ok());
    (descriptors, maps.lines().count(), pages.expect("a number"))
}

/// Runs `test` in a process of its own, which does nothing else. `path` is the calling test's `module::name`.
fn alone(path: &str, test: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some_and(|wanted| wanted == path) {
        return test();
    }
    let (_crate, path_inside) = path.split_once("::").expect("a path");
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", path_inside, "--nocapture", "--test-threads=1"])
        .env(CHILD, path)
        .output()
        .expect("a child");
    let output = String::from_utf8_lossy(&child.stdout);
    let errors = String::from_utf8_lossy(&child.stderr);
    let ran = child.status.success() && output.contains("1 passed");
    assert!(ran, "{}\n{output}\n{errors}", child.status);
}

#[test]
fn a_map_is_not_for_children() {
    let name = "taipan-dontfork";
    let segment = Segment::create(name, 8192, Some(4096)).expect("a segment");
    let smaps = fs::read_to_string("/proc/self/smaps").expect("maps");
    let mut ours = false;
    let mut flags = Vec::new();
    for line in smaps.lines() {
        if let Some(found) = line.strip_prefix("VmFlags:").filter(|_| ours) {
            flags.push(found.split_whitespace().any(|flag| flag == "dc"));
        } else if line
            .split(' ')
            .next()
            .is_some_and(|first| !first.ends_with(':'))
        {
            ours = line.contains(name);
        }
    }
    assert_eq!(flags, [true, true], "both parts say: do not copy on fork");
    drop(segment);
}
