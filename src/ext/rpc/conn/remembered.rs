//! Which calls of which caller have run, so that one that comes twice runs once. Pure, time passed in.
//!
//! ```text
//!   floor                                        every number below has been seen, or never will be; its answer is forgotten
//!     |  answer | running | not seen | answer .. from there on what is known of each
//! ```
//! The floor rises when the caller says that it has the answers, or when too many calls are known: then what comes again
//! below it is refused, and never run. When answers take too many bytes the oldest are forgotten, but not that they ran:
//! a call with a smaller number may still be on its way.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::message::Message;

/// Calls of one caller whose answers are kept.
const CALLS: usize = 16 * 1024;
/// Bytes of answers of one caller that are kept.
const BYTES: usize = 16 * 1024 * 1024;
/// Bytes of answers of all callers that are kept.
const ALL_BYTES: usize = 64 * 1024 * 1024;
/// How long a caller that went away is remembered.
const PATIENCE: Duration = Duration::from_secs(120);
/// Callers that are remembered; of those that went away the oldest are forgotten first.
const CALLERS: usize = 16 * 1024;

/// What is known of a call that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It has to run.
    New,
    /// It runs, and will be answered.
    Running,
    /// It has run.
    Answered(Message),
    /// It has run, or runs, and what came of it is not known any more.
    Forgotten,
}

#[derive(Debug, Clone)]
enum Seen {
    Running,
    Answered(Message),
    Forgotten,
}

#[derive(Default)]
struct Caller {
    /// Who it says it is. Who says nothing never comes back as the same.
    instance: Option<[u8; 16]>,
    floor: u64,
    calls: BTreeMap<u64, Seen>,
    bytes: usize,
    /// No answer below this is kept.
    answers_from: u64,
    gone: Option<Instant>,
}

/// All callers of a server.
#[derive(Default)]
pub(super) struct Remembered {
    callers: HashMap<Box<[u8]>, Caller>,
    /// Bytes of the answers of all.
    bytes: usize,
}

impl Remembered {
    /// A caller says who it is; `true` if it is another one than before, of which nothing is known then.
    pub(super) fn hello(&mut self, caller: &[u8], instance: [u8; 16], now: Instant) -> bool {
        let known = self.callers.contains_key(caller);
        let same = self
            .callers
            .get(caller)
            .is_some_and(|caller| caller.instance == Some(instance));
        if same {
            return false;
        }
        self.make_room(now);
        let fresh = Caller {
            instance: Some(instance),
            ..Caller::default()
        };
        let before = self.callers.insert(caller.into(), fresh);
        self.bytes -= before.map_or(0, |before| before.bytes);
        known
    }

    /// A call arrived; the caller has the answers of all below `answered`.
    pub(super) fn begin(&mut self, caller: &[u8], id: u64, answered: u64, now: Instant) -> Known {
        if !self.callers.contains_key(caller) {
            self.make_room(now);
            self.callers.insert(caller.into(), Caller::default());
        }
        let Some(caller) = self.callers.get_mut(caller) else {
            return Known::New;
        };
        caller.gone = None;
        self.bytes -= caller.raise(answered.min(id));
        if id < caller.floor {
            return Known::Forgotten;
        }
        match caller.calls.get(&id) {
            Some(Seen::Running) => return Known::Running,
            Some(Seen::Answered(message)) => return Known::Answered(message.clone()),
            Some(Seen::Forgotten) => return Known::Forgotten,
            None => {}
        }
        caller.calls.insert(id, Seen::Running);
        if caller.calls.len() > CALLS {
            self.bytes -= caller.forget_first();
        }
        Known::New
    }

    /// What came of it.
    pub(super) fn finish(&mut self, name: &[u8], id: u64, answer: &Message) {
        let Some(caller) = self.callers.get_mut(name) else {
            return;
        };
        let Some(call) = caller.calls.get_mut(&id) else {
            return;
        };
        let mut freed = 0;
        if let Seen::Answered(before) = std::mem::replace(call, Seen::Answered(answer.clone())) {
            freed += before.byte_len();
        }
        caller.bytes = caller.bytes + answer.byte_len() - freed;
        caller.answers_from = caller.answers_from.min(id);
        while caller.bytes > BYTES {
            freed += caller.forget_answer();
        }
        self.bytes = self.bytes + answer.byte_len() - freed;
        while self.bytes > ALL_BYTES && self.forget_something(name) {}
    }

    /// Makes room: a caller that went away is forgotten, or else the oldest answer of this one.
    fn forget_something(&mut self, name: &[u8]) -> bool {
        if self.forget_longest_gone() {
            return true;
        }
        let Some(caller) = self.callers.get_mut(name) else {
            return false;
        };
        self.bytes -= caller.forget_answer();
        caller.bytes > 0
    }

    fn forget_longest_gone(&mut self) -> bool {
        let gone = self.callers.iter();
        let gone = gone.filter_map(|(name, caller)| Some((caller.gone?, name)));
        let Some(longest) = gone.min().map(|(_, name)| name.clone()) else {
            return false;
        };
        self.remove(&longest);
        true
    }

    fn remove(&mut self, name: &[u8]) {
        let caller = self.callers.remove(name);
        self.bytes -= caller.map_or(0, |caller| caller.bytes);
    }

    /// The caller's link ended; `true` if it will not come back as the same, and is forgotten.
    pub(super) fn gone(&mut self, name: &[u8], now: Instant) -> bool {
        match self.callers.get_mut(name) {
            Some(caller) if caller.instance.is_some() => {
                caller.gone = Some(now);
                false
            }
            _ => {
                self.remove(name);
                true
            }
        }
    }

    fn make_room(&mut self, now: Instant) {
        if self.callers.len() < CALLERS {
            return;
        }
        let before = self.callers.len();
        let bytes = &mut self.bytes;
        self.callers.retain(|_, caller| {
            let kept = caller
                .gone
                .is_none_or(|since| now.duration_since(since) < PATIENCE);
            *bytes -= if kept { 0 } else { caller.bytes };
            kept
        });
        if self.callers.len() == before {
            self.forget_longest_gone();
        }
    }
}

impl Caller {
    /// Forgets all calls below; how many bytes that freed.
    fn raise(&mut self, floor: u64) -> usize {
        let mut freed = 0;
        while self
            .calls
            .first_key_value()
            .is_some_and(|(id, _)| *id < floor)
        {
            freed += self.forget_first();
        }
        self.floor = self.floor.max(floor);
        freed
    }

    /// Forgets the first call that is known; how many bytes that freed.
    fn forget_first(&mut self) -> usize {
        let Some((id, call)) = self.calls.pop_first() else {
            return 0;
        };
        self.floor = id.saturating_add(1);
        let freed = match call {
            Seen::Answered(message) => message.byte_len(),
            Seen::Running | Seen::Forgotten => 0,
        };
        self.bytes -= freed;
        freed
    }

    /// Forgets the first answer that is kept, not that the call has run; how many bytes that freed.
    fn forget_answer(&mut self) -> usize {
        for (id, call) in self.calls.range_mut(self.answers_from..) {
            if let Seen::Answered(message) = call {
                let freed = message.byte_len();
                (*call, self.answers_from) = (Seen::Forgotten, *id);
                self.bytes -= freed;
                return freed;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &'static str) -> Message {
        Message::from(text)
    }

    #[test]
    fn what_comes_twice_runs_once() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        assert_eq!(remembered.begin(b"a", 5, 0, now), Known::New);
        assert_eq!(remembered.begin(b"a", 5, 0, now), Known::Running);
        remembered.finish(b"a", 5, &answer("five"));
        assert_eq!(
            remembered.begin(b"a", 5, 0, now),
            Known::Answered(answer("five"))
        );
        assert_eq!(remembered.begin(b"b", 5, 0, now), Known::New);
    }

    #[test]
    fn numbers_may_come_in_any_order_and_with_gaps() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        for id in [10, 12, 11, 20] {
            assert_eq!(remembered.begin(b"a", id, 10, now), Known::New);
        }
        assert_eq!(remembered.begin(b"a", 11, 10, now), Known::Running);
        assert_eq!(remembered.begin(b"a", 15, 10, now), Known::New);
    }

    #[test]
    fn answers_that_arrived_are_forgotten_and_never_run_again() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        remembered.begin(b"a", 0, 0, now);
        remembered.finish(b"a", 0, &answer("zero"));
        assert_eq!(remembered.begin(b"a", 1, 1, now), Known::New);
        assert_eq!(remembered.begin(b"a", 0, 0, now), Known::Forgotten);
        assert_eq!(remembered.callers[&b"a"[..]].bytes, 0);
    }

    #[test]
    fn a_caller_that_never_says_what_it_has_costs_so_much_and_no_more() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        let large = Message::from(vec![0; BYTES / 4]);
        for id in 0..10 {
            assert_eq!(remembered.begin(b"a", id, 0, now), Known::New);
            remembered.finish(b"a", id, &large);
        }
        assert_eq!(remembered.begin(b"a", 0, 0, now), Known::Forgotten);
        assert_eq!(remembered.begin(b"a", 9, 0, now), Known::Answered(large));
        for id in 10..10 + 2 * CALLS as u64 {
            assert_eq!(remembered.begin(b"a", id, 0, now), Known::New);
        }
        assert!(remembered.callers[&b"a"[..]].calls.len() <= CALLS);
    }

    #[test]
    fn a_call_on_its_way_runs_though_answers_of_later_ones_are_forgotten_already() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        let large = Message::from(vec![0; BYTES / 4]);
        for id in 1..100 {
            assert_eq!(remembered.begin(b"a", id, 0, now), Known::New);
            remembered.finish(b"a", id, &large);
        }
        assert_eq!(remembered.begin(b"a", 1, 0, now), Known::Forgotten);
        assert_eq!(remembered.begin(b"a", 0, 0, now), Known::New);
        remembered.finish(b"a", 0, &large);
        // The oldest goes first, whenever it came.
        assert_eq!(remembered.begin(b"a", 0, 0, now), Known::Forgotten);
        assert_eq!(remembered.begin(b"a", 96, 0, now), Known::Answered(large));
    }

    #[test]
    fn a_number_far_ahead_costs_nothing_for_what_lies_between() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        remembered.begin(b"a", 0, 0, now);
        assert_eq!(remembered.begin(b"a", u64::MAX - 1, 0, now), Known::New);
        assert_eq!(remembered.begin(b"a", 1, 0, now), Known::New);
        assert_eq!(remembered.callers[&b"a"[..]].calls.len(), 3);
    }

    #[test]
    fn who_never_said_hello_is_forgotten_with_the_link() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        assert_eq!(remembered.begin(b"a", 0, 0, now), Known::New);
        assert!(remembered.gone(b"a", now));
        assert_eq!(remembered.begin(b"a", 0, 0, now), Known::New);
    }

    #[test]
    fn another_process_of_the_same_name_starts_anew() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        assert!(!remembered.hello(b"a", [1; 16], now));
        assert_eq!(remembered.begin(b"a", 0, 0, now), Known::New);
        assert!(!remembered.gone(b"a", now));
        assert!(!remembered.hello(b"a", [1; 16], now));
        assert_eq!(remembered.begin(b"a", 0, 0, now), Known::Running);
        assert!(remembered.hello(b"a", [2; 16], now));
        assert_eq!(remembered.begin(b"a", 0, 0, now), Known::New);
    }

    #[test]
    fn all_callers_together_cost_so_much_and_no_more() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        let large = Message::from(vec![0; BYTES / 2]);
        let name = |number: u32| number.to_be_bytes();
        let callers = 2 * (ALL_BYTES / BYTES) as u32;
        for number in 0..callers {
            remembered.hello(&name(number), [1; 16], now);
            remembered.begin(&name(number), 0, 0, now);
            remembered.finish(&name(number), 0, &large);
        }
        assert_eq!(remembered.bytes, ALL_BYTES);
        // One that left makes room for another; when nobody has, the newcomer itself is forgotten.
        remembered.gone(&name(3), now);
        for number in [callers, callers + 1] {
            remembered.begin(&name(number), 0, 0, now);
            remembered.finish(&name(number), 0, &large);
        }
        assert_eq!(remembered.bytes, ALL_BYTES);
        assert_eq!(remembered.begin(&name(3), 0, 0, now), Known::New);
        assert_eq!(
            remembered.begin(&name(callers), 0, 0, now),
            Known::Answered(large)
        );
        assert_eq!(
            remembered.begin(&name(callers + 1), 0, 0, now),
            Known::Forgotten
        );
        for number in 0..=callers {
            remembered.begin(&name(number), 1, 1, now);
        }
        assert_eq!(remembered.bytes, 0);
    }

    #[test]
    fn of_too_many_callers_those_that_left_first_are_forgotten() {
        let (mut remembered, now) = (Remembered::default(), Instant::now());
        for number in 0..CALLERS as u32 {
            remembered.hello(&number.to_be_bytes(), [1; 16], now);
            remembered.begin(&number.to_be_bytes(), 0, 0, now);
        }
        remembered.gone(&7_u32.to_be_bytes(), now);
        remembered.gone(&3_u32.to_be_bytes(), now + Duration::from_secs(1));
        remembered.begin(b"another", 0, 0, now + Duration::from_secs(2));
        assert_eq!(remembered.callers.len(), CALLERS);
        assert!(!remembered.callers.contains_key(&7_u32.to_be_bytes()[..]));
        assert!(remembered.callers.contains_key(&3_u32.to_be_bytes()[..]));
    }
}
