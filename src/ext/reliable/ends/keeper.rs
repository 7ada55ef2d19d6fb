//! The thread that keeps the store: one commit or question at a time. While one runs, the next batch grows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Core;
use crate::ext::reliable::engine::Time;
use crate::ext::reliable::ledger::perform;
use crate::ext::store::{Durability, Store};

/// Runs until the messenger is closed and everything is stored.
pub(super) fn keep(core: &Arc<Core>, mut store: Box<dyn Store>) {
    let every = match store.durability() {
        Durability::Machine(every) => every,
        _ => None,
    };
    let mut unsynced: Option<Instant> = None;
    loop {
        let sync_at = every.zip(unsynced).map(|(every, since)| since + every);
        let mut state = core.lock();
        let work = loop {
            let ending = state.ending;
            if ending {
                state.engine.commit_now();
            }
            if let Some(work) = state.engine.next_work(core.now()) {
                break Some(work);
            }
            let failing = state.engine.store_fails();
            if ending && (failing || state.engine.work_due().is_none()) {
                break None;
            }
            let due = state.engine.work_due();
            let sync = sync_at.map(|at| at.saturating_duration_since(Instant::now()));
            if sync.is_some_and(|left| left.is_zero()) {
                break None;
            }
            let until = [due, sync.map(|left| core.now().after(left))];
            let until = until.into_iter().flatten().min();
            core.wait_for_work(&mut state, until);
        };
        let ending = state.ending;
        drop(state);
        let Some(work) = work else {
            sync(core, &mut *store);
            unsynced = None;
            if ending {
                break;
            }
            continue;
        };
        let answer = perform(work, &mut *store);
        if every.is_some() {
            unsynced.get_or_insert_with(Instant::now);
        }
        if let (Some(every), Some(since)) = (every, unsynced)
            && since.elapsed() >= every
        {
            sync(core, &mut *store);
            unsynced = None;
        }
        core.with(|state, now| state.engine.answered(answer, now));
    }
    drop(store);
    let mut state = core.lock();
    state.kept = true;
    drop(state);
    core.room.notify(usize::MAX);
}

/// What was committed is on disk afterwards; or it is told that it may not be.
fn sync(core: &Core, store: &mut dyn Store) {
    if let Err(error) = store.sync() {
        core.with(|state, _| state.engine.store_failed(error));
    }
}

/// How far a clock may be off before it counts as set.
pub(super) const STEP: Duration = Duration::from_secs(60);

/// Whether the clock of the system was set since: by how much, and whether back.
pub(super) fn stepped(wall: u64, now: Time, known: &mut i64) -> Option<(Duration, bool)> {
    let off = wall as i64 - now.0 as i64;
    let by = off - *known;
    if by.unsigned_abs() < STEP.as_micros() as u64 {
        return None;
    }
    *known = off;
    Some((Duration::from_micros(by.unsigned_abs()), by < 0))
}
