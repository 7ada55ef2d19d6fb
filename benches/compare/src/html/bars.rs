//! Bars: one row, everybody who has figures, the best first, with whiskers from the least to the most.
//!
//! The scale is linear and ends a little above the best library: a bound beyond it is cut off, and says its figure.

use std::fmt::Write;

use super::paint::{Paint, escape};
use super::what;
use crate::cells::size_name;
use crate::model::{Entry, Report, Row, Spread, short};
use crate::peers::Part;

const LINE: f64 = 22.0;
const NAMES: f64 = 128.0;
const BARS: f64 = 300.0;
const FIGURES: f64 = 92.0;
const TOP: f64 = 24.0;

pub fn chart(report: &Report, row: &Row, paint: &Paint) -> String {
    let latency = row.cell.is_latency();
    let figures = row
        .entries
        .iter()
        .filter_map(|entry| Some((entry, entry.figure(&row.cell)?)));
    let mut figures: Vec<(&Entry, Spread)> = figures.collect();
    figures.sort_by(|one, other| other.1.median.total_cmp(&one.1.median));
    if latency {
        figures.reverse();
    }
    let libraries = figures
        .iter()
        .filter(|(entry, _)| report.part(&entry.peer) != Part::Bound);
    let most = libraries
        .map(|(_, spread)| spread.median)
        .fold(0.0, f64::max);
    let most = if most > 0.0 { most } else { 1.0 } * 1.05;
    let height = TOP + LINE * figures.len() as f64 + 6.0;
    let width = NAMES + BARS + FIGURES;
    let direction = if latency {
        "less is better"
    } else {
        "more is better"
    };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" role=\"img\">\
         <text class=\"title\" x=\"0\" y=\"13\">{}, {} ({direction})</text>",
        what(&row.cell),
        size_name(row.cell.size)
    );
    for (index, (entry, spread)) in figures.iter().enumerate() {
        let y = TOP + LINE * index as f64;
        bar(&mut svg, y, entry, *spread, most, paint);
    }
    svg.push_str("</svg>\n");
    svg
}

fn bar(svg: &mut String, y: f64, entry: &Entry, spread: Spread, most: f64, paint: &Paint) {
    let x = |value: f64| NAMES + (value / most).min(1.0) * BARS;
    let middle = y + LINE / 2.0;
    let part = paint.part(&entry.peer);
    let class = match part {
        Part::Ours => " class=\"ours\"",
        Part::Other | Part::Bound => "",
    };
    let opacity = if part == Part::Bound { 0.45 } else { 1.0 };
    let _ = write!(
        svg,
        "<text{class} x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{NAMES}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\" fill=\"{}\" opacity=\"{opacity}\"/>",
        NAMES - 8.0,
        middle + 4.0,
        escape(&entry.peer),
        y + 3.0,
        (x(spread.median) - NAMES).max(1.0),
        LINE - 6.0,
        paint.colour(&entry.peer)
    );
    let cut = spread.median > most;
    if !cut {
        let _ = write!(
            svg,
            "<line class=\"whisker\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>",
            x(spread.min),
            x(spread.max)
        );
    }
    let _ = write!(
        svg,
        "<text{class} x=\"{:.1}\" y=\"{:.1}\">{}{}</text>",
        x(spread.median.max(spread.max.min(most))) + 6.0,
        middle + 4.0,
        if cut { "\u{bb} " } else { "" },
        short(spread.median)
    );
}
