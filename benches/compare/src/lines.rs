//! What the two ends of a run say to each other besides the messages: words on the far ends' standard streams.
//!
//! ```text
//!   near                     far
//!     | ------ spawns -------> |
//!     | <------ ready -------- |  it can be sent to
//!     | ~~~~~ warm-up ~~~~~~~> |
//!     | <------- warm -------- |  streams only: everything that counts comes after this
//!     | ~~~~~ messages ~~~~~~> |
//!     | <------ report ------- |
//!     | --- end of input ----> |  only now may it close what it has open
//! ```

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};

use crate::Outcome;
use crate::job::Job;
use crate::meter::{FarReport, Role};

/// The far ends, as the near end sees them. Those that still run when this is dropped are killed.
pub struct Fars {
    children: Vec<(Child, BufReader<ChildStdout>)>,
}

impl Fars {
    /// Starts as many far ends as the cell has and waits until all are ready.
    pub fn launch(job: &Job, place: String) -> Outcome<Fars> {
        let mut fars = Fars {
            children: Vec::new(),
        };
        for index in 0..job.cell.far_ends() {
            let job = Job {
                place: place.clone(),
                index,
                ..job.clone()
            };
            let mut child = job
                .command(Role::Far)?
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let lines = child.stdout.take().ok_or("no standard output")?;
            fars.children.push((child, BufReader::new(lines)));
        }
        fars.all_say("ready")?;
        Ok(fars)
    }

    /// Waits until every far end has said this.
    pub fn all_say(&mut self, word: &str) -> Outcome<()> {
        for (_, lines) in &mut self.children {
            let line = line(lines)?;
            if line != word {
                return Err(format!("a far end said {line:?} instead of {word:?}").into());
            }
        }
        Ok(())
    }

    /// Waits until every far end has reported; they stay until [`Fars::end`].
    pub fn reports(&mut self) -> Outcome<Vec<FarReport>> {
        let lines = self.children.iter_mut().map(|(_, lines)| line(lines));
        lines
            .map(|line| Ok(serde_json::from_str(&line?)?))
            .collect()
    }

    /// Lets the far ends close and waits until they are gone.
    pub fn end(mut self) -> Outcome<()> {
        for (child, _) in &mut self.children {
            drop(child.stdin.take());
            let status = child.wait()?;
            if !status.success() {
                return Err(format!("a far end ended with {status}").into());
            }
        }
        Ok(())
    }
}

impl Drop for Fars {
    fn drop(&mut self) {
        for (child, _) in &mut self.children {
            // Both fail if it is gone already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The next line; its end is an error.
fn line(lines: &mut impl BufRead) -> Outcome<String> {
    let mut line = String::new();
    if lines.read_line(&mut line)? == 0 {
        return Err("a far end is gone".into());
    }
    Ok(line.trim_end().to_owned())
}

/// A far end says this to the near end.
pub fn say(word: &str) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{word}")?;
    Ok(out.flush()?)
}

/// A far end says that it has everything, and stays until the near end does not need it any more.
pub fn report_and_stay(report: FarReport) -> Outcome<()> {
    say(&serde_json::to_string(&report)?)?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
