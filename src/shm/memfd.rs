//! Memory files: ours, made and sealed; the peer's, checked and mapped.
//!
//! A file that leaves this process is sealed so that it keeps its size for ever and that only the maps which exist
//! already (ours) can write it. A file that comes in has to show the same. Not here: how the descriptors cross, or
//! what is in the memory.
//!
//! Invariants:
//! - all our writable maps exist before the seals do; none can be added afterwards, by us either;
//! - a peer's file is mapped only after every check, and read only. Its seals are read *before* its size: a size
//!   that was read while the file could still shrink would say nothing;
//! - whatever fails, no descriptor and no mapping stays behind.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::process::Resource;

use super::error::ShmError;
use super::map::{Access, Mapping};

/// What `fstatfs` says of memory files. Huge pages have another number, and with good reason: when their pool is
/// empty, touching a hole is SIGBUS.
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// All of these, on every file that crosses.
fn seals() -> SealFlags {
    SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE | SealFlags::SEAL
}

/// A memory file of ours: mapped writable, then sealed.
#[derive(Debug)]
pub(crate) struct Segment {
    fd: Option<OwnedFd>,
    map: Arc<Mapping>,
}

impl Segment {
    /// Makes a file of `len` zero bytes (whole pages). Its pages cost memory when they are first touched.
    ///
    /// `name` is for people who look into `/proc`. With `mirror_from`, see [`Mapping`].
    pub(crate) fn create(
        name: &str,
        len: usize,
        mirror_from: Option<usize>,
    ) -> Result<Segment, ShmError> {
        let size = len as u64;
        let limit = rustix::process::getrlimit(Resource::Fsize).current;
        if limit.is_some_and(|limit| size > limit) {
            // The kernel answers with a signal that ends the process unless somebody handles it.
            return Err(ShmError::FileSizeLimit);
        }
        let fd = unsealed(name)?;
        rustix::fs::ftruncate(&fd, size).map_err(ShmError::system("ftruncate"))?;
        let map = Mapping::new(fd.as_fd(), len, mirror_from, Access::Write)?;
        rustix::fs::fcntl_add_seals(&fd, seals()).map_err(ShmError::system("F_ADD_SEALS"))?;
        Ok(Segment {
            fd: Some(fd),
            map: Arc::new(map),
        })
    }

    /// What to send to a peer, until [`close_fd`](Self::close_fd).
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(OwnedFd::as_fd)
    }

    /// Closes the descriptor, once it was sent. The memory stays.
    pub(crate) fn close_fd(&mut self) {
        self.fd = None;
    }

    /// The bytes of the file.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The memory, writable.
    pub(crate) fn map(&self) -> &Arc<Mapping> {
        &self.map
    }
}

/// An empty memory file that can be sealed.
fn unsealed(name: &str) -> Result<OwnedFd, ShmError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // Kernels before 6.3 do not know the flag.
        Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags),
        made => made,
    }
    .map_err(ShmError::system("memfd_create"))
}

/// A memory file of the peer, mapped read-only. The peer may write it at any time.
#[derive(Debug)]
pub(crate) struct PeerSegment {
    map: Arc<Mapping>,
}

impl PeerSegment {
    /// Checks a descriptor that came from a peer, maps its file and closes it.
    ///
    /// `announced` is what the peer said of its size, `limit` the most that we map.
    pub(crate) fn adopt(
        fd: OwnedFd,
        announced: u64,
        limit: u64,
        mirror_from: Option<usize>,
    ) -> Result<PeerSegment, ShmError> {
        let len = check(fd.as_fd(), announced, limit, mirror_from)?;
        let map = Mapping::new(fd.as_fd(), len, mirror_from, Access::Read)?;
        Ok(PeerSegment { map: Arc::new(map) })
    }

    /// The bytes of the file.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The memory, to be read only, and through `copy` or atomic words only: the peer may be writing it.
    pub(crate) fn map(&self) -> &Arc<Mapping> {
        &self.map
    }
}

/// Everything that must hold before a peer's file is mapped. Returns its size.
fn check(
    fd: BorrowedFd<'_>,
    announced: u64,
    limit: u64,
    mirror_from: Option<usize>,
) -> Result<usize, ShmError> {
    // First, because the size below is final only if the seals were there before it was read, and because this call
    // asks no file system, which could keep us waiting: only files in memory have all four. Bits are tested and not
    // errors: a plain file in /dev/shm has no error here, but one seal.
    let found = match rustix::fs::fcntl_get_seals(fd) {
        Err(Errno::INVAL) => SealFlags::empty(),
        found => found.map_err(ShmError::system("F_GET_SEALS"))?,
    };
    let missing = seals().difference(found);
    if !missing.is_empty() {
        return Err(ShmError::NotSealed {
            missing: missing.bits(),
        });
    }
    let stat = rustix::fs::fstat(fd).map_err(ShmError::system("fstat"))?;
    let system = rustix::fs::fstatfs(fd).map_err(ShmError::system("fstatfs"))?;
    if system.f_type as u64 != TMPFS_MAGIC {
        return Err(ShmError::NotTmpfs);
    }
    let size = stat.st_size as u64;
    if size != announced {
        return Err(ShmError::WrongSize {
            announced,
            found: size,
        });
    }
    let page = rustix::param::page_size() as u64;
    let least = mirror_from.map_or(1, |from| from as u64 + 1);
    match usize::try_from(size) {
        Ok(len) if size.is_multiple_of(page) && size >= least && size <= limit => Ok(len),
        _ => Err(ShmError::SizeNotAllowed { size, limit }),
    }
}
