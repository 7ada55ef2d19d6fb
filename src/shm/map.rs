//! A memory file mapped into this process, the hind part twice in a row if wanted.
//!
//! ```text
//!   file      0 ... m ........... len
//!   memory    0 ... m ........... len m ........... len
//!             base                base + len              the mirror: behind the end, it begins again at m
//! ```
//!
//! Not a way to touch the memory: it gives out a pointer, and those who use it (`ring`, `pool`, `copy`) say why they
//! may. What must stay true:
//! - the pointer is good for reading as long as the mapping lives (for writing, if it is [`Access::Write`]);
//! - the file is no smaller than the mapping, now or ever. The seals hold that (`memfd.rs`); without them,
//!   touching a page behind the end kills the process by SIGBUS;
//! - a forked child does not have the mapping: it would be a second writer of what has one.

use std::ffi::c_void;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};

use rustix::io::Errno;
use rustix::mm::{self, Advice, MapFlags, ProtFlags};

use super::error::ShmError;

/// What this process may do with mapped memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The peer's: read only, and the kernel holds us to it.
    Read,
    /// Ours.
    Write,
}

/// Mapped memory. Unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
    /// With the mirror.
    total: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and may be unmapped by any of them. It gives out a
// pointer and no reference, so whoever touches the memory answers for the threads that do so at the same time.
unsafe impl Send for Mapping {}
// SAFETY: as above; through a shared `Mapping` nothing can be changed but by unsafe code.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of a file, and behind them once more those from `mirror_from` on.
    ///
    /// The caller vouches for the size of the file (see the top of this file).
    pub(super) fn new(
        fd: BorrowedFd<'_>,
        len: usize,
        mirror_from: Option<usize>,
        access: Access,
    ) -> Result<Mapping, ShmError> {
        let page = rustix::param::page_size();
        let mirrored = match mirror_from {
            Some(from) if !from.is_multiple_of(page) => {
                return Err(ShmError::BadParameter("a mirror starts on a page"));
            }
            Some(from) if from >= len => {
                return Err(ShmError::BadParameter("a mirror needs something to show"));
            }
            Some(from) => len - from,
            None => 0,
        };
        if len == 0 || !len.is_multiple_of(page) {
            return Err(ShmError::BadParameter(
                "a mapping is whole pages, at least one",
            ));
        }
        let total = len
            .checked_add(mirrored)
            .filter(|total| isize::try_from(*total).is_ok())
            .ok_or(ShmError::BadParameter(
                "a mapping fits into the address space",
            ))?;
        // Reserved in one piece first, so that nothing else can come to lie between the parts. From here on, an
        // error drops `mapping`, which unmaps whatever there is by then.
        let mapping = Mapping {
            base: reserve(total)?,
            len,
            total,
        };
        mapping.place(fd, 0, len, 0, access)?;
        if let Some(from) = mirror_from {
            mapping.place(fd, len, mirrored, from as u64, access)?;
        }
        mapping.keep_from_children()?;
        Ok(mapping)
    }

    /// Where the file's first byte is.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// The bytes of the file; the mirror comes on top.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Maps `len` bytes of the file over a part of the reservation.
    fn place(
        &self,
        fd: BorrowedFd<'_>,
        at: usize,
        len: usize,
        offset: u64,
        access: Access,
    ) -> Result<(), ShmError> {
        let there: *mut c_void = self.base.as_ptr().wrapping_add(at).cast();
        let protection = match access {
            Access::Read => ProtFlags::READ,
            Access::Write => ProtFlags::READ | ProtFlags::WRITE,
        };
        let flags = MapFlags::SHARED | MapFlags::FIXED;
        // SAFETY: MAP_FIXED replaces `at..at + len` of our own reservation (both callers stay within `total`), where
        // nothing is that anyone could be using: no pointer into it was given out yet.
        let placed = unsafe { mm::mmap(there, len, protection, flags, fd, offset) };
        placed.map(drop).map_err(ShmError::system("mmap"))
    }

    fn keep_from_children(&self) -> Result<(), ShmError> {
        let base: *mut c_void = self.base.as_ptr().cast();
        // SAFETY: this advice changes nothing in this process; the range is this mapping, as a whole.
        let advised = unsafe { mm::madvise(base, self.total, Advice::LinuxDontFork) };
        advised.map_err(ShmError::system("madvise"))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `reserve` gave to this mapping, unmapped once. Whoever holds a pointer into it
        // holds the mapping alive (they keep it in an `Arc`), so there is none left.
        let unmapped = unsafe { mm::munmap(self.base.as_ptr().cast(), self.total) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

/// Address space that nobody else gets, and that faults when touched.
fn reserve(total: usize) -> Result<NonNull<u8>, ShmError> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: without MAP_FIXED the kernel takes a range that nothing is mapped to.
    let reserved = unsafe { mm::mmap_anonymous(ptr::null_mut(), total, ProtFlags::empty(), flags) };
    let base = reserved.map_err(ShmError::system("mmap"))?;
    NonNull::new(base.cast()).ok_or_else(|| ShmError::system("mmap")(Errno::NOMEM))
}
