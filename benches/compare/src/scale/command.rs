//! `taipan-compare scale`: its command line, and the rounds.

use std::path::PathBuf;
use std::time::Duration;

use super::measures::{self, Measure};
use super::table::{self, Figures, Row};
use super::task::{Reply, Task};
use crate::Outcome;
use crate::machine;
use crate::meter::Role;
use crate::run::watch;

pub const HELP: &str = "\
  taipan-compare scale [WHAT ...] [--quick] [--rounds N] [--filter TEXT] [--seconds N] [--json FILE]

what many cost: connections, sockets, one-active, subscriptions, subscribers (all of them if nothing is said), soak
  --quick        small steps only, once
  --rounds N     samples of each peer at each step (default 3)
  --filter TEXT  peers whose names have any of the parts between commas
  --steps N,N    these steps only
  --seconds N    how long the soak goes on (default 600)
  --json FILE    every sample";

/// What a sample may take, besides the time that it was told to take.
const PATIENCE: Duration = Duration::from_secs(90);

struct Plan {
    measures: Vec<&'static Measure>,
    quick: bool,
    rounds: usize,
    filter: String,
    steps: Vec<usize>,
    seconds: u64,
    json: Option<PathBuf>,
}

impl Plan {
    fn from_arguments(arguments: &[String]) -> Outcome<Plan> {
        let mut plan = Plan {
            measures: Vec::new(),
            quick: false,
            rounds: 0,
            filter: String::new(),
            steps: Vec::new(),
            seconds: 600,
            json: None,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| format!("{argument} needs a value"))
            };
            match &**argument {
                "--quick" => plan.quick = true,
                "--rounds" => plan.rounds = value()?.parse()?,
                "--filter" => plan.filter = value()?.clone(),
                "--seconds" => plan.seconds = value()?.parse()?,
                "--json" => plan.json = Some(value()?.into()),
                "--steps" => {
                    let steps = value()?.split(',').map(str::parse);
                    plan.steps = steps.collect::<Result<_, _>>()?;
                }
                name => plan.measures.push(measures::find(name)?),
            }
        }
        if plan.measures.is_empty() {
            plan.measures = measures::ALL.into_iter().filter(|all| all.usual).collect();
        }
        if plan.rounds == 0 {
            let once = plan.quick || plan.measures.iter().all(|all| !all.usual);
            plan.rounds = if once { 1 } else { 3 };
        }
        Ok(plan)
    }

    fn steps<'p>(&'p self, measure: &Measure) -> &'p [usize] {
        match (self.steps.is_empty(), self.quick) {
            (false, _) => &self.steps,
            (true, true) => measure.few_steps,
            (true, false) => measure.steps,
        }
    }

    fn peers(&self, measure: &Measure) -> Vec<String> {
        let peers = measure.peers.iter().map(|peer| (*peer).to_owned());
        let meant = |peer: &String| self.filter.split(',').any(|part| peer.contains(part));
        peers.filter(meant).collect()
    }
}

pub fn main(arguments: &[String]) -> Outcome<()> {
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{HELP}");
        return Ok(());
    }
    let plan = Plan::from_arguments(arguments)?;
    let mut figures = Figures {
        machine: machine::describe(),
        rounds: plan.rounds,
        versions: table::versions(&plan.measures),
        rows: Vec::new(),
    };
    println!("{}; {}", figures.machine, figures.versions.join(", "));
    println!(
        "{} samples of each, interleaved, in processes of their own: median (least-most)",
        plan.rounds
    );
    for measure in &plan.measures {
        print!("{}", table::head(measure));
        for step in plan.steps(measure) {
            for row in rows(&plan, measure, *step) {
                print!("{}", table::line(&row));
                figures.rows.push(row);
            }
            if let Some(file) = &plan.json {
                figures.save(file)?;
            }
        }
    }
    Ok(())
}

/// All peers at one step, one after the other in each round. Who fails sits out the rest.
fn rows(plan: &Plan, measure: &'static Measure, step: usize) -> Vec<Row> {
    let row = |peer| Row {
        measure: measure.name,
        step,
        peer,
        columns: measure.columns,
        samples: Vec::new(),
        why: None,
    };
    let mut rows: Vec<Row> = plan.peers(measure).into_iter().map(row).collect();
    for _ in 0..plan.rounds {
        for row in rows.iter_mut().filter(|row| row.why.is_none()) {
            let task = Task {
                measure: measure.name.to_owned(),
                peer: row.peer.clone(),
                step,
                seconds: if measure.usual { 0 } else { plan.seconds },
                place: String::new(),
            };
            match sample(&task) {
                Ok(figures) => row.samples.push(figures),
                Err(error) => row.why = Some(error.to_string()),
            }
        }
    }
    rows
}

fn sample(task: &Task) -> Outcome<Vec<f64>> {
    let patience = PATIENCE + Duration::from_secs(task.seconds);
    let reply: Reply = watch(task.command(Role::Near)?, patience)?;
    Ok(reply?)
}
