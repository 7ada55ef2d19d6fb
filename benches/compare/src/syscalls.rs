//! System calls per message, counted by `strace -c -f` over both sides of a run.
//!
//! Two runs that differ only in the number of messages are counted, and the difference is divided by the difference:
//! what it takes to start, connect and end is in both.

use std::fs;
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::args::Plan;
use crate::calibrate::Amount;
use crate::job::Job;
use crate::meter::Role;
use crate::peers::Peer;
use crate::run::{Runner, choice, one};

const FEW: usize = 2_000;
const MANY: usize = 12_000;

/// Counts, and prints as it goes.
pub fn count(plan: &Plan, peers: &[Box<dyn Peer>]) -> Outcome<()> {
    let version = Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status();
    if !version.is_ok_and(|status| status.success()) {
        println!("strace is not there: system calls are not counted");
        return Ok(());
    }
    println!(
        "system calls per message, of both sides (differences of {MANY} and {FEW} messages under strace,"
    );
    println!(
        "which slows every call down: who sleeps or batches by time does so differently without it)"
    );
    let mut runner = Runner::new();
    for (cell, among) in choice(plan, peers) {
        println!("\n{} ({cell})", cell.id());
        for peer in among.iter().map(|peer| &*peers[*peer]) {
            let id = peer.about().id;
            if peer.lacks(&cell).is_some() {
                continue;
            }
            let mut calls = |count| {
                let warm_up = 100;
                let job = runner.job(peer, cell, Amount { count, warm_up });
                traced(&job)
            };
            match calls(FEW).and_then(|few| Ok((few, calls(MANY)?))) {
                Ok((few, many)) => {
                    let more = many.saturating_sub(few) as f64;
                    println!("  {id:17} {:.3}", more / (MANY - FEW) as f64);
                }
                Err(error) => println!("  {id:17} - ({error})"),
            }
        }
    }
    Ok(())
}

/// System calls of a whole run.
fn traced(job: &Job) -> Outcome<u64> {
    let file = std::env::temp_dir().join(job.name() + ".strace");
    let mut command = Command::new("strace");
    command
        .args(["-c", "-f", "-o"])
        .arg(&file)
        .arg(std::env::current_exe()?)
        .args(job.arguments(Role::Near));
    let run = one(command);
    let table = fs::read_to_string(&file);
    // It may not be there if the run failed.
    let _ = fs::remove_file(&file);
    run?;
    let table = table?;
    let total = table
        .lines()
        .rfind(|line| line.trim_end().ends_with("total"));
    // "100.00    0.123456           1     12345       678 total"
    let calls = total.and_then(|line| line.split_whitespace().nth(3));
    Ok(calls.ok_or("strace printed no total")?.parse()?)
}
