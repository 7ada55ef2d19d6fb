//! How the peers wait that have nothing to sleep on.

/// Looks again and again: at once for a while, then letting others run between looks.
///
/// Without the second part two spinning ends on one CPU would wait out each other's time slices.
pub struct Spin {
    looks: u32,
}

/// Looks before the first yield: some microseconds.
const PATIENCE: u32 = 200;

impl Spin {
    pub fn new() -> Self {
        Spin { looks: 0 }
    }

    #[inline]
    pub fn again(&mut self) {
        if self.looks < PATIENCE {
            self.looks += 1;
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}
