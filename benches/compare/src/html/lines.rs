//! Lines: the figure of everybody over the size of messages, both scales logarithmic. Names stand at the right, in the
//! order in which the lines end.

use std::fmt::Write;

use super::paint::{Paint, escape};
use super::what;
use crate::cells::size_name;
use crate::model::{Row, short};
use crate::peers::Part;

const LEFT: f64 = 56.0;
const WIDTH: f64 = 380.0;
const NAMES: f64 = 150.0;
const TOP: f64 = 24.0;
const HEIGHT: f64 = 260.0;
const BOTTOM: f64 = 24.0;
/// From name to name.
const STEP: f64 = 14.0;

/// One peer's points: the index of the row, and the figure.
struct Line<'r> {
    peer: &'r str,
    points: Vec<(usize, f64)>,
}

fn lines<'r>(rows: &[&'r Row]) -> Vec<Line<'r>> {
    let mut lines: Vec<Line> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        for entry in &row.entries {
            let Some(spread) = entry.figure(&row.cell) else {
                continue;
            };
            let point = (index, spread.median);
            match lines.iter_mut().find(|line| line.peer == entry.peer) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    peer: &entry.peer,
                    points: vec![point],
                }),
            }
        }
    }
    lines
}

pub fn chart(rows: &[&Row], paint: &Paint) -> String {
    let mut lines = lines(rows);
    let values = lines.iter().flat_map(|line| &line.points);
    let (mut least, mut most) = (f64::MAX, 0.0f64);
    for (_, value) in values.filter(|(_, value)| *value > 0.0) {
        least = least.min(*value);
        most = most.max(*value);
    }
    if most <= 0.0 {
        return String::new();
    }
    let (low, high) = (least.log10().floor(), most.log10().ceil());
    let decades = (high - low).max(1.0);
    let x = |index: usize| LEFT + WIDTH * index as f64 / (rows.len() - 1).max(1) as f64;
    let y = |value: f64| TOP + HEIGHT * (1.0 - (value.log10() - low) / decades);
    let names = STEP * lines.len() as f64;
    let height = (TOP + HEIGHT + BOTTOM).max(TOP + names + 8.0);
    let width = LEFT + WIDTH + NAMES;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" role=\"img\">\
         <text class=\"title\" x=\"0\" y=\"13\">{} by size of message (logarithmic)</text>",
        what(&rows[0].cell)
    );
    for decade in 0..=decades as i32 {
        let value = 10f64.powf(low + f64::from(decade));
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT + WIDTH,
            y(value),
            y(value),
            LEFT - 6.0,
            y(value) + 4.0,
            tick(value)
        );
    }
    for (index, row) in rows.iter().enumerate() {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(index),
            TOP + HEIGHT + 16.0,
            size_name(row.cell.size)
        );
    }
    // Ours last, so that they are on top.
    lines.sort_by_key(|line| match paint.part(line.peer) {
        Part::Bound => 0,
        Part::Other => 1,
        Part::Ours => 2,
    });
    for line in &lines {
        draw(&mut svg, line, x, y, paint);
    }
    name(&mut svg, &mut lines, y, paint);
    svg.push_str("</svg>\n");
    svg
}

fn draw(
    svg: &mut String,
    line: &Line,
    x: impl Fn(usize) -> f64,
    y: impl Fn(f64) -> f64,
    paint: &Paint,
) {
    let points = line.points.iter();
    let points: Vec<String> = points
        .map(|(index, value)| format!("{:.1},{:.1}", x(*index), y(*value)))
        .collect();
    let class = match paint.part(line.peer) {
        Part::Ours => "line ours",
        Part::Other => "line",
        Part::Bound => "line bound",
    };
    let colour = paint.colour(line.peer);
    let _ = write!(
        svg,
        "<polyline class=\"{class}\" stroke=\"{colour}\" points=\"{}\"><title>{}</title></polyline>",
        points.join(" "),
        escape(line.peer)
    );
    for (index, value) in &line.points {
        let _ = write!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\" fill=\"{colour}\"><title>{} {}</title></circle>",
            x(*index),
            y(*value),
            escape(line.peer),
            short(*value)
        );
    }
}

/// Names where the lines end, moved apart where they would overlap.
fn name(svg: &mut String, lines: &mut [Line], y: impl Fn(f64) -> f64, paint: &Paint) {
    let end = |line: &Line| line.points.last().map_or(0.0, |(_, value)| y(*value));
    lines.sort_by(|one, other| end(one).total_cmp(&end(other)));
    let mut places: Vec<f64> = lines.iter().map(end).collect();
    // Down from the top, and up again from the bottom where that went too far.
    for index in 1..places.len() {
        places[index] = places[index].max(places[index - 1] + STEP);
    }
    let bottom = (TOP + HEIGHT).max(TOP + STEP * lines.len() as f64);
    let mut limit = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - STEP;
    }
    for (line, place) in lines.iter().zip(places) {
        let class = match paint.part(line.peer) {
            Part::Ours => " class=\"ours\"",
            Part::Other | Part::Bound => "",
        };
        let from = line.points.last().map_or(place, |(_, value)| y(*value));
        let _ = write!(
            svg,
            "<line class=\"lead\" stroke=\"{colour}\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{from:.1}\" y2=\"{place:.1}\"/>\
             <text{class} x=\"{:.1}\" y=\"{:.1}\" style=\"fill:{colour}\">{}</text>",
            LEFT + WIDTH + 3.0,
            LEFT + WIDTH + 14.0,
            LEFT + WIDTH + 18.0,
            place + 4.0,
            escape(line.peer),
            colour = paint.colour(line.peer)
        );
    }
}

/// A power of ten.
fn tick(value: f64) -> String {
    match value {
        value if value >= 0.9e9 => format!("{:.0} G", value / 1e9),
        value if value >= 0.9e6 => format!("{:.0} M", value / 1e6),
        value if value >= 0.9e3 => format!("{:.0} k", value / 1e3),
        value if value >= 0.9 => format!("{value:.0}"),
        value => format!("{value}"),
    }
}
