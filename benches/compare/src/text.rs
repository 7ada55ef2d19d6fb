//! The report for people at a terminal: who, where, and a table for each cell.

use std::fmt::Write;

use crate::args::Plan;
use crate::cells::{Cell, Course};
use crate::meter::Sample;
use crate::model::{Entry, Report, Row, short};
use crate::peers::{Part, Peer};
use crate::run::choice;

/// What holds for all figures, in lines.
pub const CONDITIONS: [&str; 9] = [
    "Two processes, new ones for each sample: a near end that takes the time, and one far process with all far ends \
     (a thread for each where calls block, a task for each on one runtime where they are async). Inproc: one process.",
    "Samples are interleaved (A B A B); figures are medians with (least-most).",
    "CPU is user and system time of both processes; sleeps are their voluntary context switches; both per message that \
     was delivered, or per round trip.",
    "Every byte is written by the sender for each message, and read, summed up and checked by the receiver.",
    "At most 1000 messages or 16 MiB (4 messages at least) wait on the way to each far end; nothing is dropped.",
    "Round trips are unpinned, on one CPU, or split over two (the near process on CPU 0, the far one on CPU 1); all \
     other cells are unpinned unless they say so.",
    "Async current-thread peers have a runtime for each end, multi-thread ones a runtime of two workers for each \
     process; \"tasks of one thread\" are both ends in one current-thread runtime.",
    "What has no wake-up spins and then yields, which is in its CPU time.",
    "x other: how many times as good as the best library that is not taipan; x bound: as the best physical bound.",
];

/// What stands above the tables.
pub fn head(report: &Report) -> String {
    let mut text = format!("{}\n{}\n", report.machine, report.setting);
    if report.smoke {
        text.push_str("SMOKE: A FEW MESSAGES ONLY, THE FIGURES MEAN NOTHING\n");
    }
    for line in CONDITIONS {
        let _ = writeln!(text, "- {line}");
    }
    for about in &report.peers {
        let bound = match about.part {
            Part::Bound => " (a bound)",
            Part::Ours | Part::Other => "",
        };
        let _ = writeln!(
            text,
            "  {:17} {}; {}{bound}",
            about.id, about.version, about.manner
        );
    }
    text
}

/// What `--list` says.
pub fn list(plan: &Plan, peers: &[Box<dyn Peer>]) -> String {
    let mut text = String::from("peers\n");
    for about in peers.iter().map(|peer| peer.about()) {
        let _ = writeln!(
            text,
            "  {:17} {}; {}",
            about.id, about.version, about.manner
        );
    }
    text.push_str("cells\n");
    for (cell, among) in choice(plan, peers) {
        let _ = writeln!(text, "  {} ({cell}), window {}", cell.id(), cell.window());
        for peer in among.iter().map(|peer| &peers[*peer]) {
            if let Some(why) = peer.lacks(&cell) {
                let _ = writeln!(text, "    without {}: {why}", peer.about().id);
            }
        }
    }
    text
}

/// The table of a cell.
pub fn section(report: &Report, row: &Row) -> String {
    let cell = &row.cell;
    let columns = match cell.course() {
        Course::Ask(1) => ["us p50", "p99 us", "p99.9 us"],
        Course::Ask(_) => ["round trips/s", "p50 us", "p99 us"],
        Course::Out if cell.far_ends() > 1 => ["deliveries/s", "GB/s", ""],
        _ => ["msgs/s", "GB/s", ""],
    };
    let mut text = format!("\n{} ({cell}; window {})\n", row.id, row.window);
    let _ = writeln!(
        text,
        "  {:17} {:>28} {:>9} {:>9} {:>10} {:>10} {:>8} {:>8}",
        "who",
        format!("{} (least-most)", columns[0]),
        columns[1],
        columns[2],
        "CPU us/msg",
        "sleeps/msg",
        "x other",
        "x bound",
    );
    for entry in row.entries.iter().filter(|entry| entry.why.is_none()) {
        if let Some(line) = line(report, row, entry) {
            let _ = writeln!(text, "  {:17} {line}", entry.peer);
        }
    }
    // Who cannot take part is many where there are many peers: grouped by the reason.
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for entry in &row.entries {
        let Some(why) = &entry.why else {
            continue;
        };
        match reasons.iter_mut().find(|(reason, _)| reason == why) {
            Some((_, who)) => who.push(&entry.peer),
            None => reasons.push((why, vec![&entry.peer])),
        }
    }
    for (why, who) in reasons {
        let _ = writeln!(text, "  - {}: {why}", who.join(", "));
    }
    text
}

/// One peer's figures.
fn line(report: &Report, row: &Row, entry: &Entry) -> Option<String> {
    let cell = &row.cell;
    let main = entry.figure(cell)?;
    let gigabytes = || format!("{:.3}", entry.median(Sample::bytes_per_second) / 1e9);
    let micros = |which| format!("{:.1}", entry.median(|sample| sample.latency(which)));
    let (second, third) = match cell.course() {
        Course::Ask(1) => (micros(1), micros(2)),
        Course::Ask(_) => (micros(0), micros(1)),
        _ => (gigabytes(), String::new()),
    };
    let range = format!(
        "{} ({}-{})",
        short(main.median),
        short(main.min),
        short(main.max)
    );
    Some(format!(
        "{range:>28} {second:>9} {third:>9} {:>10} {:>10} {:>8} {:>8}",
        short(entry.median(Sample::cpu_us_per_message)),
        format!("{:.3}", entry.median(Sample::sleeps_per_message)),
        against(report, row, main.median, Part::Other, &entry.peer, cell),
        against(report, row, main.median, Part::Bound, &entry.peer, cell),
    ))
}

/// How a figure compares with the best of a part, unless it is that itself.
fn against(report: &Report, row: &Row, figure: f64, part: Part, peer: &str, cell: &Cell) -> String {
    match report.best(row, part) {
        Some((best, _)) if best == peer => "best".to_owned(),
        Some((_, other)) => format!("{:.2}", Report::ratio(cell, figure, other)),
        None => "-".to_owned(),
    }
}
