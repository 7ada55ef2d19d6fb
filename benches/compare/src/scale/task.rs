//! A sample, as it is handed from process to process, and the lines that its two processes exchange.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use crate::Outcome;
use crate::meter::Role;

/// The first argument of a process that is an end of a sample.
pub const SCALE_END: &str = "--scale-end";

/// One sample of one peer at one step of a measurement.
#[derive(Clone, Debug)]
pub struct Task {
    pub measure: String,
    pub peer: String,
    /// How many of what the measurement counts.
    pub step: usize,
    /// How long it goes on, if the measurement has no other end.
    pub seconds: u64,
    /// Where the far end finds the near end.
    pub place: String,
}

/// What the process of a near end prints: a figure for each column.
pub type Reply = Result<Vec<f64>, String>;

impl Task {
    /// A process for an end of this sample.
    pub fn command(&self, role: Role) -> Outcome<Command> {
        let role = if role == Role::Near { "near" } else { "far" };
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args([SCALE_END, role, &self.measure, &self.peer, &self.place])
            .args([self.step.to_string(), self.seconds.to_string()]);
        Ok(command)
    }

    /// The other side of [`Task::command`], without [`SCALE_END`].
    pub fn from_arguments(arguments: &[String]) -> Outcome<(Role, Task)> {
        let [role, measure, peer, place, step, seconds] = arguments else {
            return Err("an end needs six arguments; it is not for people to start".into());
        };
        let role = if role == "near" {
            Role::Near
        } else {
            Role::Far
        };
        let task = Task {
            measure: measure.clone(),
            peer: peer.clone(),
            step: step.parse()?,
            seconds: seconds.parse()?,
            place: place.clone(),
        };
        Ok((role, task))
    }
}

pub const FAILED: &str = "failed: ";

/// The far end, as the near end sees it: killed if it still runs when this is dropped.
pub struct Far {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Far {
    /// Starts the far end; it finds the near end at `place`.
    pub fn launch(task: &Task, place: String) -> Outcome<Far> {
        let mut command = Task {
            place,
            ..task.clone()
        }
        .command(Role::Far)?;
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let out = child.stdout.take().ok_or("no standard output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            // Ends with the process, or when nobody listens any more.
            lines.into_iter().try_for_each(|line| sender.send(line))
        });
        Ok(Far {
            child,
            input,
            lines,
        })
    }

    pub fn say(&mut self, line: &str) -> Outcome<()> {
        Ok(writeln!(self.input, "{line}")?)
    }

    /// The next line.
    pub fn hear(&mut self) -> Outcome<String> {
        let line = self.lines.recv().map_err(|_| "the far end is gone")?;
        checked(line)
    }

    /// The next line, if it is there.
    pub fn heard(&mut self) -> Outcome<Option<String>> {
        match self.lines.try_recv() {
            Ok(line) => checked(line).map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err("the far end is gone".into()),
        }
    }

    /// The next line, which is so many numbers.
    pub fn numbers<const N: usize>(&mut self) -> Outcome<[f64; N]> {
        let line = self.hear()?;
        let numbers: Vec<f64> = line
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let numbers = numbers.try_into();
        numbers.map_err(|_| format!("the far end said {line:?}").into())
    }
}

fn checked(line: String) -> Outcome<String> {
    match line.strip_prefix(FAILED) {
        Some(why) => Err(format!("far end: {why}").into()),
        None => Ok(line),
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        // Both fail if it is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The near end, as the far end sees it.
pub struct Near(());

impl Near {
    pub fn new() -> Near {
        Near(())
    }

    pub fn say(&mut self, line: &str) -> Outcome<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    }

    /// The next line; empty when the near end is gone.
    pub fn hear(&mut self) -> Outcome<String> {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}
