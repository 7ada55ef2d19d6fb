//! Runs everything: cell by cell, round by round, and in each round one peer after the other (A B A B).
//!
//! Each run is a near end and its far ends, all new processes: nothing of one run is left in the next. A run that
//! fails or takes too long is reported, and its peer sits out the rest of the cell.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::Outcome;
use crate::args::Plan;
use crate::calibrate::{Amount, calibrate, smoke_amount};
use crate::cells::{self, Cell};
use crate::control;
use crate::job::Job;
use crate::meter::{Role, Sample};
use crate::model::{Entry, Row};
use crate::peers::{self, About, Peer};

/// What a run may take before it is ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a near end prints when it is done.
type Reply = Result<Sample, String>;

/// The cells that the plan means, with the peers that take part.
pub fn choice(plan: &Plan, peers: &[Box<dyn Peer>]) -> Vec<(Cell, Vec<usize>)> {
    let abouts: Vec<_> = peers.iter().map(|peer| peer.about()).collect();
    let cells = cells::all().into_iter().map(|cell| {
        let among = (0..peers.len()).filter(|peer| plan.means(&cell, &abouts[*peer]));
        (cell, among.collect::<Vec<_>>())
    });
    cells.filter(|(_, among)| !among.is_empty()).collect()
}

/// Everybody who takes part in anything that the plan means.
pub fn takers(plan: &Plan, peers: &[Box<dyn Peer>]) -> Vec<About> {
    let choice = choice(plan, peers);
    let takes = |peer: usize| {
        let mut cells = choice.iter().filter(|(_, among)| among.contains(&peer));
        cells.any(|(cell, _)| peers[peer].lacks(cell).is_none())
    };
    let takers = (0..peers.len()).filter(|peer| takes(*peer));
    takers.map(|peer| peers[peer].about()).collect()
}

/// Runs jobs one after the other, and gives each a number of its own.
pub struct Runner {
    run: u32,
    serial: usize,
}

impl Runner {
    pub fn new() -> Runner {
        Runner {
            run: std::process::id(),
            serial: 0,
        }
    }

    pub fn job(&mut self, peer: &dyn Peer, cell: Cell, amount: Amount) -> Job {
        self.serial += 1;
        Job {
            peer: peer.about().id,
            cell,
            count: amount.count,
            warm_up: amount.warm_up,
            run: self.run,
            serial: self.serial,
            place: String::new(),
        }
    }

    /// One sample.
    pub fn sample(&mut self, peer: &dyn Peer, cell: Cell, amount: Amount) -> Outcome<Sample> {
        let job = self.job(peer, cell, amount);
        let sample = one(job.command(Role::Near)?);
        peer.clean(self.run);
        sample
    }
}

/// Measures what the plan says; `done` is given each row and what comes next.
pub fn measure(
    plan: &Plan,
    peers: &[Box<dyn Peer>],
    mut done: impl FnMut(Row) -> Outcome<()>,
) -> Outcome<()> {
    let mut runner = Runner::new();
    let cells = choice(plan, peers);
    for (number, (cell, among)) in cells.iter().enumerate() {
        eprintln!("  {}/{} {cell} ...", number + 1, cells.len());
        done(row(plan, peers, *cell, among, &mut runner))?;
    }
    Ok(())
}

fn row(
    plan: &Plan,
    peers: &[Box<dyn Peer>],
    cell: Cell,
    among: &[usize],
    runner: &mut Runner,
) -> Row {
    let mut takers = Vec::new();
    for peer in among.iter().map(|peer| &*peers[*peer]) {
        let amount = match (peer.lacks(&cell), plan.smoke) {
            (Some(why), _) => Err(why.to_owned()),
            (None, true) => Ok(smoke_amount()),
            (None, false) => calibrate(cell, plan.millis, |amount| {
                runner.sample(peer, cell, amount)
            })
            .map_err(|error| format!("failed: {error}")),
        };
        takers.push((peer, amount, Vec::new()));
    }
    for _ in 0..plan.rounds {
        for (peer, amount, samples) in &mut takers {
            let Ok(some) = amount else {
                continue;
            };
            match runner.sample(*peer, cell, *some) {
                Ok(sample) => samples.push(sample),
                Err(error) => *amount = Err(format!("failed: {error}")),
            }
        }
    }
    let entries = takers.into_iter().map(|(peer, amount, samples)| Entry {
        peer: peer.about().id,
        count: amount.as_ref().map_or(0, |amount| amount.count),
        // Half a row would be compared with whole ones.
        samples: if amount.is_ok() { samples } else { Vec::new() },
        why: amount.err(),
    });
    Row {
        id: cell.id(),
        cell,
        window: cell.window(),
        entries: entries.collect(),
    }
}

/// Runs a near end, for its sample.
pub fn one(command: Command) -> Outcome<Sample> {
    let reply: Reply = watch(command, PATIENCE)?;
    Ok(reply?)
}

/// Removes what runs of this program left behind that were killed.
pub fn sweep(peers: &[Box<dyn Peer>]) {
    let entries = fs::read_dir("/tmp").into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let run = name.strip_prefix("taipan-compare-").map(str::parse);
        let Some(Ok(run)) = run else {
            continue;
        };
        if !Path::new(&format!("/proc/{run}")).exists() {
            peers.iter().for_each(|peer| peer.clean(run));
        }
    }
}

/// Runs the process of a near end, and ends it if it takes too long; what it printed.
pub fn watch<R: DeserializeOwned>(mut command: Command, patience: Duration) -> Outcome<R> {
    let mut near = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut out = near.stdout.take().ok_or("no standard output")?;
    let (sender, receiver) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let read = out.read_to_string(&mut text).map(|_| text);
        // Nobody listens any more if it took too long.
        let _ = sender.send(read);
    });
    let text = receiver.recv_timeout(patience);
    if text.is_err() {
        // Its far process goes with it: it asked the kernel to (see `main.rs`).
        near.kill()?;
    }
    let status = near.wait()?;
    reader.join().map_err(|_| "the reader panicked")?;
    let Ok(text) = text else {
        return Err(format!("took more than {} s", patience.as_secs()).into());
    };
    if !status.success() {
        return Err(format!("the near end ended with {status}").into());
    }
    Ok(serde_json::from_str(&text?)?)
}

/// A process that is an end of a run: its whole life.
pub fn end(role: Role, job: &Job) -> Outcome<()> {
    crate::meter::place(job.cell.placement, role)?;
    let peer = peers::find(&job.peer)?;
    match role {
        Role::Far => {
            control::far_process(job, |posts| peer.far(job, posts));
            Ok(())
        }
        Role::Near => {
            let reply: Reply = peer.near(job).map_err(|error| error.to_string());
            println!("{}", serde_json::to_string(&reply)?);
            Ok(())
        }
    }
}
