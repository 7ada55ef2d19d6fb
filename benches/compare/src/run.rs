//! Runs everything: cell by cell, round by round, and in each round one peer after the other (A B A B).
//!
//! Each run is a near end and its far ends, all new processes: nothing of one run is left in the next. A run that
//! fails or takes too long is reported, and its peer sits out the rest of the cell.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::Outcome;
use crate::args::Plan;
use crate::cells::{CELLS, Cell, Shape};
use crate::job::Job;
use crate::meter::{Role, Sample};
use crate::peers::{self, Peer};

/// What a run may take before it is ended.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a near end prints when it is done.
type Reply = Result<Sample, String>;

/// What one peer made of one cell.
pub struct Entry {
    pub peer: usize,
    pub result: Result<Vec<Sample>, String>,
}

/// A cell and what everybody made of it.
pub struct Row {
    pub cell: &'static Cell,
    pub count: usize,
    pub entries: Vec<Entry>,
}

/// Whether the filter means this cell or this peer. Several words must all be found, each in either of them.
fn chosen(plan: &Plan, cell: &Cell, peer: &dyn Peer) -> bool {
    let text = format!("{} {} {}", cell.id, cell.name, peer.id()).to_lowercase();
    let words = plan.filter.to_lowercase();
    words.split_whitespace().all(|word| text.contains(word)) && (!plan.quick || cell.quick)
}

/// The cells that the plan means, with the peers that take part.
pub fn choice(plan: &Plan, peers: &[Box<dyn Peer>]) -> Vec<(&'static Cell, Vec<usize>)> {
    let cells = CELLS.iter().map(|cell| {
        let among = (0..peers.len()).filter(|peer| chosen(plan, cell, &*peers[*peer]));
        (cell, among.collect::<Vec<_>>())
    });
    cells.filter(|(_, among)| !among.is_empty()).collect()
}

/// How many messages a run has: counted, and before that.
fn counts(plan: &Plan, cell: &Cell) -> (usize, usize) {
    if plan.smoke {
        return ((cell.count / 100).max(20), 10);
    }
    if cell.shape == Shape::RoundTrip {
        return (cell.count, 2_000);
    }
    let count = if plan.quick {
        cell.count / 2
    } else {
        cell.count
    };
    (count, (count / 10).max(10))
}

/// Measures what the plan says. `progress` is told each cell before it begins.
pub fn measure(plan: &Plan, peers: &[Box<dyn Peer>], mut progress: impl FnMut(&Cell)) -> Vec<Row> {
    let run = std::process::id();
    let mut serial = 0;
    let mut rows = Vec::new();
    for (cell, among) in choice(plan, peers) {
        progress(cell);
        let (count, warm_up) = counts(plan, cell);
        let mut entries: Vec<Entry> = among
            .iter()
            .map(|peer| Entry {
                peer: *peer,
                result: match peers[*peer].lacks(cell) {
                    Some(why) => Err(why.to_owned()),
                    None => Ok(Vec::new()),
                },
            })
            .collect();
        for _ in 0..plan.rounds {
            for entry in &mut entries {
                let Ok(samples) = &mut entry.result else {
                    continue;
                };
                serial += 1;
                let job = Job {
                    peer: peers[entry.peer].id().to_owned(),
                    cell,
                    count,
                    warm_up,
                    run,
                    serial,
                    place: String::new(),
                    index: 0,
                };
                match one(&job) {
                    Ok(sample) => samples.push(sample),
                    Err(error) => entry.result = Err(format!("failed: {error}")),
                }
            }
        }
        rows.push(Row {
            cell,
            count,
            entries,
        });
    }
    for peer in peers {
        peer.clean(run);
    }
    rows
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

/// One run of one peer, in processes of its own.
fn one(job: &Job) -> Outcome<Sample> {
    let mut near = job
        .command(Role::Near)?
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
    let text = receiver.recv_timeout(PATIENCE);
    if text.is_err() {
        // Its far ends go with it: they asked the kernel to (see `main.rs`).
        near.kill()?;
    }
    let status = wait(near)?;
    reader.join().map_err(|_| "the reader panicked")?;
    let Ok(text) = text else {
        return Err(format!("took more than {} s", PATIENCE.as_secs()).into());
    };
    if !status.success() {
        return Err(format!("the near end ended with {status}").into());
    }
    let reply: Reply = serde_json::from_str(&text?)?;
    Ok(reply?)
}

fn wait(mut child: Child) -> Outcome<std::process::ExitStatus> {
    Ok(child.wait()?)
}

/// A process that is an end of a run: its whole life.
pub fn end(role: Role, job: &Job) -> Outcome<()> {
    crate::meter::place(job.cell.placement, role)?;
    let peer = peers::find(&job.peer)?;
    match role {
        Role::Far => peer.far(job),
        Role::Near => {
            let reply: Reply = peer.near(job).map_err(|error| error.to_string());
            println!("{}", serde_json::to_string(&reply)?);
            Ok(())
        }
    }
}
