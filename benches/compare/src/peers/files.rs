//! Files of a run, for what has to have a path: Unix sockets that cannot have abstract names, and pipes.
//!
//! They are in a folder of the run, which goes with its name: what was killed leaves it to the next sweep (`run.rs`).

use std::fs;

use crate::Outcome;
use crate::job::Job;

fn folder(run: u32) -> String {
    format!("/tmp/taipan-compare-{run}")
}

/// A path for this job's `what`; the folder is there.
pub fn path(job: &Job, what: &str) -> Outcome<String> {
    let folder = folder(job.run);
    fs::create_dir_all(&folder)?;
    Ok(format!("{folder}/{}-{what}", job.serial))
}

/// Removes everything of the run.
pub fn clean(run: u32) {
    // What is not there need not be removed, and what cannot be removed is somebody else's.
    let _ = fs::remove_dir_all(folder(run));
}
