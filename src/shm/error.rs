//! Why a piece of shared memory is not to be had, or no longer to be trusted.
//!
//! Two kinds that never mix: a [`ShmError`] says why memory was not made or not accepted (the link then stays
//! what it was), a [`Violation`] says that a peer wrote something impossible into memory that was accepted
//! (the link ends). One variant a cause; nothing here is a reason to panic.

use std::fmt;
use std::io;

use rustix::fs::SealFlags;
use rustix::io::Errno;

/// Why shared memory was not made, or not accepted from a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ShmError {
    /// The file is not in the kernel's own memory file system: pages of other files may fail when touched.
    NotTmpfs,
    /// The file has another size than its sender said.
    WrongSize {
        /// The size that was said, in bytes.
        announced: u64,
        /// The size of the file, in bytes.
        found: u64,
    },
    /// The size is what was said, but not whole pages, above the limit, or too small to hold what must be in it.
    SizeNotAllowed {
        /// The size of the file, in bytes.
        size: u64,
        /// The largest one allowed, in bytes.
        limit: u64,
    },
    /// The file could still be shrunk, grown, written by others or sealed further.
    NotSealed {
        /// The seals that are missing, as bits (`F_SEAL_*`).
        missing: u32,
    },
    /// The operating system refused a call.
    System {
        /// The call.
        what: &'static str,
        /// Its error number.
        errno: i32,
    },
    /// The process may not make files of this size (`RLIMIT_FSIZE`); trying would end it by SIGXFSZ.
    FileSizeLimit,
    /// Our own mistake: a size or place that makes no sense.
    BadParameter(&'static str),
}

impl ShmError {
    /// For `map_err`: the error of a call of this name.
    pub(super) fn system(what: &'static str) -> impl FnOnce(Errno) -> ShmError {
        move |errno| ShmError::System {
            what,
            errno: errno.raw_os_error(),
        }
    }
}

impl fmt::Display for ShmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTmpfs => write!(f, "the file is not in memory (tmpfs)"),
            Self::WrongSize { announced, found } => {
                write!(f, "the file has {found} bytes instead of {announced}")
            }
            Self::SizeNotAllowed { size, limit } => write!(
                f,
                "a file of {size} bytes is not allowed: it must be whole pages, hold its own head and have at \
                 most {limit} bytes"
            ),
            Self::NotSealed { missing } => {
                let missing = SealFlags::from_bits_retain(*missing);
                write!(f, "the file is not sealed: {missing:?} missing")
            }
            Self::System { what, errno } => {
                let error = io::Error::from_raw_os_error(*errno);
                write!(f, "{what} failed: {error}")
            }
            Self::FileSizeLimit => write!(
                f,
                "the limit on the size of files (RLIMIT_FSIZE) is too low for shared memory"
            ),
            Self::BadParameter(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for ShmError {}

/// The peer wrote something impossible into the shared memory, or rang the bell in an impossible way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) &'static str);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "impossible content of shared memory: {}", self.0)
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_was_found() {
        let cases = [
            (
                ShmError::WrongSize {
                    announced: 8192,
                    found: 4096,
                },
                "the file has 4096 bytes instead of 8192",
            ),
            (
                ShmError::NotSealed { missing: 2 | 4 },
                "the file is not sealed: SealFlags(SHRINK | GROW) missing",
            ),
            (
                ShmError::system("mmap")(Errno::NOMEM),
                "mmap failed: Cannot allocate memory (os error 12)",
            ),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }
}
