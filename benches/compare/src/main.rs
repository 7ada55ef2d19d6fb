//! taipan beside its peers: the same messages over inproc, ipc and tcp, in one run, repetitions interleaved, medians
//! with spread.
//!
//! ```text
//! cargo run --release --manifest-path benches/compare/Cargo.toml                  the usual table, some 40 minutes
//! ... -- --quick                                                                  the headlines, under two minutes
//! ... -- --all --json all.json --html all.html                                    the complete grid
//! ... -- --from all.json --html all.html                                          the reports of an earlier run
//! ... -- --filter "tcp req-rep /64/ taipan,libzmq"                                some cells, some peers
//! ... -- scale                                                                    what many cost (`scale/`)
//! ... -- rpc                                                                      calls, with the feature `rpc` (`rpc/`)
//! ... -- --help                                                                   the rest
//! ```
//!
//! This program runs itself again for both sides of each run (`job.rs`, `control.rs`), so that each begins with a clean
//! slate and can be bound to a CPU as a whole; the process that was started waits meanwhile (`run.rs`). What is measured
//! is a grid (`cells.rs`), who takes part is a folder (`peers/`), and what every message has to go through is the same
//! for all (`payload.rs`, `drive/`). Nothing here judges a figure: it is kept (`model.rs`) and shown (`text.rs`,
//! `html/`).

mod args;
mod calibrate;
mod cells;
mod control;
mod drive;
mod html;
mod job;
mod machine;
mod meter;
mod model;
mod payload;
mod peers;
#[cfg(feature = "rpc")]
mod rpc;
mod run;
mod scale;
mod spin;
mod syscalls;
mod text;

use std::process::ExitCode;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use args::Plan;
use job::Job;
use model::Report;

/// What fails here fails with a text for people.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn orchestrate(arguments: &[String]) -> Outcome<()> {
    let plan = Plan::from_arguments(arguments)?;
    if plan.help {
        println!("{}\n\n{}", args::HELP, scale::HELP);
        #[cfg(feature = "rpc")]
        println!("\n{}", rpc::HELP);
        return Ok(());
    }
    if let Some(file) = &plan.from {
        return again(&plan, Report::load(file)?);
    }
    let peers = peers::all();
    if plan.list {
        print!("{}", text::list(&plan, &peers));
        return Ok(());
    }
    run::sweep(&peers);
    if plan.syscalls {
        return syscalls::count(&plan, &peers);
    }
    let mut report = Report {
        machine: machine::describe(),
        setting: format!(
            "{} rounds of about {} ms for each peer and cell",
            plan.rounds, plan.millis
        ),
        rounds: plan.rounds,
        millis: plan.millis,
        smoke: plan.smoke,
        peers: run::takers(&plan, &peers),
        rows: Vec::new(),
    };
    print!("{}", text::head(&report));
    run::measure(&plan, &peers, |row| {
        print!("{}", text::section(&report, &row));
        report.rows.push(row);
        match &plan.json {
            Some(file) => report.save(file),
            None => Ok(()),
        }
    })?;
    page(&plan, &report)
}

/// The reports of an earlier run.
fn again(plan: &Plan, report: Report) -> Outcome<()> {
    print!("{}", text::head(&report));
    for row in &report.rows {
        print!("{}", text::section(&report, row));
    }
    page(plan, &report)
}

fn page(plan: &Plan, report: &Report) -> Outcome<()> {
    if let Some(file) = &plan.html {
        std::fs::write(file, html::page(report))?;
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
        Some((first, rest)) if first == scale::SCALE_END => set_pdeathsig(Signal::SIGKILL)
            .map_err(Into::into)
            .and_then(|()| scale::end(rest)),
        Some((first, rest)) if first == "scale" => scale::main(rest),
        #[cfg(feature = "rpc")]
        Some((first, rest)) if first == rpc::RPC_END => set_pdeathsig(Signal::SIGKILL)
            .map_err(Into::into)
            .and_then(|()| rpc::end(rest)),
        #[cfg(feature = "rpc")]
        Some((first, rest)) if first == "rpc" => rpc::main(rest),
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
