//! The report for people: who, where, and a table for each cell.

use std::fmt::Write;
use std::fs;

use crate::args::Plan;
use crate::cells::Shape;
use crate::meter::Sample;
use crate::peers::Peer;
use crate::run::{Entry, Row, choice};

/// Median, least and most.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        let mut values: Vec<f64> = samples.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        Some(Spread {
            median: *values.get(values.len() / 2)?,
            min: *values.first()?,
            max: *values.last()?,
        })
    }
}

/// p50, p99 or p99.9 of a sample.
pub fn latency(sample: &Sample, which: usize) -> f64 {
    sample.latency_us.map_or(f64::NAN, |times| times[which])
}

/// The machine, in a line.
pub fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("?", |model| model.trim_start_matches([' ', '\t', ':']));
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("?");
    format!(
        "{cpus} CPUs ({model}), Linux {}, load {load} at the start",
        kernel.trim()
    )
}

/// What stands above the tables.
pub fn head(plan: &Plan, peers: &[Box<dyn Peer>]) -> String {
    let mut text = format!("{}\n", machine());
    let _ = writeln!(
        text,
        "{} rounds, interleaved, each of new processes; medians (min-max); CPU is user and system time of all ends\n\
         Every byte is written by the sender for each message, and read (summed up and checked) by the receiver, at all\n\
         sizes. At most 1000 messages or 16 MiB wait on the way (4 at least); nothing is dropped. Subscribers are\n\
         processes. In shapes without a wake-up receivers spin, which is in their CPU time.{}",
        plan.rounds,
        if plan.smoke {
            "\nSMOKE: A FEW MESSAGES ONLY, THE FIGURES MEAN NOTHING"
        } else {
            ""
        },
    );
    for peer in peers {
        let _ = writeln!(
            text,
            "  {:14} {}; {}",
            peer.id(),
            peer.version(),
            peer.manner()
        );
    }
    text
}

/// What `--list` says.
pub fn list(plan: &Plan, peers: &[Box<dyn Peer>]) -> String {
    let mut text = String::from("peers\n");
    for peer in peers {
        let _ = writeln!(
            text,
            "  {:14} {}; {}",
            peer.id(),
            peer.version(),
            peer.manner()
        );
    }
    text.push_str("cells (* in --quick)\n");
    for (cell, among) in choice(plan, peers) {
        let _ = writeln!(
            text,
            "{} {:15} {} ({}, {}), {} x {} bytes, window {}",
            if cell.quick { '*' } else { ' ' },
            cell.id,
            cell.name,
            cell.shape,
            cell.placement,
            cell.count,
            cell.size,
            cell.window(),
        );
        for peer in among.iter().map(|peer| &peers[*peer]) {
            if let Some(why) = peer.lacks(cell) {
                let _ = writeln!(text, "    without {}: {why}", peer.id());
            }
        }
    }
    text
}

/// The tables.
pub fn table(rows: &[Row], peers: &[Box<dyn Peer>]) -> String {
    rows.iter().map(|row| section(row, peers)).collect()
}

fn section(row: &Row, peers: &[Box<dyn Peer>]) -> String {
    let cell = row.cell;
    let mut text = format!(
        "\n{} ({}; {} counted)\n",
        cell.name, cell.placement, row.count
    );
    let (unit, columns) = match cell.shape {
        Shape::RoundTrip => ("us p50", ["p99 us", "p99.9 us"]),
        Shape::Stream => ("msgs/s", ["GB/s", ""]),
        Shape::FanOut(_) => ("deliveries/s", ["GB/s", ""]),
    };
    let _ = writeln!(
        text,
        "  {:14} {:>30} {:>10} {:>10} {:>12}  ratio",
        "who",
        format!("{unit} (min-max)"),
        columns[0],
        columns[1],
        "CPU us/msg",
    );
    let mut base = None;
    for entry in &row.entries {
        let name = peers[entry.peer].id();
        match &entry.result {
            Err(why) => {
                let _ = writeln!(text, "  {name:14} - ({why})");
            }
            Ok(samples) => {
                if let Some((line, figure)) = line(cell.shape, samples) {
                    let first = base.get_or_insert((name, figure));
                    let _ = writeln!(
                        text,
                        "  {name:14} {line}  {:.2} x {}",
                        figure / first.1,
                        first.0
                    );
                }
            }
        }
    }
    text
}

/// One peer's figures, and the one that is compared.
fn line(shape: Shape, samples: &[Sample]) -> Option<(String, f64)> {
    let cpu = Spread::of(samples, Sample::cpu_us_per_message)?.median;
    let (main, second, third) = if shape == Shape::RoundTrip {
        let [p50, p99, p999] = [0, 1, 2].map(|which| Spread::of(samples, |s| latency(s, which)));
        let text = [p99?, p999?].map(|spread| format!("{:.1}", spread.median));
        let [second, third] = text;
        (p50?, second, third)
    } else {
        let bytes = Spread::of(samples, Sample::bytes_per_second)?.median;
        let rate = Spread::of(samples, Sample::messages_per_second)?;
        (rate, format!("{:.3}", bytes / 1e9), String::new())
    };
    let range = format!(
        "{} ({}-{})",
        short(main.median),
        short(main.min),
        short(main.max)
    );
    let text = format!("{range:>30} {second:>10} {third:>10} {:>12}", short(cpu));
    Some((text, main.median))
}

/// A number in a few digits.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.2} M", value / 1e6),
        value if value >= 1e4 => format!("{:.1} k", value / 1e3),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

/// The entries of a row that have figures.
pub fn measured(row: &Row) -> impl Iterator<Item = (&Entry, &Vec<Sample>)> {
    let entries = row.entries.iter();
    entries.filter_map(|entry| Some((entry, entry.result.as_ref().ok()?)))
}
