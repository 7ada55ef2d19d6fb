//! One run of one peer in one cell, as it is handed from process to process.
//!
//! ```text
//!   orchestrator --spawns--> near end --spawns--> all far ends (in process: as threads or tasks)
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
    pub cell: Cell,
    /// Messages that count; to all far ends together, but published ones once.
    pub count: usize,
    /// Messages before those.
    pub warm_up: usize,
    /// The run of the whole program; names of things that outlive a process begin with it.
    pub run: u32,
    /// This run of one peer in one cell.
    pub serial: usize,
    /// Where far ends find the near end: what the peer's near end said.
    pub place: String,
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
    pub fn arguments(&self, role: Role) -> Vec<String> {
        let role = if role == Role::Near { "near" } else { "far" };
        let words = [END, role, &self.peer, &self.cell.id(), &self.place].map(str::to_owned);
        let numbers = [self.count, self.warm_up, self.run as usize, self.serial];
        let numbers = numbers.map(|number| number.to_string());
        words.into_iter().chain(numbers).collect()
    }

    /// A process for an end of this run.
    pub fn command(&self, role: Role) -> Outcome<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(self.arguments(role));
        Ok(command)
    }

    /// The other side of [`Job::arguments`], without [`END`].
    pub fn from_arguments(arguments: &[String]) -> Outcome<(Role, Job)> {
        let [role, peer, cell, place, numbers @ ..] = arguments else {
            return Err("an end needs more arguments; it is not for people to start".into());
        };
        let numbers: Vec<usize> = numbers
            .iter()
            .map(|number| number.parse())
            .collect::<Result<_, _>>()?;
        let [count, warm_up, run, serial] = numbers[..] else {
            return Err("an end needs four numbers".into());
        };
        let role = if role == "near" {
            Role::Near
        } else {
            Role::Far
        };
        let job = Job {
            peer: peer.clone(),
            cell: cells::find(cell).ok_or("no such cell")?,
            count,
            warm_up,
            run: u32::try_from(run)?,
            serial,
            place: place.clone(),
        };
        Ok((role, job))
    }
}
