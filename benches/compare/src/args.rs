//! The command line.

use std::path::PathBuf;

use crate::Outcome;

pub const HELP: &str = "\
taipan beside its peers: the same messages, two processes, one run, interleaved.

  taipan-compare [--quick] [--rounds N] [--filter TEXT] [--json FILE] [--list]

  --quick        the headline cells only, half the messages, 3 rounds unless said otherwise
  --rounds N     repetitions of each cell (default 5)
  --filter TEXT  only cells and peers with all words of TEXT in their names, as in --filter \"rtt omq\"
  --json FILE    everything that was measured, every repetition of it
  --list         what there is, and who lacks what
  --smoke        a few messages once: proves that everything runs; the figures mean nothing";

/// What is to be done.
pub struct Plan {
    pub quick: bool,
    pub smoke: bool,
    pub rounds: usize,
    pub filter: String,
    pub json: Option<PathBuf>,
    pub list: bool,
    pub help: bool,
}

impl Plan {
    pub fn from_arguments(arguments: &[String]) -> Outcome<Plan> {
        let mut plan = Plan {
            quick: false,
            smoke: false,
            rounds: 0,
            filter: String::new(),
            json: None,
            list: false,
            help: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next().cloned();
                value.ok_or_else(|| format!("{argument} needs a value"))
            };
            match &**argument {
                "--quick" => plan.quick = true,
                "--smoke" => plan.smoke = true,
                "--rounds" => plan.rounds = value()?.parse()?,
                "--filter" => plan.filter = value()?,
                "--json" => plan.json = Some(value()?.into()),
                "--list" => plan.list = true,
                "--help" | "-h" => plan.help = true,
                other => return Err(format!("unknown argument {other}; see --help").into()),
            }
        }
        if plan.rounds == 0 {
            plan.rounds = match (plan.smoke, plan.quick) {
                (true, _) => 1,
                (false, true) => 3,
                (false, false) => 5,
            };
        }
        Ok(plan)
    }
}
