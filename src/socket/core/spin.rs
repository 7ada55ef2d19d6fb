//! Whether a caller looks for a while before it sleeps: pure.
//!
//! Being woken costs tens of microseconds, so looking is worth up to about as much, where something comes in that
//! time. Where nothing does it is tried less and less often: after `n` fruitless tries in a row once in 2^n waits.
//! No more callers of a process look at a time than there are processors: they would keep each other, and those whom
//! they wait for, from running.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// With [`Spin::Auto`](crate::config::Spin::Auto): about twice what waking a thread on another processor takes.
const AUTO: Duration = Duration::from_micros(50);
/// Fruitless tries that change nothing.
const PATIENCE: u32 = 3;
/// At least one wait in so many (as a power of two) is tried.
const RAREST: u32 = 7;

/// Callers of this process that look, with [`Spin::Auto`](crate::config::Spin::Auto).
static LOOKERS: AtomicUsize = AtomicUsize::new(0);

/// Leave to look for a while. Dropped when the looking is over.
#[derive(Debug)]
pub(super) struct Leave {
    pub(super) budget: Duration,
    counts: bool,
}

impl Leave {
    /// For as long as the user says.
    pub(super) fn given(budget: Duration) -> Option<Leave> {
        let counts = false;
        (!budget.is_zero()).then_some(Leave { budget, counts })
    }

    /// For [`Spin::Auto`](crate::config::Spin::Auto): none with one processor, nor while as many look already as there
    /// are processors. Which of several the process may use does not matter, because the peer may use others; where
    /// it may not, looking gives the processor away in between.
    pub(super) fn auto() -> Option<Leave> {
        let processors = processors();
        if processors < 2 || LOOKERS.load(Ordering::Relaxed) >= processors {
            return None;
        }
        LOOKERS.fetch_add(1, Ordering::Relaxed);
        Some(Leave {
            budget: AUTO,
            counts: true,
        })
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if self.counts {
            LOOKERS.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Processors that are running.
fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| {
        std::fs::read_to_string("/sys/devices/system/cpu/online")
            .ok()
            .and_then(|list| count(list.trim()))
            .or_else(|| Some(thread::available_parallelism().ok()?.get()))
            .unwrap_or(1)
    })
}

/// How many numbers a list such as `0-3,5` has.
fn count(list: &str) -> Option<usize> {
    list.split(',').try_fold(0, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(sum + last.checked_sub(first)? + 1)
    })
}

/// What waiting by looking has brought lately.
#[derive(Debug, Default)]
pub(super) struct Spinner {
    misses: u32,
    waits: u32,
}

impl Spinner {
    /// Whether this wait should begin with looking.
    pub(super) fn is_worthwhile(&mut self) -> bool {
        self.waits = self.waits.wrapping_add(1);
        let doubt = self.misses.saturating_sub(PATIENCE).min(RAREST);
        self.waits.is_multiple_of(1 << doubt)
    }

    /// Something came while looking.
    pub(super) fn hit(&mut self) {
        self.misses = 0;
    }

    /// Nothing did.
    pub(super) fn miss(&mut self) {
        self.misses = self.misses.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted() {
        assert_eq!(count("0"), Some(1));
        assert_eq!(count("0-1"), Some(2));
        assert_eq!(count("0-3,5,8-9"), Some(7));
        assert_eq!(count(""), None);
        assert_eq!(count("3-1"), None);
    }

    #[test]
    fn it_is_tried_less_and_less_but_never_given_up() {
        let mut spinner = Spinner::default();
        let mut tries = 0;
        for _ in 0..10_000 {
            if spinner.is_worthwhile() {
                tries += 1;
                spinner.miss();
            }
        }
        let rarest = 10_000 / (1 << RAREST);
        assert!(tries >= rarest && tries < rarest + 20, "{tries}");
        while !spinner.is_worthwhile() {}
        spinner.hit();
        assert!((0..100).all(|_| spinner.is_worthwhile()));
    }
}
