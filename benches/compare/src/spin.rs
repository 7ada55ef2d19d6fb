//! How the peers wait that have nothing to sleep on.

use std::sync::LazyLock;
use std::thread;

/// Looks again and again: at once for a while, then letting others run between looks.
///
/// Without the second part two spinning ends on one CPU would wait out each other's time slices. A process that may
/// use one CPU only lets others run from the first look on.
pub struct Spin {
    looks: u32,
}

/// Looks before the first yield: some microseconds, or none.
static PATIENCE: LazyLock<u32> = LazyLock::new(|| {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    if cpus > 1 { 200 } else { 0 }
});

impl Spin {
    pub fn new() -> Self {
        Spin { looks: 0 }
    }

    #[inline]
    pub fn again(&mut self) {
        if self.looks < *PATIENCE {
            self.looks += 1;
            std::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}
