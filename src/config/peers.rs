//! Who is at the other end of a local connection, and who may be.
//!
//! The system vouches for the numbers: they are those of the process that connected, or began to listen. What it is
//! not: a security mechanism (`security.rs`), which works over any transport.

use std::fmt;

/// The process at the other end of a local connection, as the system knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerCredentials {
    /// Its process id, as seen from here; 0 where the system does not say (it is in another pid namespace).
    pub pid: i32,
    /// Its effective user id.
    pub uid: u32,
    /// Its effective group id.
    pub gid: u32,
}

impl fmt::Display for PeerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PeerCredentials { pid, uid, gid } = self;
        write!(f, "process {pid} of user {uid} and group {gid}")
    }
}

/// Who may be at the other end of an `ipc://` connection; see [`Options::ipc_peers`](super::Options::ipc_peers).
///
/// Anybody while all lists are empty. Else a peer has to be in one of them; which one does not matter.
///
/// ```
/// use taipan::{IpcPeers, PeerCredentials};
///
/// let ours = IpcPeers { users: vec![0, 1000], ..IpcPeers::default() };
/// assert!(ours.allow(Some(PeerCredentials { pid: 7, uid: 1000, gid: 5 })));
/// assert!(!ours.allow(Some(PeerCredentials { pid: 7, uid: 1001, gid: 1000 })));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IpcPeers {
    /// User ids (`ZMQ_IPC_FILTER_UID`).
    pub users: Vec<u32>,
    /// Group ids (`ZMQ_IPC_FILTER_GID`); the peer's effective group counts, not further groups of its user.
    pub groups: Vec<u32>,
    /// Process ids (`ZMQ_IPC_FILTER_PID`).
    pub processes: Vec<i32>,
}

impl IpcPeers {
    /// Whether a peer is let in. One that the system says nothing about is let in only where anybody is.
    pub fn allow(&self, peer: Option<PeerCredentials>) -> bool {
        let anybody = self.users.is_empty() && self.groups.is_empty() && self.processes.is_empty();
        let listed = |peer: PeerCredentials| {
            self.users.contains(&peer.uid)
                || self.groups.contains(&peer.gid)
                || (peer.pid != 0 && self.processes.contains(&peer.pid))
        };
        anybody || peer.is_some_and(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerCredentials = PeerCredentials {
        pid: 70,
        uid: 80,
        gid: 90,
    };

    fn allowed(change: impl FnOnce(&mut IpcPeers)) -> bool {
        let mut peers = IpcPeers::default();
        change(&mut peers);
        peers.allow(Some(PEER))
    }

    #[test]
    fn a_match_in_any_list_suffices() {
        assert!(allowed(|_| ()));
        assert!(allowed(|p| p.users = vec![1, 80]));
        assert!(allowed(|p| (p.users, p.groups) = (vec![1], vec![90])));
        assert!(allowed(|p| (p.users, p.processes) = (vec![1], vec![70])));
    }

    #[test]
    fn a_number_counts_in_its_own_list_only() {
        assert!(!allowed(|p| p.users = vec![70, 90]));
        assert!(!allowed(|p| p.groups = vec![70, 80]));
        assert!(!allowed(|p| p.processes = vec![80, 90]));
    }

    #[test]
    fn who_is_not_known_is_nobody_in_particular() {
        assert!(IpcPeers::default().allow(None));
        let peers = IpcPeers {
            processes: vec![0],
            ..IpcPeers::default()
        };
        assert!(!peers.allow(None));
        let hidden = PeerCredentials { pid: 0, ..PEER };
        assert!(!peers.allow(Some(hidden)));
    }
}
