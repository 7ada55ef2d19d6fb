//! The report as a page: charts first, tables after them. One file, nothing from elsewhere, light or dark as the
//! reader's system is.
//!
//! Rows that differ in their size alone are a group. A group has bars at 64 bytes (or at its only size), and lines over
//! the sizes if it has several.

mod bars;
mod lines;
mod paint;

use std::fmt::Write;

use crate::cells::{Cell, Placement, Shape, Transport, size_name};
use crate::meter::Sample;
use crate::model::{Report, Row, short};
use crate::peers::Part;
use crate::text::CONDITIONS;
use paint::{Paint, escape};

const STYLE: &str = include_str!("style.css");

/// The size that bars are drawn for, if it was measured.
const BAR_SIZE: usize = 64;

/// Rows that differ in their size alone, small ones first.
struct Group<'r> {
    transport: Transport,
    shape: Shape,
    placement: Placement,
    rows: Vec<&'r Row>,
}

fn groups(report: &Report) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    for row in &report.rows {
        let Cell {
            transport,
            shape,
            placement,
            ..
        } = row.cell;
        let same = |group: &&mut Group| {
            (group.transport, group.shape, group.placement) == (transport, shape, placement)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group {
                transport,
                shape,
                placement,
                rows: vec![row],
            }),
        }
    }
    for group in &mut groups {
        group.rows.sort_by_key(|row| row.cell.size);
    }
    groups
}

/// The whole page.
pub fn page(report: &Report) -> String {
    let paint = Paint::new(report);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>taipan beside its peers</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style>\n"
    );
    page.push_str(&head(report, &paint));
    let groups = groups(report);
    for transport in [Transport::Inproc, Transport::Ipc, Transport::Tcp] {
        let mut these = groups
            .iter()
            .filter(|group| group.transport == transport)
            .peekable();
        if these.peek().is_none() {
            continue;
        }
        let _ = writeln!(
            page,
            "<h2 id=\"{transport}\">{transport}</h2><div class=\"cards\">"
        );
        for group in these {
            page.push_str(&section(report, group, &paint));
        }
        page.push_str("</div>\n");
    }
    page.push_str("</html>\n");
    page
}

fn head(report: &Report, paint: &Paint) -> String {
    let mut head = format!(
        "<h1>taipan beside its peers</h1><p class=\"where\">{}<br>{}</p>\n",
        escape(&report.machine),
        escape(&report.setting)
    );
    if report.smoke {
        head.push_str("<p class=\"smoke\">A few messages only: the figures mean nothing.</p>");
    }
    head.push_str("<details><summary>What was measured, and how</summary><ul>");
    for line in CONDITIONS {
        let _ = write!(head, "<li>{}</li>", escape(line));
    }
    head.push_str("</ul></details>\n<table class=\"who\">");
    for about in &report.peers {
        let _ = write!(
            head,
            "<tr><td>{}{}</td><td>{}</td><td>{}</td></tr>",
            paint.swatch(&about.id),
            escape(&about.id),
            escape(&about.version),
            escape(&about.manner)
        );
    }
    head.push_str("</table>\n");
    head
}

fn section(report: &Report, group: &Group, paint: &Paint) -> String {
    let Group {
        shape, placement, ..
    } = group;
    let mut title = shape.words();
    if *placement != Placement::Free {
        let _ = write!(title, ", {}", placement.words());
    }
    let mut text = format!("<section><h3>{}</h3><div class=\"charts\">", escape(&title));
    let wanted = group.rows.iter().find(|row| row.cell.size == BAR_SIZE);
    if let Some(row) = wanted.or(group.rows.first()) {
        text.push_str(&bars::chart(report, row, paint));
    }
    if group.rows.len() > 1 {
        text.push_str(&lines::chart(&group.rows, paint));
    }
    text.push_str("</div>\n<details><summary>figures</summary>");
    for row in &group.rows {
        text.push_str(&table(report, row, paint));
    }
    text.push_str("</details></section>\n");
    text
}

/// All figures of a row.
fn table(report: &Report, row: &Row, paint: &Paint) -> String {
    let cell = &row.cell;
    let what = what(cell);
    let mut text = format!(
        "<table class=\"figures\"><caption>{}</caption><tr><th>who<th>{what}<th>least-most\
         <th>GB/s<th>p50 us<th>p99 us<th>p99.9 us<th>CPU us/msg<th>sleeps/msg<th>x other<th>x bound",
        size_name(cell.size)
    );
    let against = |part, peer: &str, figure| match report.best(row, part) {
        Some((best, _)) if best == peer => "best".to_owned(),
        Some((_, other)) => format!("{:.2}", Report::ratio(cell, figure, other)),
        None => "-".to_owned(),
    };
    for entry in &row.entries {
        let Some(main) = entry.figure(cell) else {
            continue;
        };
        let micros = |which| short(entry.median(|sample| sample.latency(which)));
        let _ = write!(
            text,
            "<tr><td>{}{}<td>{}<td>{}-{}<td>{:.3}<td>{}<td>{}<td>{}<td>{}<td>{:.3}<td>{}<td>{}",
            paint.swatch(&entry.peer),
            escape(&entry.peer),
            short(main.median),
            short(main.min),
            short(main.max),
            entry.median(Sample::bytes_per_second) / 1e9,
            micros(0),
            micros(1),
            micros(2),
            short(entry.median(Sample::cpu_us_per_message)),
            entry.median(Sample::sleeps_per_message),
            against(Part::Other, &entry.peer, main.median),
            against(Part::Bound, &entry.peer, main.median),
        );
    }
    text.push_str("</table>");
    for entry in &row.entries {
        // What a peer is not made for needs no mention in each table; what went wrong does.
        if let Some(why) = entry.why.as_ref().filter(|why| why.starts_with("failed")) {
            let _ = write!(
                text,
                "<p class=\"smoke\">{}: {}</p>",
                escape(&entry.peer),
                escape(why)
            );
        }
    }
    text
}

/// What the figure of a cell is.
fn what(cell: &Cell) -> &'static str {
    match cell.shape {
        _ if cell.is_latency() => "us p50",
        Shape::InFlight => "round trips/s",
        Shape::Publish(_) => "deliveries/s",
        _ => "messages/s",
    }
}
