//! What can be chosen when a SQLite store is opened.

use std::time::Duration;

/// When what was committed goes to the disk. In all cases a commit survives the process, and the file stays whole when the
/// machine fails: what may be lost then is the last commits, in the order of their making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Sync {
    /// With every commit. The default.
    #[default]
    EveryCommit,
    /// With every [`Store::sync`](crate::ext::store::Store::sync), for which whoever owns the store calls at least so often.
    Every(Duration),
    /// When the system likes.
    Never,
}

/// What is checked before a SQLite store is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Check {
    /// That the file is a store, and nothing else. Takes the same time whatever the size.
    None,
    /// Also that all pages hang together. Reads the file once. The default.
    #[default]
    Quick,
    /// Also that index and rows agree and no bit of a row has changed. Reads the file twice.
    Full,
}
