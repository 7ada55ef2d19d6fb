//! One run of one peer in one cell, as it is handed from process to process.
//!
//! ```text
//!   orchestrator --spawns--> near end --spawns--> far end(s)
//! ```

use std::process::Command;

use crate::Outcome;
use crate::cells::{self, Cell};
use crate::meter::Role;

/// The first argument of a process that is an end of a run.
pub const END: &str = "--end";

#[derive(Clone, Debug)]
pub struct Job {
    pub peer: String,
    pub cell: &'static Cell,
    /// Messages that count.
    pub count: usize,
    /// Messages before those.
    pub warm_up: usize,
    /// The run of the whole program; names of things that outlive a process begin with it.
    pub run: u32,
    /// This run of one peer in one cell.
    pub serial: usize,
    /// Where far ends find the near end, for peers that have no names for that.
    pub place: String,
    /// Which of the far ends this is.
    pub index: usize,
}

impl Job {
    /// All messages of the run.
    pub fn total(&self) -> usize {
        self.warm_up + self.count
    }

    /// A name for this run that no other has.
    pub fn name(&self) -> String {
        format!("taipan-compare-{}-{}", self.run, self.serial)
    }

    /// The command line of an end of this run.
    pub fn command(&self, role: Role) -> Outcome<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        let numbers = [
            self.count,
            self.warm_up,
            self.run as usize,
            self.serial,
            self.index,
        ];
        command
            .args([END, if role == Role::Near { "near" } else { "far" }])
            .args([&*self.peer, self.cell.id, &*self.place])
            .args(numbers.map(|number| number.to_string()));
        Ok(command)
    }

    /// The other side of [`Job::command`]; the arguments after [`END`].
    pub fn from_arguments(arguments: &[String]) -> Outcome<(Role, Job)> {
        let [role, peer, cell, place, numbers @ ..] = arguments else {
            return Err("an end needs more arguments; it is not for people to start".into());
        };
        let numbers: Vec<usize> = numbers
            .iter()
            .map(|number| number.parse())
            .collect::<Result<_, _>>()?;
        let [count, warm_up, run, serial, index] = numbers[..] else {
            return Err("an end needs five numbers".into());
        };
        let job = Job {
            peer: peer.clone(),
            cell: cells::find(cell).ok_or("no such cell")?,
            count,
            warm_up,
            run: u32::try_from(run)?,
            serial,
            place: place.clone(),
            index,
        };
        Ok((
            if role == "near" {
                Role::Near
            } else {
                Role::Far
            },
            job,
        ))
    }
}
