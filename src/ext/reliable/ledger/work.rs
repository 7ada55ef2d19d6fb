//! What the store is asked to do, and what it answers.

use crate::ext::store::{Changes, Limit, Order, Row, Store, StoreError};

/// Rows of a page.
const ROWS: usize = 256;
/// Bytes of a page, unless a single row is larger.
const BYTES: usize = 1024 * 1024;

/// One thing to do.
#[derive(Debug)]
pub(in crate::ext::reliable) enum Work {
    /// To be committed.
    Commit { batch: u64, changes: Changes },
    /// To be read.
    Ask {
        question: Question,
        from: Vec<u8>,
        to: Vec<u8>,
    },
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ext::reliable) enum Question {
    /// More of a queue.
    Page { peer: usize, priority: u8 },
    /// What is held back until now.
    Delayed,
    /// What expires until now: rows of the index, each followed by the row it speaks of (without value if there is none).
    Expired,
}

/// What came of it.
#[derive(Debug)]
pub(in crate::ext::reliable) enum Answer {
    Committed {
        batch: u64,
        result: Result<(), StoreError>,
    },
    Rows {
        question: Question,
        result: Result<Vec<Row>, StoreError>,
    },
}

/// Does it.
pub(in crate::ext::reliable) fn perform(work: Work, store: &mut dyn Store) -> Answer {
    match work {
        Work::Commit { batch, changes } => Answer::Committed {
            batch,
            result: store.commit(&changes),
        },
        Work::Ask { question, from, to } => Answer::Rows {
            question,
            result: ask(question, &from, &to, store),
        },
    }
}

fn ask(
    question: Question,
    from: &[u8],
    to: &[u8],
    store: &mut dyn Store,
) -> Result<Vec<Row>, StoreError> {
    let limit = Limit {
        rows: ROWS,
        bytes: BYTES,
    };
    let rows = store.scan(from..to, Order::Forward, limit)?;
    if question != Question::Expired {
        return Ok(rows);
    }
    let mut all = Vec::with_capacity(2 * rows.len());
    for (key, target) in rows {
        let value = store.get(&target)?.unwrap_or_default();
        all.push((key, Vec::new()));
        all.push((target, value));
    }
    Ok(all)
}
