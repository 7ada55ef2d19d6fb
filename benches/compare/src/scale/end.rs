//! The life of a process that is an end of a sample.

use std::io::{self, Write};

use super::measures;
use super::task::{FAILED, Near, Reply, Task};
use crate::Outcome;
use crate::meter::Role;

/// The whole life of a process that is an end. It exits without closing anything: what closing costs is no part of it.
pub fn end(arguments: &[String]) -> Outcome<()> {
    let (role, task) = Task::from_arguments(arguments)?;
    let measure = measures::find(&task.measure)?;
    match role {
        Role::Near => {
            let reply: Reply = (measure.near)(&task).map_err(|error| error.to_string());
            println!("{}", serde_json::to_string(&reply)?);
        }
        Role::Far => {
            if let Err(error) = (measure.far)(&task, &mut Near::new()) {
                println!("{FAILED}{error}");
            }
        }
    }
    io::stdout().flush()?;
    std::process::exit(0)
}
