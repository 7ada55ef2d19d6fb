//! The rows of a tour as bars: one group a test and size, the longest bar of a group spans the chart.

use super::plan::name;
use super::report::{bytes, short};
use super::run::Measured;
use crate::args::{Test, Transport};

/// Cells of the longest bar.
const WIDTH: usize = 48;

/// The chart, ready to print.
pub fn draw(rows: &[Measured]) -> String {
    let mut text = String::new();
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let key = |row: &Measured| (row.row.spec.test, row.row.spec.size);
        let length = rest.iter().take_while(|row| key(row) == key(first)).count();
        let (group, others) = rest.split_at(length);
        text += &title(first);
        let longest = group.iter().map(value).fold(0.0, f64::max);
        for row in group {
            text += &line(row, value(row) / longest.max(f64::MIN_POSITIVE));
        }
        rest = others;
    }
    text
}

fn title(row: &Measured) -> String {
    let (what, better) = match row.row.spec.test {
        Test::Thr => ("messages a second", "longer is better"),
        Test::Lat => ("median round trip", "shorter is better"),
    };
    format!("\n{} of {} ({better})\n", what, bytes(row.row.spec.size))
}

fn value(row: &Measured) -> f64 {
    match row.row.spec.test {
        Test::Thr => row.rate(),
        Test::Lat => row.quantile(0.5).unwrap_or(0.0),
    }
}

fn line(row: &Measured, share: f64) -> String {
    let spec = row.row.spec;
    let figure = match spec.test {
        Test::Thr => format!(
            "{}msg/s {}B/s",
            short(row.rate()),
            short(row.bytes_per_second())
        ),
        Test::Lat => format!("{:.1} us", value(row)),
    };
    format!(
        "  {:<10} {:<13} {:<8} {} {figure}\n",
        way(row),
        name(spec.pattern),
        name(spec.runtime),
        bar(share)
    )
}

/// The transport; of ipc there are two.
fn way(row: &Measured) -> String {
    match (row.row.transport, row.shared) {
        (Transport::Ipc, true) => "ipc shared".to_owned(),
        (Transport::Ipc, false) => "ipc socket".to_owned(),
        (transport, _) => name(transport),
    }
}

/// A bar in eighths of a cell; never longer than the chart, never quite nothing.
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = ((share.clamp(0.0, 1.0) * (WIDTH * 8) as f64).round() as usize).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_proportional_and_bounded() {
        assert_eq!(bar(1.0), "█".repeat(WIDTH));
        assert_eq!(bar(0.5), "█".repeat(WIDTH / 2));
        assert_eq!(bar(0.0), "▏");
        assert_eq!(bar(7.0), bar(1.0));
    }
}
