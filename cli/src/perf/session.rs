//! All rows of one call, one after the other, and what an interrupt does to them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use taipan::Context;
use tokio::sync::oneshot;

use super::plan::Row;
use super::report::{Report, progress};
use super::run::{Measured, measure};
use super::{chart, plan};
use crate::args::PerfArgs;
use crate::failure::Failure;
use crate::sockets::{Interrupts, block_on};

/// How long an interrupt waits for the row that is running.
const FAREWELL: Duration = Duration::from_secs(1);

/// The context of the row that is running.
type Current = Arc<Mutex<Option<Context>>>;

/// Measures all rows; on a tour draws the chart.
pub fn run(args: &PerfArgs) -> Result<(), Failure> {
    let rows = plan::rows(args)?;
    let (json, quiet, tour) = (args.json, args.quiet, args.test.is_none());
    let current = Current::default();
    let shared = current.clone();
    let (done, finished) = oneshot::channel();
    let thread = thread::Builder::new().name("perf".into()).spawn(move || {
        // Nobody listens any more after an interrupt.
        let _ = done.send(all(&rows, json, quiet, tour, &shared));
    });
    thread.map_err(|error| Failure::because("cannot start a thread", error))?;
    wait(finished, &current)
}

/// Waits for the end, or an interrupt: then for the sockets to be closed and their files to be removed.
fn wait(
    mut finished: oneshot::Receiver<Result<(), Failure>>,
    current: &Current,
) -> Result<(), Failure> {
    block_on(async {
        let mut interrupts = Interrupts::new()?;
        tokio::select! {
            result = &mut finished => {
                return result.unwrap_or_else(|_| Err(Failure::Runtime("the measurement broke down".into())));
            }
            () = interrupts.next() => {}
        }
        if let Ok(current) = current.lock()
            && let Some(context) = &*current
        {
            context.shutdown();
        }
        // Whatever it says: it was interrupted.
        let _ = tokio::time::timeout(FAREWELL, finished).await;
        Err(Failure::Interrupted)
    })
}

fn all(
    rows: &[Row],
    json: bool,
    quiet: bool,
    tour: bool,
    current: &Current,
) -> Result<(), Failure> {
    let mut report = Report::new(json);
    let mut done = Vec::new();
    for row in rows {
        let measured = one(*row, quiet, current)?;
        report.row(&measured)?;
        done.push(measured);
    }
    if tour && !json {
        write!(io::stdout(), "{}", chart::draw(&done)).map_err(Failure::output)?;
    }
    Ok(())
}

fn one(row: Row, quiet: bool, current: &Current) -> Result<Measured, Failure> {
    let bar = progress(row, quiet);
    let context = Context::new();
    if let Ok(mut current) = current.lock() {
        *current = Some(context.clone());
    }
    let measured = measure(row, &context, &bar);
    bar.finish_and_clear();
    if let Ok(mut current) = current.lock() {
        *current = None;
    }
    measured
}
