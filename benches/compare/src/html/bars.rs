//! Bars: one row, everybody who has figures, the best first, with whiskers from the least to the most.
//!
//! Rates have a linear scale that ends a little above the best library: a bound beyond it is cut off, and says its
//! figure. Times have a logarithmic one, and a tick at their p99.

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

/// From a figure to its place.
struct Scale {
    logarithmic: bool,
    least: f64,
    most: f64,
}

impl Scale {
    /// For these figures; bounds do not stretch a linear scale.
    fn of(report: &Report, figures: &[(&Entry, Spread)], logarithmic: bool) -> Scale {
        let most = |all: bool| {
            let counted = figures
                .iter()
                .filter(|(entry, _)| all || report.part(&entry.peer) != Part::Bound);
            counted.map(|(_, spread)| spread.median).fold(0.0, f64::max)
        };
        let least = figures.iter().map(|(_, spread)| spread.median);
        let least = least.fold(f64::MAX, f64::min).max(1e-3);
        match most(logarithmic) {
            most if logarithmic => Scale {
                logarithmic,
                least: 10f64.powf(least.log10().floor()) / 2.0,
                most: most.max(least) * 10.0,
            },
            most if most > 0.0 => Scale {
                logarithmic,
                least: 0.0,
                most: most * 1.05,
            },
            _ => Scale {
                logarithmic,
                least: 0.0,
                most: most_of_bounds(figures),
            },
        }
    }

    fn x(&self, value: f64) -> f64 {
        let part = if self.logarithmic {
            (value / self.least).log10() / (self.most / self.least).log10()
        } else {
            value / self.most
        };
        NAMES + part.clamp(0.0, 1.0) * BARS
    }
}

/// If there are only bounds.
fn most_of_bounds(figures: &[(&Entry, Spread)]) -> f64 {
    let medians = figures.iter().map(|(_, spread)| spread.median);
    medians.fold(1.0, f64::max)
}

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
    let scale = Scale::of(report, &figures, latency);
    let height = TOP + LINE * figures.len() as f64 + 6.0;
    let width = NAMES + BARS + FIGURES;
    let note = if latency {
        "less is better; logarithmic, tick: p99"
    } else {
        "more is better"
    };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" role=\"img\">\
         <text class=\"title\" x=\"0\" y=\"13\">{}, {} ({note})</text>",
        what(&row.cell),
        size_name(row.cell.size)
    );
    for (index, (entry, spread)) in figures.iter().enumerate() {
        let y = TOP + LINE * index as f64;
        bar(&mut svg, y, entry, *spread, &scale, paint);
    }
    svg.push_str("</svg>\n");
    svg
}

fn bar(svg: &mut String, y: f64, entry: &Entry, spread: Spread, scale: &Scale, paint: &Paint) {
    let x = |value: f64| scale.x(value);
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
    let cut = spread.median > scale.most;
    if !cut {
        let _ = write!(
            svg,
            "<line class=\"whisker\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>",
            x(spread.min),
            x(spread.max)
        );
    }
    let mut end = x(spread.median.max(spread.max.min(scale.most)));
    if scale.logarithmic {
        let p99 = x(entry.median(|sample| sample.latency(1)));
        end = end.max(p99);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{:.1}\" x2=\"{p99:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\
             <line class=\"whisker\" x1=\"{p99:.1}\" x2=\"{p99:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
            x(spread.median),
            y + 5.0,
            y + LINE - 5.0
        );
    }
    let _ = write!(
        svg,
        "<text{class} x=\"{:.1}\" y=\"{:.1}\">{}{}</text>",
        end + 6.0,
        middle + 4.0,
        if cut { "\u{bb} " } else { "" },
        short(spread.median)
    );
}
