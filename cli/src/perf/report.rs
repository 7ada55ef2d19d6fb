//! Finished rows as a table for people, or as JSON for scripts, and the progress bar.
//!
//! JSON: one object a row with the keys `test`, `pattern`, `transport`, `runtime`, `processes`, `pin`, `size`,
//! `messages` (lat: round trips), `seconds`, `msgs_per_s`, `bytes_per_s`, `cpu_us_per_msg` (both ends), for lat
//! `p50_us`, `p90_us`, `p99_us`, `p999_us`, `max_us` of the round trips, and what was used: `shared_memory` (as the
//! link was, not as it was asked for), over shared memory `spin` and `views`, `touch`, `loan`, and with that
//! `ordinary_loans` (those that did not lie in shared memory, because it was off or full; warm-up included); with a
//! rate `rate` (bytes a second asked for) and `rate_held` (1 is exactly that).

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::plan::{Amount, Row, name};
use super::run::Measured;
use crate::args::{Pin, Test, Transport, Views};
use crate::failure::Failure;
use crate::values::spin_name;

/// The columns of percentiles: their JSON keys and quantiles.
const QUANTILES: [(&str, f64); 5] = [
    ("p50_us", 0.5),
    ("p90_us", 0.9),
    ("p99_us", 0.99),
    ("p999_us", 0.999),
    ("max_us", 1.0),
];

/// Prints rows as they come.
pub struct Report {
    json: bool,
    /// The test whose header was printed last.
    under: Option<Test>,
}

impl Report {
    /// A report in JSON, or as a table.
    pub fn new(json: bool) -> Report {
        Report { json, under: None }
    }

    /// Prints a row.
    pub fn row(&mut self, measured: &Measured) -> Result<(), Failure> {
        let mut text = String::new();
        if self.json {
            text = json_row(measured).to_string();
        } else {
            let test = measured.row.spec.test;
            if self.under.replace(test) != Some(test) {
                text = format!(
                    "{}{}\n",
                    if text.is_empty() { "" } else { "\n" },
                    header(test)
                );
            }
            text += &table_row(measured);
        }
        writeln!(io::stdout(), "{text}").map_err(Failure::output)
    }
}

fn json_row(measured: &Measured) -> serde_json::Value {
    let Row {
        spec,
        transport,
        peer,
        cpus,
    } = measured.row;
    let pin = match cpus {
        (Some(near), Some(far)) if near == far => Pin::Same,
        (Some(_), Some(_)) => Pin::Split,
        _ => Pin::None,
    };
    let mut row = json!({
        "test": name(spec.test),
        "pattern": name(spec.pattern),
        "transport": name(transport),
        "runtime": name(spec.runtime),
        "processes": if peer { 2 } else { 1 },
        "pin": name(pin),
        "size": spec.size,
        "messages": measured.messages,
        "seconds": measured.seconds,
        "msgs_per_s": measured.rate(),
        "bytes_per_s": measured.bytes_per_second(),
        "cpu_us_per_msg": measured.cpu_per_message(),
    });
    for (key, quantile) in QUANTILES {
        if let Some(time) = measured.quantile(quantile) {
            row[key] = json!(time);
        }
    }
    let manner = spec.manner;
    row["shared_memory"] = json!(measured.shared);
    if measured.shared {
        row["spin"] = json!(spin_name(manner.spin));
        row["views"] = json!(name(manner.views));
    }
    row["touch"] = json!(manner.touch);
    row["loan"] = json!(manner.loan);
    if manner.loan {
        row["ordinary_loans"] = json!(measured.ordinary_loans);
    }
    if let (Some(rate), Some(held)) = (spec.rate, measured.rate_held()) {
        row["rate"] = json!(rate);
        row["rate_held"] = json!(held);
    }
    row
}

/// What was used, in words; nothing where there was no choice.
fn how(measured: &Measured) -> String {
    let (row, manner) = (measured.row, measured.row.spec.manner);
    let mut words = Vec::new();
    if measured.shared {
        words.push(format!("shared memory, spin {}", spin_name(manner.spin)));
        match manner.views {
            Views::Auto => {}
            Views::Never => words.push("copied on receipt".to_owned()),
            Views::Always => words.push("views always".to_owned()),
        }
    } else if row.transport == Transport::Ipc {
        words.push("Unix socket".to_owned());
    }
    match measured.ordinary_loans {
        _ if !manner.loan => {}
        0 => words.push("loaned".to_owned()),
        some => words.push(format!(
            "loaned ({} not shared)",
            short(some as f64).trim_end()
        )),
    }
    if manner.touch {
        words.push("touched".to_owned());
    }
    if let (Some(rate), Some(held)) = (row.spec.rate, measured.rate_held()) {
        words.push(format!(
            "{:.2} % of {}B/s",
            held * 100.0,
            short(rate as f64)
        ));
    }
    words.join(", ")
}

fn header(test: Test) -> String {
    let (what, rest) = match test {
        Test::Thr => ("messages", String::new()),
        Test::Lat => {
            let columns = ["p50 us", "p90 us", "p99 us", "p99.9 us", "max us"];
            (
                "trips",
                columns.map(|column| format!(" {column:>9}")).concat(),
            )
        }
    };
    let per_second = format!("{what}/s");
    format!(
        "{:<13} {:<9} {:<8} {:>9} {what:>11} {per_second:>12} {:>12} {:>8}{rest}  how",
        "pattern", "transport", "runtime", "size", "bytes/s", "cpu us"
    )
}

fn table_row(measured: &Measured) -> String {
    let Row {
        spec, transport, ..
    } = measured.row;
    let times = QUANTILES.map(|(_, quantile)| measured.quantile(quantile));
    let times: String = times
        .iter()
        .flatten()
        .map(|time| format!(" {time:>9.2}"))
        .collect();
    let row = format!(
        "{:<13} {:<9} {:<8} {:>9} {:>11} {:>12} {:>12} {:>8.3}{times}  {}",
        name(spec.pattern),
        name(transport),
        name(spec.runtime),
        bytes(spec.size),
        measured.messages,
        short(measured.rate()),
        format!("{}B", short(measured.bytes_per_second())),
        measured.cpu_per_message(),
        how(measured),
    );
    row.trim_end().to_owned()
}

/// `1.23 M`: three digits or so, in units of 1000.
pub fn short(value: f64) -> String {
    match value {
        _ if value >= 1e9 => format!("{:.2} G", value / 1e9),
        _ if value >= 1e6 => format!("{:.2} M", value / 1e6),
        _ if value >= 1e3 => format!("{:.1} k", value / 1e3),
        _ => format!("{value:.1} "),
    }
}

/// `64 KiB`: a size in the largest unit that divides it.
pub fn bytes(size: usize) -> String {
    match size {
        _ if size >= 1 << 20 && size.is_multiple_of(1 << 20) => format!("{} MiB", size >> 20),
        _ if size >= 1 << 10 && size.is_multiple_of(1 << 10) => format!("{} KiB", size >> 10),
        _ => format!("{size} B"),
    }
}

/// The progress of one row on a terminal; invisible elsewhere.
pub fn progress(row: Row, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let (bar, template) = match row.spec.amount {
        Amount::Count(count) => (
            ProgressBar::new(count),
            "{spinner} {msg} {wide_bar} {pos}/{len} {per_sec}",
        ),
        Amount::For(_) => (
            ProgressBar::new_spinner(),
            "{spinner} {msg} {elapsed} {pos} {per_sec}",
        ),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let Row {
        spec, transport, ..
    } = row;
    let (test, pattern) = (name(spec.test), name(spec.pattern));
    bar.set_message(format!(
        "{test} {pattern} {} {}",
        name(transport),
        bytes(spec.size)
    ));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(1_234_567.0), "1.23 M");
        assert_eq!(short(999.0), "999.0 ");
        assert_eq!(short(12_345.0), "12.3 k");
        assert_eq!(bytes(64), "64 B");
        assert_eq!(bytes(65536), "64 KiB");
        assert_eq!(bytes(1500), "1500 B");
    }
}
