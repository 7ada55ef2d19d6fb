//! Endpoints that nobody else uses.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The transports that both sides know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// TCP over the loopback address.
    Tcp,
    /// A Unix domain socket at a path.
    Ipc,
}

impl Wire {
    /// Both.
    pub const ALL: [Wire; 2] = [Wire::Tcp, Wire::Ipc];
}

/// An endpoint to bind: a free port, or a path of its own.
pub fn fresh_endpoint(wire: Wire) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    match wire {
        Wire::Tcp => "tcp://127.0.0.1:*".to_owned(),
        Wire::Ipc => {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("taipan-{}-{number}.sock", std::process::id());
            format!("ipc://{}", std::env::temp_dir().join(name).display())
        }
    }
}
