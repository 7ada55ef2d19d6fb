//! Figures of measurements: kept as they are, shown as tables in Markdown.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::ends::version;
use super::measures::Measure;
use crate::Outcome;
use crate::model::{Spread, short};

#[derive(Default, Serialize)]
pub struct Figures {
    pub machine: String,
    pub rounds: usize,
    pub versions: Vec<String>,
    pub rows: Vec<Row>,
}

/// What one peer made of one step.
#[derive(Serialize)]
pub struct Row {
    pub measure: &'static str,
    pub step: usize,
    pub peer: String,
    pub columns: &'static [&'static str],
    /// A figure for each column, once a round.
    pub samples: Vec<Vec<f64>>,
    /// Why there are none, if so.
    pub why: Option<String>,
}

impl Figures {
    pub fn save(&self, file: &Path) -> Outcome<()> {
        Ok(fs::write(file, serde_json::to_string_pretty(self)?)?)
    }
}

pub fn versions(measures: &[&'static Measure]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for peer in measures.iter().flat_map(|measure| measure.peers) {
        let version = version(peer);
        if !all.contains(&version) {
            all.push(version);
        }
    }
    all
}

/// What stands above the rows of a measurement.
pub fn head(measure: &Measure) -> String {
    let mut text = format!("\n### {}\n\n{}\n\n", measure.name, measure.title);
    let _ = write!(text, "| {} | who |", measure.step);
    for column in measure.columns {
        let _ = write!(text, " {column} |");
    }
    text.push('\n');
    text.push_str(&"|---".repeat(2 + measure.columns.len()));
    text.push_str("|\n");
    text
}

/// Medians with (least-most).
pub fn line(row: &Row) -> String {
    let mut text = format!("| {} | {} |", thousands(row.step), row.peer);
    for column in 0..row.columns.len() {
        let values = row.samples.iter().map(|sample| sample[column]);
        let figure = Spread::of(values).map_or("-".to_owned(), range);
        let _ = write!(text, " {figure} |");
    }
    text.push('\n');
    if let Some(why) = &row.why {
        let _ = writeln!(text, "\n- {} at {}: {why}\n", row.peer, row.step);
    }
    text
}

fn range(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    if min == max {
        return short(median);
    }
    format!("{} ({}-{})", short(median), short(min), short(max))
}

/// A number as people write it: 10,000.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(100), "100");
        assert_eq!(thousands(1_000_000), "1,000,000");
    }
}
