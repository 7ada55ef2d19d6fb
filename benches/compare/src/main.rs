//! taipan beside its peers: the same messages, two processes, one run, repetitions interleaved, medians with spread.
//!
//! `cargo run --release --manifest-path benches/compare/Cargo.toml -- --help`
//!
//! This program runs itself again for both ends of each run (`job.rs`), so that each begins with a clean slate and can
//! be bound to a CPU as a whole; the process that was started waits meanwhile. What is measured is a table
//! (`cells.rs`), who takes part is a folder (`peers/`), and what every message has to go through is the same for all
//! (`payload.rs`, `drive.rs`). Nothing here judges a figure: it only prints them (`report.rs`, `json.rs`).

mod args;
mod cells;
mod drive;
mod job;
mod json;
mod lines;
mod meter;
mod payload;
mod peers;
mod report;
mod run;
mod spin;

use std::process::ExitCode;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use args::Plan;
use job::Job;

/// What fails here fails with a text for people.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn orchestrate(arguments: &[String]) -> Outcome<()> {
    let plan = Plan::from_arguments(arguments)?;
    let peers = peers::all();
    if plan.help {
        println!("{}", args::HELP);
        return Ok(());
    }
    if plan.list {
        print!("{}", report::list(&plan, &peers));
        return Ok(());
    }
    run::sweep(&peers);
    print!("{}", report::head(&plan, &peers));
    let rows = run::measure(&plan, &peers, |cell| {
        eprintln!("  measuring {} ...", cell.name)
    });
    print!("{}", report::table(&rows, &peers));
    if let Some(file) = &plan.json {
        std::fs::write(file, json::document(&plan, &rows, &peers)?)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == job::END => {
            // An end must not outlive the process that started it, whatever becomes of that.
            set_pdeathsig(Signal::SIGKILL)
                .map_err(Into::into)
                .and_then(|()| Job::from_arguments(rest))
                .and_then(|(role, job)| run::end(role, &job))
        }
        _ => orchestrate(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("taipan-compare: {error}");
            ExitCode::FAILURE
        }
    }
}
