//! What a run of this program has found out: plain data that the reports are made of, and that is kept in a file.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::cells::Cell;
use crate::meter::Sample;
use crate::peers::{About, Part};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub machine: String,
    /// How samples were taken, in a line.
    pub setting: String,
    pub rounds: usize,
    pub millis: u64,
    /// The figures mean nothing.
    pub smoke: bool,
    pub peers: Vec<About>,
    pub rows: Vec<Row>,
}

/// A cell and what everybody made of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub id: String,
    pub cell: Cell,
    pub window: usize,
    pub entries: Vec<Entry>,
}

/// What one peer made of one cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub peer: String,
    /// Messages of a sample that counted.
    pub count: usize,
    /// Why there are no samples, if there are none.
    pub why: Option<String>,
    pub samples: Vec<Sample>,
}

/// Median, least and most.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Some(Spread {
            median: *values.get(values.len() / 2)?,
            min: *values.first()?,
            max: *values.last()?,
        })
    }
}

impl Entry {
    /// The figure that peers are compared by: p50 in microseconds where one question is asked at a time, and messages
    /// a second elsewhere.
    pub fn figure(&self, cell: &Cell) -> Option<Spread> {
        if cell.is_latency() {
            Spread::of(self.samples.iter().map(|sample| sample.latency(0)))
        } else {
            Spread::of(self.samples.iter().map(Sample::messages_per_second))
        }
    }

    pub fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        Spread::of(self.samples.iter().map(figure)).map_or(f64::NAN, |spread| spread.median)
    }
}

impl Report {
    pub fn part(&self, peer: &str) -> Part {
        let about = self.peers.iter().find(|about| about.id == peer);
        about.map_or(Part::Other, |about| about.part)
    }

    /// The best of this part in a row: its name and its figure.
    pub fn best<'r>(&self, row: &'r Row, part: Part) -> Option<(&'r str, f64)> {
        let entries = row.entries.iter();
        let figures = entries
            .filter(|entry| self.part(&entry.peer) == part)
            .filter_map(|entry| Some((&*entry.peer, entry.figure(&row.cell)?.median)));
        let better = |one: &(&str, f64), other: &(&str, f64)| one.1.total_cmp(&other.1);
        if row.cell.is_latency() {
            figures.min_by(better)
        } else {
            figures.max_by(better)
        }
    }

    /// How many times as good as another figure one is: above 1 is better, whatever is compared.
    pub fn ratio(cell: &Cell, figure: f64, other: f64) -> f64 {
        if cell.is_latency() {
            other / figure
        } else {
            figure / other
        }
    }

    pub fn load(file: &Path) -> Outcome<Report> {
        Ok(serde_json::from_str(&fs::read_to_string(file)?)?)
    }

    /// Through a second file, so that there is a whole one at any time.
    pub fn save(&self, file: &Path) -> Outcome<()> {
        let beside = file.with_extension("part");
        fs::write(&beside, serde_json::to_string_pretty(self)?)?;
        Ok(fs::rename(&beside, file)?)
    }
}

/// A number in a few digits.
pub fn short(value: f64) -> String {
    match value {
        value if value.is_nan() => "-".to_owned(),
        value if value >= 1e6 => format!("{:.2} M", value / 1e6),
        value if value >= 1e4 => format!("{:.1} k", value / 1e3),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}
