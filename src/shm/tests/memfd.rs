//! Memory files: what is made, what is accepted, what the kernel forbids, and that nothing stays behind.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};
use rustix::process::{Resource, Rlimit};

use super::{alone, descriptors, everything, maps, sent};
use crate::shm::copy::copy_to_vec;
use crate::shm::error::ShmError;
use crate::shm::map::Mapping;
use crate::shm::memfd::{PeerSegment, Segment};

const PAGE: usize = 4096;
/// What most tests are about.
const SIZE: u64 = 4 * PAGE as u64;
const LIMIT: u64 = 1 << 20;

const ALL: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::FUTURE_WRITE)
    .union(SealFlags::SEAL);

/// A memory file as some other program may make it.
fn made(name: &str, size: u64, extra: MemfdFlags, seals: SealFlags) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | extra;
    let fd = rustix::fs::memfd_create(name, flags)?;
    rustix::fs::ftruncate(&fd, size)?;
    rustix::fs::fcntl_add_seals(&fd, seals)?;
    Ok(fd)
}

fn sealed(name: &str, size: u64, seals: SealFlags) -> OwnedFd {
    made(name, size, MemfdFlags::empty(), seals).expect("a memory file")
}

/// The same file through another open call.
fn reopened(fd: &OwnedFd, flags: OFlags) -> OwnedFd {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).expect("opened again")
}

fn opened(path: &str) -> OwnedFd {
    File::open(path)
        .expect("a file that all systems have")
        .into()
}

#[track_caller]
fn refused(fd: OwnedFd, announced: u64, mirror_from: Option<usize>) -> ShmError {
    let raw = fd.as_raw_fd();
    let adopted = PeerSegment::adopt(fd, announced, LIMIT, mirror_from);
    adopted.expect_err(&format!("descriptor {raw}"))
}

#[test]
fn files_that_are_not_sealed_are_refused() {
    let name = "taipan-unsealed";
    let all = ALL.bits();
    let missing = |fd| refused(fd, SIZE, None);
    let none = sealed(name, SIZE, SealFlags::empty());
    assert_eq!(missing(none), ShmError::NotSealed { missing: all });
    for one in ALL.iter() {
        let fd = sealed(name, SIZE, ALL.difference(one));
        assert_eq!(
            missing(fd),
            ShmError::NotSealed {
                missing: one.bits()
            }
        );
    }
    // One that nobody may write, not even its owner, is still none of ours.
    let frozen = sealed(
        name,
        SIZE,
        ALL.difference(SealFlags::FUTURE_WRITE) | SealFlags::WRITE,
    );
    let future = SealFlags::FUTURE_WRITE.bits();
    assert_eq!(missing(frozen), ShmError::NotSealed { missing: future });
    assert_eq!((descriptors(name), maps(name)), (0, 0));
}

#[test]
fn files_of_another_size_are_refused() {
    let name = "taipan-sizes";
    for announced in [0, SIZE - 1, SIZE + PAGE as u64, u64::MAX] {
        let found = SIZE;
        let error = refused(sealed(name, SIZE, ALL), announced, None);
        assert_eq!(error, ShmError::WrongSize { announced, found });
    }
    let not_allowed = |size, mirror_from| {
        let error = refused(sealed(name, size, ALL), size, mirror_from);
        let limit = LIMIT;
        assert_eq!(error, ShmError::SizeNotAllowed { size, limit });
    };
    not_allowed(0, None);
    not_allowed(SIZE - 1, None);
    not_allowed(LIMIT + PAGE as u64, None);
    not_allowed(1 << 40, None);
    not_allowed(SIZE, Some(SIZE as usize));
    not_allowed(SIZE, Some(SIZE as usize * 2));
    assert_eq!((descriptors(name), maps(name)), (0, 0));
}

#[test]
fn what_is_no_file_in_memory_has_no_seals() {
    let (pipe, _writer) = io::pipe().expect("a pipe");
    let (socket, _other) = std::os::unix::net::UnixStream::pair().expect("sockets");
    for fd in [
        pipe.into(),
        socket.into(),
        opened("/dev/zero"),
        opened("/proc"),
        opened("/proc/version"),
    ] {
        let missing = ALL.bits();
        assert_eq!(refused(fd, SIZE, None), ShmError::NotSealed { missing });
    }
}

#[test]
fn a_plain_file_in_dev_shm_is_refused() {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    // Not every container has the directory, or memory behind it.
    let Ok(fd) = rustix::fs::open("/dev/shm", flags, Mode::RUSR | Mode::WUSR) else {
        return;
    };
    if rustix::fs::fstatfs(&fd).expect("a file system").f_type as u64 != 0x0102_1994 {
        return;
    }
    rustix::fs::ftruncate(&fd, SIZE).expect("a size");
    // It says that it has one seal, the one against sealing.
    let missing = ALL.difference(SealFlags::SEAL).bits();
    assert_eq!(refused(fd, SIZE, None), ShmError::NotSealed { missing });
}

#[test]
fn huge_pages_are_refused() {
    let size = 1 << 21;
    // Kernels may be built without, or keep them for some users.
    if let Ok(fd) = made("taipan-huge", size, MemfdFlags::HUGETLB, ALL) {
        let adopted = PeerSegment::adopt(fd, size, size, None);
        assert_eq!(adopted.err(), Some(ShmError::NotTmpfs));
    }
}

#[test]
fn descriptors_that_cannot_be_read_are_refused() {
    let name = "taipan-writeonly";
    let fd = sealed(name, SIZE, ALL);
    let error = refused(reopened(&fd, OFlags::WRONLY), SIZE, None);
    let mmap = ShmError::system("mmap")(Errno::ACCESS);
    assert_eq!(error, mmap);
    let error = refused(reopened(&fd, OFlags::PATH), SIZE, None);
    let seals = ShmError::system("F_GET_SEALS")(Errno::BADF);
    assert_eq!(error, seals);
    assert_eq!((descriptors(name), maps(name)), (1, 0));
}

fn write(map: &Mapping, at: usize, bytes: &[u8]) {
    assert!(at + bytes.len() <= map.len());
    let there = map.base().as_ptr().wrapping_add(at);
    // SAFETY: within our own map, which only this test writes and nobody has references to.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), there, bytes.len()) };
}

fn read(map: &Mapping, at: usize, len: usize) -> Vec<u8> {
    // SAFETY: the tests below stay within the map and its mirror.
    unsafe { copy_to_vec(map.base().as_ptr().wrapping_add(at), len) }
}

#[test]
fn what_the_owner_writes_the_peer_sees() {
    let name = "taipan-seen";
    let mut segment = Segment::create(name, SIZE as usize, None).expect("a segment");
    let peer = PeerSegment::adopt(sent(&segment), SIZE, SIZE, None).expect("a good segment");
    assert_eq!((segment.len() as u64, peer.len() as u64), (SIZE, SIZE));
    assert_eq!(read(peer.map(), 0, SIZE as usize), vec![0; SIZE as usize]);
    write(segment.map(), 100, b"before");
    assert_eq!(read(peer.map(), 100, 6), b"before");
    assert_eq!(descriptors(name), 1, "the peer's was closed");
    segment.close_fd();
    assert!(segment.fd().is_none() && descriptors(name) == 0);
    write(segment.map(), SIZE as usize - 5, b"after");
    assert_eq!(read(peer.map(), SIZE as usize - 5, 5), b"after");
    drop(segment);
    assert_eq!(
        read(peer.map(), 100, 6),
        b"before",
        "the owner's end changes nothing"
    );
    drop(peer);
    assert_eq!(maps(name), 0);
}

#[test]
fn a_mirror_shows_the_same_bytes() {
    let name = "taipan-mirror";
    let (len, from) = (SIZE as usize, PAGE);
    let segment = Segment::create(name, len, Some(from)).expect("a segment");
    let peer = PeerSegment::adopt(sent(&segment), SIZE, SIZE, Some(from)).expect("a good one");
    assert_eq!(
        (segment.len(), peer.len()),
        (len, len),
        "the mirror does not count"
    );
    assert_eq!(maps(name), 4);
    write(segment.map(), len - 3, b"end");
    write(segment.map(), from, b"begin");
    for map in [segment.map(), peer.map()] {
        assert_eq!(read(map, len - 3, 8), b"endbegin");
        let mirrored = len - from;
        assert_eq!(read(map, from, mirrored), read(map, len, mirrored));
    }
    let behind = segment.map().base().as_ptr().wrapping_add(len + 100);
    // SAFETY: in the mirror, which is as much ours as what it shows.
    unsafe { behind.write(7) };
    assert_eq!(read(peer.map(), from + 100, 1), [7], "and the other way");
}

/// What the kernel says to somebody who has the descriptor and wants to write all the same.
fn attempts(fd: BorrowedFd<'_>) -> Vec<Result<(), Errno>> {
    let both = ProtFlags::READ | ProtFlags::WRITE;
    let null = ptr::null_mut();
    // SAFETY: a new map that nobody touches; a failure is what is expected.
    let mapped = unsafe { rustix::mm::mmap(null, PAGE, both, MapFlags::SHARED, fd, 0) };
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    vec![
        rustix::io::pwrite(fd, b"x", 0).map(drop),
        mapped.map(drop),
        rustix::fs::ftruncate(fd, 0),
        rustix::fs::ftruncate(fd, SIZE * 2),
        rustix::fs::fallocate(fd, hole, 0, SIZE),
        rustix::fs::fcntl_add_seals(fd, SealFlags::WRITE),
    ]
}

#[test]
fn nobody_but_the_owner_writes_or_resizes() {
    let segment = Segment::create("taipan-locked", SIZE as usize, None).expect("a segment");
    write(segment.map(), 0, b"owner");
    let fd = sent(&segment);
    let refusals = vec![Err(Errno::PERM); 6];
    assert_eq!(attempts(fd.as_fd()), refusals);
    let again = reopened(&fd, OFlags::RDWR);
    assert_eq!(
        attempts(again.as_fd()),
        refusals,
        "through a descriptor of one's own"
    );
    let peer = PeerSegment::adopt(fd, SIZE, SIZE, None).expect("a good segment");
    let both = MprotectFlags::READ | MprotectFlags::WRITE;
    // SAFETY: a failure is what is expected, and if it were none, nobody would write there.
    let raised = unsafe { rustix::mm::mprotect(peer.map().base().as_ptr().cast(), PAGE, both) };
    assert_eq!(raised, Err(Errno::ACCESS));
    assert_eq!(read(peer.map(), 0, 5), b"owner");
}

#[test]
fn segments_that_make_no_sense_are_not_made() {
    let name = "taipan-nonsense";
    let size = SIZE as usize;
    let nonsense = [
        (0, None),
        (size - 1, None),
        (size, Some(1)),
        (size, Some(size)),
        (size, Some(size * 2)),
    ];
    for (len, mirror_from) in nonsense {
        let made = Segment::create(name, len, mirror_from);
        assert!(
            matches!(made, Err(ShmError::BadParameter(_))),
            "{len} {mirror_from:?}"
        );
    }
    let impossible = Segment::create(name, usize::MAX & !(PAGE - 1), None);
    assert!(matches!(
        impossible,
        Err(ShmError::System {
            what: "ftruncate",
            ..
        })
    ));
    let named = Segment::create("zero\0byte", size, None);
    assert!(matches!(
        named,
        Err(ShmError::System {
            what: "memfd_create",
            ..
        })
    ));
    let announced = refused(sealed(name, SIZE, ALL), SIZE, Some(1));
    assert!(matches!(announced, ShmError::BadParameter(_)));
    assert_eq!((descriptors(name), maps(name)), (0, 0));
}

#[test]
fn a_file_size_limit_is_an_error_and_not_a_signal() {
    let path = concat!(
        module_path!(),
        "::a_file_size_limit_is_an_error_and_not_a_signal"
    );
    alone(path, || {
        let old = rustix::process::getrlimit(Resource::Fsize);
        let low = Rlimit {
            current: Some(SIZE),
            maximum: old.maximum,
        };
        rustix::process::setrlimit(Resource::Fsize, low).expect("a lower limit");
        let above = Segment::create("taipan-limit", SIZE as usize + PAGE, None);
        assert_eq!(above.err(), Some(ShmError::FileSizeLimit));
        Segment::create("taipan-limit", SIZE as usize, None).expect("as much as is allowed");
    });
}

/// Everything that takes descriptors or maps, and some of what fails half-way.
fn round() {
    let name = "taipan-round";
    let from = Some(PAGE);
    let size = 1 << 20;
    let mut segment = Segment::create(name, size as usize, from).expect("a segment");
    let peer = PeerSegment::adopt(sent(&segment), size, LIMIT, from).expect("a good one");
    write(segment.map(), 0, b"x");
    assert_eq!(read(peer.map(), 0, 1), b"x");
    PeerSegment::adopt(sent(&segment), size, size - 1, from).expect_err("above the limit");
    let unreadable = reopened(&sent(&segment), OFlags::WRONLY);
    PeerSegment::adopt(unreadable, size, LIMIT, from).expect_err("not readable");
    segment.close_fd();
    Segment::create(name, size as usize, Some(1)).expect_err("half a page");
}

#[test]
fn a_thousand_rounds_leave_nothing_behind() {
    let path = concat!(module_path!(), "::a_thousand_rounds_leave_nothing_behind");
    alone(path, || {
        round();
        let (descriptors_before, maps_before, pages_before) = everything();
        for _ in 0..1000 {
            round();
        }
        assert_eq!((descriptors("taipan-round"), maps("taipan-round")), (0, 0));
        let (descriptors, maps, pages) = everything();
        assert_eq!(descriptors, descriptors_before);
        // The heap may have some more, above all that of a sanitizer.
        assert!(maps < maps_before + 100, "{maps_before} maps became {maps}");
        // One reservation of each round would be 500,000 pages; the heap may grow by some.
        let grown = pages.saturating_sub(pages_before);
        assert!(grown < 10_000, "{grown} pages of address space");
    });
}
