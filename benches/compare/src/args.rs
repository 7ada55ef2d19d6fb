//! The command line.

use std::path::PathBuf;

use crate::Outcome;
use crate::cells::Cell;
use crate::peers::About;

pub const HELP: &str = "\
taipan beside its peers: the same messages over inproc, ipc and tcp, in one run, interleaved.

  taipan-compare [--quick | --all] [--rounds N] [--millis N] [--filter TEXT] [--json FILE] [--html FILE]
  taipan-compare --from FILE.json [--html FILE]

which cells
  (nothing)      all shapes and transports at 64 bytes, streams and publishing at all sizes
  --all          the complete grid
  --quick        the headline cells and peers only, 3 rounds of 80 ms unless said otherwise
  --filter TEXT  only cells and peers with all words of TEXT in their names, as in --filter \"tcp req-rep omq\"; a word
                 with commas means any of its parts, as in --filter \"tcp push-pull /64/ taipan,libzmq\"; with =
                 in front of a part, the whole name of a peer

how
  --rounds N     samples of each peer in each cell (default 5)
  --millis N     what a sample should take (default 250); each peer's number of messages is found by short runs first
  --smoke        a few messages once: proves that everything runs; the figures mean nothing
  --syscalls     instead of times: system calls per message of each peer, counted by strace

what becomes of it (besides the tables on standard output)
  --json FILE    everything that was measured, every repetition of it, saved after each cell
  --html FILE    a page with charts that needs nothing else
  --from FILE    measures nothing, but makes the tables (and --html) from what --json saved
  --list         what would be measured, and who lacks what";

/// Which part of the grid is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Headlines,
    Usual,
    Everything,
}

/// What is to be done.
pub struct Plan {
    pub cut: Cut,
    pub smoke: bool,
    pub syscalls: bool,
    pub rounds: usize,
    pub millis: u64,
    pub filter: String,
    pub json: Option<PathBuf>,
    pub html: Option<PathBuf>,
    pub from: Option<PathBuf>,
    pub list: bool,
    pub help: bool,
}

impl Plan {
    pub fn from_arguments(arguments: &[String]) -> Outcome<Plan> {
        let mut plan = Plan {
            cut: Cut::Usual,
            smoke: false,
            syscalls: false,
            rounds: 0,
            millis: 0,
            filter: String::new(),
            json: None,
            html: None,
            from: None,
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
                "--quick" => plan.cut = Cut::Headlines,
                "--all" => plan.cut = Cut::Everything,
                "--smoke" => plan.smoke = true,
                "--syscalls" => plan.syscalls = true,
                "--rounds" => plan.rounds = value()?.parse()?,
                "--millis" => plan.millis = value()?.parse()?,
                "--filter" => plan.filter = value()?.to_lowercase(),
                "--json" => plan.json = Some(value()?.into()),
                "--html" => plan.html = Some(value()?.into()),
                "--from" => plan.from = Some(value()?.into()),
                "--list" => plan.list = true,
                "--help" | "-h" => plan.help = true,
                other => return Err(format!("unknown argument {other}; see --help").into()),
            }
        }
        let quick = plan.cut == Cut::Headlines;
        if plan.rounds == 0 {
            plan.rounds = match (plan.smoke, quick) {
                (true, _) => 1,
                (false, true) => 3,
                (false, false) => 5,
            };
        }
        if plan.millis == 0 {
            plan.millis = if quick { 80 } else { 250 };
        }
        Ok(plan)
    }

    /// Whether this peer in this cell is meant.
    pub fn means(&self, cell: &Cell, about: &About) -> bool {
        let cut = match self.cut {
            Cut::Headlines => cell.is_headline() && about.quick,
            Cut::Usual => cell.is_usual(),
            Cut::Everything => true,
        };
        let text = format!("{} {cell} {}", cell.id(), about.id).to_lowercase();
        let part = |part: &str| match part.strip_prefix('=') {
            Some(id) => about.id == id,
            None => text.contains(part),
        };
        let mut words = self.filter.split_whitespace();
        cut && words.all(|word| word.split(',').any(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::find;
    use crate::peers::Part;

    fn means(filter: &str, cell: &str, peer: &str) -> bool {
        let plan = Plan::from_arguments(&["--filter".to_owned(), filter.to_owned()]);
        let about = About {
            id: peer.to_owned(),
            version: String::new(),
            manner: String::new(),
            part: Part::Other,
            quick: false,
        };
        plan.expect("a plan")
            .means(&find(cell).expect("a cell"), &about)
    }

    #[test]
    fn all_words_of_a_filter_must_be_found_and_any_part_of_a_word() {
        let cell = "tcp/req-rep/64/unpinned";
        assert!(means("tcp req-rep", cell, "omq"));
        assert!(!means("tcp push-pull", cell, "omq"));
        assert!(means("ipc,tcp libzmq,omq", cell, "omq-async"));
        assert!(means("=omq", cell, "omq"));
        assert!(!means("=omq", cell, "omq-async"));
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        assert!(Plan::from_arguments(&["--fast".to_owned()]).is_err());
        assert!(Plan::from_arguments(&["--rounds".to_owned()]).is_err());
    }
}
