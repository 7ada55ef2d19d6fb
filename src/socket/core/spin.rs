//! Whether a caller looks for a while before it sleeps: pure.
//!
//! Being woken costs tens of microseconds, so looking is worth up to about as much, where something comes in that
//! time. Where nothing does it is tried less and less often: after `n` fruitless tries in a row once in 2^n waits.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

/// With [`Spin::Auto`](crate::config::Spin::Auto): about twice what waking a thread on another processor takes.
const AUTO: Duration = Duration::from_micros(50);
/// Fruitless tries that change nothing.
const PATIENCE: u32 = 3;
/// At least one wait in so many (as a power of two) is tried.
const RAREST: u32 = 7;
/// One wait in so many finds out whether giving the processor away first is still right.
const DOUBT: u32 = 16;

/// Leave to look for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leave {
    pub(super) budget: Duration,
    /// Whether the processor is given away before the first look.
    pub(super) way_first: bool,
}

/// How long [`Spin::Auto`](crate::config::Spin::Auto) is on this machine: not at all with one processor. Which of
/// several the process may use does not matter, because the peer may use others; where it may not, looking gives the
/// processor away in between.
pub(super) fn auto_budget() -> Duration {
    if processors() > 1 {
        AUTO
    } else {
        Duration::ZERO
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
    /// What was waited for came when the processor had been given away, as if its sender needed that one.
    crowded: bool,
}

impl Spinner {
    /// Whether this wait should begin with looking.
    pub(super) fn is_worthwhile(&mut self) -> bool {
        self.waits = self.waits.wrapping_add(1);
        let doubt = self.misses.saturating_sub(PATIENCE).min(RAREST);
        self.waits.is_multiple_of(1 << doubt)
    }

    /// Whether to give the processor away before the first look, which would be in vain.
    pub(super) fn gives_way_first(&self) -> bool {
        self.crowded && !self.waits.is_multiple_of(DOUBT)
    }

    /// Something came while looking, after the processor was given away so many times.
    pub(super) fn hit(&mut self, given_away: u32) {
        self.misses = 0;
        match given_away {
            0 => self.crowded = false,
            1 => self.crowded = true,
            _ => {}
        }
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
        spinner.hit(0);
        assert!((0..100).all(|_| spinner.is_worthwhile()));
    }

    #[test]
    fn way_is_given_first_where_that_brought_it_and_now_and_then_doubted() {
        let mut spinner = Spinner::default();
        let firsts = |spinner: &mut Spinner, given_away: [u32; 2]| {
            let mut firsts = 0;
            for _ in 0..160 {
                assert!(spinner.is_worthwhile());
                let first = spinner.gives_way_first();
                firsts += u32::from(first);
                spinner.hit(given_away[usize::from(first)]);
            }
            firsts
        };
        assert_eq!(firsts(&mut spinner, [0, 1]), 0, "the peer has a processor");
        let shared = firsts(&mut spinner, [1, 1]);
        assert!((149..=150).contains(&shared), "it does not: {shared}");
        let alone = firsts(&mut spinner, [0, 1]);
        assert!(alone < 16, "it has one again: {alone}");
    }
}
