//! Copies against ordinary ones, at the edges of what is mapped, and under a writer.

use crate::shm::copy::{append, copy_out, copy_out_64, copy_to_vec, portable};

type Copy = unsafe fn(*const u8, *mut u8, usize);

/// Both ways, whichever this machine uses.
const COPIES: [Copy; 2] = [copy_out, portable::copy];

const LONGEST: usize = if cfg!(miri) { 150 } else { 2100 };
const OFFSETS: usize = 17;

/// Bytes that repeat at no power of two.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[test]
fn copies_are_exact_at_all_lengths_and_offsets() {
    let source = pattern(LONGEST + OFFSETS);
    let mut target = vec![0; LONGEST + 2 * OFFSETS];
    for copy in COPIES {
        for len in 0..LONGEST {
            for from in 0..OFFSETS {
                let to = (from * 7 + len) % OFFSETS;
                target.fill(0xff);
                // SAFETY: `len` bytes are behind `from` in the one and behind `to` in the other.
                unsafe { copy(source[from..].as_ptr(), target[to..].as_mut_ptr(), len) };
                let (before, rest) = target.split_at(to);
                let (copied, behind) = rest.split_at(len);
                assert!(
                    copied == &source[from..from + len],
                    "{len} bytes from {from} to {to}"
                );
                let untouched = before.iter().chain(behind).all(|byte| *byte == 0xff);
                assert!(untouched, "{len} bytes from {from} to {to} wrote too much");
            }
        }
    }
}

#[test]
fn a_window_is_64_bytes() {
    let source = pattern(64 + OFFSETS);
    for from in 0..OFFSETS {
        // SAFETY: 64 bytes are behind `from`.
        let window = unsafe { copy_out_64(source[from..].as_ptr()) };
        assert_eq!(window, source[from..from + 64]);
    }
}

#[test]
fn vectors_get_what_they_are_asked_for() {
    let source = pattern(5000);
    for len in [0, 1, 64, 1024, 1025, 5000] {
        // SAFETY: the source is at least as long.
        let copy = unsafe { copy_to_vec(source.as_ptr(), len) };
        assert_eq!((&copy[..], copy.capacity()), (&source[..len], len));
        let mut more = vec![1, 2, 3];
        // SAFETY: as above.
        unsafe { append(source.as_ptr(), len, &mut more) };
        assert_eq!((&more[..3], &more[3..]), (&[1, 2, 3][..], &source[..len]));
    }
}

#[cfg(not(miri))]
mod mapped {
    use std::ptr;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

    use super::*;
    use crate::shm::memfd::{PeerSegment, Segment};
    use crate::shm::tests::sent;

    const PAGE: usize = 4096;

    /// A page with nothing before or behind it: touching a byte too many is a crash.
    fn lone_page() -> *mut u8 {
        let page = rustix::param::page_size();
        let flags = MapFlags::PRIVATE;
        // SAFETY: a new range.
        let reserved =
            unsafe { mmap_anonymous(ptr::null_mut(), 3 * page, ProtFlags::empty(), flags) };
        let middle = reserved.expect("three pages").wrapping_byte_add(page);
        let both = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: the middle one of these pages.
        unsafe { mprotect(middle, page, both) }.expect("one usable page");
        middle.cast()
    }

    #[test]
    fn nothing_beyond_the_ends_is_touched() {
        let page = rustix::param::page_size();
        let (source, target) = (lone_page(), lone_page());
        for copy in COPIES {
            for len in 0..LONGEST {
                let last = page - len;
                for (from, to) in [(0, last), (last, 0), (0, 0), (last, last)] {
                    let (from, to) = (source.wrapping_add(from), target.wrapping_add(to));
                    // SAFETY: both ranges lie in their page.
                    unsafe { copy(from, to, len) };
                }
            }
        }
        for lone in [source, target] {
            // SAFETY: all three pages, nobody uses them any more.
            let unmapped = unsafe { munmap(lone.wrapping_sub(page).cast(), 3 * page) };
            unmapped.expect("unmapped");
        }
    }

    #[test]
    fn a_copy_under_a_writer_has_bytes_that_were_there() {
        let segment = Segment::create("taipan-copy", PAGE, None).expect("a segment");
        let peer = PeerSegment::adopt(sent(&segment), PAGE as u64, PAGE as u64, None);
        let peer = peer.expect("a good segment");
        let done = AtomicBool::new(false);
        let fill = |byte: u8| {
            let base = segment.map().base().as_ptr();
            // SAFETY: a page of ours, which nobody else writes and nobody has a reference to.
            unsafe { ptr::write_bytes(base, byte, PAGE) };
        };
        fill(1);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    fill(2);
                    fill(1);
                }
            });
            for round in 0..5000 {
                let len = round % PAGE;
                // SAFETY: `len` bytes are mapped there.
                let copy = unsafe { copy_to_vec(peer.map().base().as_ptr(), len) };
                assert!(copy.iter().all(|byte| matches!(byte, 1 | 2)));
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
