//! Which pages of a pool are free: a best-fit allocator of numbers, which never touches what they stand for.
//!
//! Free neighbours are joined at once, so "the smallest run that is long enough, and the lowest of these" finds any
//! run there is, keeps a pool's touched pages few, and gives the page that came back last out again while it is warm.
//!
//! Invariants: every free page is in exactly one run; no two runs touch; both indexes say the same.
//!
//! Why not a crate: `offset-allocator` takes constant time, but sorts its free runs by rounded sizes. A request is
//! rounded up and a run down, so a run of 100 pages cannot serve a request for 100, nor the empty pool one for all
//! of it. Here a take costs two look-ups in trees that are mostly tiny, for a chunk whose copying costs far more.

use std::collections::{BTreeMap, BTreeSet};

/// The free pages out of a fixed number.
#[derive(Debug)]
pub(crate) struct Pages {
    /// Where each run of free pages begins, and how long it is.
    runs: BTreeMap<u32, u32>,
    /// The same as (length, begin).
    by_length: BTreeSet<(u32, u32)>,
    free: u32,
}

impl Pages {
    /// So many pages, all of them free.
    pub(crate) fn new(count: u32) -> Self {
        let mut pages = Pages {
            runs: BTreeMap::new(),
            by_length: BTreeSet::new(),
            free: 0,
        };
        pages.give_back(0, count);
        pages
    }

    /// How many pages are free, in one run or many.
    pub(crate) fn free(&self) -> u32 {
        self.free
    }

    /// Takes `count` neighbouring pages; where they begin. `None` if there is no such run, and for no pages.
    pub(crate) fn take(&mut self, count: u32) -> Option<u32> {
        if count == 0 {
            return None;
        }
        let (length, begin) = self.by_length.range((count, 0)..).next().copied()?;
        self.remove(begin, length);
        self.insert(begin + count, length - count);
        Some(begin)
    }

    /// Gives back pages that were taken: all of a take, or any part of it once.
    pub(crate) fn give_back(&mut self, begin: u32, count: u32) {
        let (mut begin, mut count) = (begin, count);
        debug_assert!(self.is_taken(begin, count), "{begin} + {count} twice");
        if let Some(after) = self.runs.get(&(begin + count)).copied() {
            self.remove(begin + count, after);
            count += after;
        }
        if let Some((before, length)) = self.run_before(begin)
            && before + length == begin
        {
            self.remove(before, length);
            (begin, count) = (before, count + length);
        }
        self.insert(begin, count);
    }

    fn run_before(&self, page: u32) -> Option<(u32, u32)> {
        let run = self.runs.range(..page).next_back();
        run.map(|(begin, length)| (*begin, *length))
    }

    fn is_taken(&self, begin: u32, count: u32) -> bool {
        let last = self.run_before(begin + count);
        last.is_none_or(|(run, length)| run + length <= begin)
    }

    /// Nothing, if the run is empty.
    fn insert(&mut self, begin: u32, length: u32) {
        if length > 0 {
            self.runs.insert(begin, length);
            self.by_length.insert((length, begin));
            self.free += length;
        }
    }

    fn remove(&mut self, begin: u32, length: u32) {
        self.runs.remove(&begin);
        self.by_length.remove(&(length, begin));
        self.free -= length;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_smallest_run_that_fits_is_taken() {
        let mut pages = Pages::new(100);
        let (small, _wall) = (pages.take(10), pages.take(1));
        let (large, _wall) = (pages.take(20), pages.take(1));
        assert_eq!((small, large), (Some(0), Some(11)));
        pages.give_back(11, 20);
        pages.give_back(0, 10);
        assert_eq!(pages.take(10), Some(0), "the run that it fits exactly");
        assert_eq!(pages.take(12), Some(11));
        assert_eq!(pages.take(8), Some(23), "the rest of that");
    }

    #[test]
    fn nothing_is_rounded_up() {
        let mut pages = Pages::new(1001);
        assert_eq!(pages.take(1002), None);
        assert_eq!(pages.take(1001), Some(0));
        assert_eq!((pages.take(1), pages.free()), (None, 0));
        pages.give_back(0, 1001);
        assert_eq!((pages.take(0), pages.free()), (None, 1001));
    }

    #[test]
    fn an_empty_set_has_nothing() {
        let mut pages = Pages::new(0);
        assert_eq!((pages.take(1), pages.free()), (None, 0));
    }

    const ALL: u32 = 64;

    #[derive(Clone, Debug)]
    enum Step {
        Take(u32),
        /// Gives back one of the takes, or its end from some page on.
        GiveBack {
            which: prop::sample::Index,
            keep: Option<prop::sample::Index>,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        let keep = prop::option::of(any::<prop::sample::Index>());
        prop_oneof![
            (1..ALL / 3).prop_map(Step::Take),
            (any::<prop::sample::Index>(), keep)
                .prop_map(|(which, keep)| Step::GiveBack { which, keep }),
        ]
    }

    /// The longest row of free pages.
    fn longest(taken: &[bool]) -> usize {
        let rows = taken.split(|taken| *taken);
        rows.map(<[bool]>::len).max().unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 16 } else { 512 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// The oracle is a row of flags.
        #[test]
        fn pages_are_given_to_one_at_a_time(steps in prop::collection::vec(step(), 0..200)) {
            let mut pages = Pages::new(ALL);
            let mut taken = [false; ALL as usize];
            let mut takes: Vec<(u32, u32)> = Vec::new();
            for step in steps {
                match step {
                    Step::Take(count) => match pages.take(count) {
                        Some(begin) => {
                            let row = &mut taken[begin as usize..(begin + count) as usize];
                            prop_assert!(row.iter().all(|taken| !taken), "given twice");
                            row.fill(true);
                            takes.push((begin, count));
                        }
                        None => prop_assert!(longest(&taken) < count as usize, "there was room"),
                    },
                    Step::GiveBack { .. } if takes.is_empty() => {}
                    Step::GiveBack { which, keep } => {
                        let at = which.index(takes.len());
                        let (begin, count) = takes.swap_remove(at);
                        let keep = keep.map_or(0, |keep| keep.index(count as usize) as u32);
                        if keep > 0 {
                            takes.push((begin, keep));
                        }
                        pages.give_back(begin + keep, count - keep);
                        taken[(begin + keep) as usize..(begin + count) as usize].fill(false);
                    }
                }
                let free = taken.iter().filter(|taken| !**taken).count();
                prop_assert_eq!(pages.free() as usize, free);
            }
            for (begin, count) in takes {
                pages.give_back(begin, count);
            }
            prop_assert_eq!(pages.take(ALL), Some(0), "one run again");
        }
    }
}
