//! Sockets for these tests: small rings and pools, fresh paths, and pairs that surely share memory.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use taipan::{Kind, Options, PoolExhausted, Socket};

use crate::common::{options, unique};

/// A small ring, so that pieces happen and it is often full.
pub const RING: usize = 64 * 1024;
/// A small pool, so that it is exhausted.
pub const POOL: usize = 1024 * 1024;

/// Options with a small ring and a small pool, changed.
pub fn small(change: impl FnOnce(&mut Options)) -> Options {
    options(|o| {
        o.shared_memory.ring_bytes = RING;
        o.shared_memory.pool_bytes = POOL;
        o.reconnect_interval = Some(Duration::from_millis(1));
        change(o);
    })
}

/// As [`small`], and large messages wait while the pool is exhausted.
pub fn waiting(change: impl FnOnce(&mut Options)) -> Options {
    small(|o| {
        o.shared_memory.exhausted = PoolExhausted::Wait;
        change(o);
    })
}

/// A directory of one's own, removed with what is in it.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Dir {
        // A process that was killed had perhaps the same number.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_nanos();
        let name = format!("taipan-shm-{}-{}-{now:x}", std::process::id(), unique());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a directory");
        Dir(path)
    }

    /// The address of a name in it.
    pub fn address(&self, name: &str) -> String {
        format!("ipc://{}", self.0.join(name).display())
    }

    /// The names in it.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("a directory");
        let names = entries.map(|entry| entry.expect("a file").file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether all links that are up share memory, and how many those are.
#[track_caller]
pub fn assert_shared<K: Kind>(socket: &Socket<K>, count: usize) {
    let peers = socket.stats().peers;
    let up: Vec<_> = peers.iter().filter(|peer| peer.connected).collect();
    assert_eq!(up.len(), count, "{peers:?}");
    assert!(up.iter().all(|peer| peer.shared_memory), "{peers:?}");
}
