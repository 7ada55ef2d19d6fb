//! How many messages a sample has: as many as take about the time that was asked for, found by short runs first.

use crate::Outcome;
use crate::cells::Cell;
use crate::meter::Sample;

/// Messages of a run.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    pub count: usize,
    /// Those before.
    pub warm_up: usize,
}

/// Nobody needs more than this for a median.
const MOST: usize = 20_000_000;
/// A sample of a slow peer may take so many times the time that was asked for, to reach the least that is wanted.
const STRETCH: f64 = 4.0;
/// Short runs, each up to so many times as long as the one before.
const GROWTH: f64 = 50.0;
const ATTEMPTS: usize = 4;

impl Amount {
    fn of(cell: Cell, count: usize) -> Amount {
        let window = cell.window() * cell.far_ends();
        // Enough to fill what lies between, unless that takes longer than the sample.
        let least = if cell.asks() { 100 } else { window };
        Amount {
            count,
            warm_up: (count / 10).max(least.min(count)).max(10),
        }
    }
}

/// The least that a figure should rest upon.
fn least(cell: Cell) -> f64 {
    if cell.asks() { 2_000.0 } else { 200.0 }
}

/// How many messages take about `millis`, for what `run` runs.
pub fn calibrate(
    cell: Cell,
    millis: u64,
    mut run: impl FnMut(Amount) -> Outcome<Sample>,
) -> Outcome<Amount> {
    let seconds = millis as f64 / 1e3;
    let mut count = first(cell);
    for _ in 0..ATTEMPTS {
        let took = run(Amount::of(cell, count))?.seconds.max(1e-6);
        let rate = count as f64 / took;
        let wanted = (rate * seconds)
            .max(least(cell))
            .min(rate * seconds * STRETCH)
            .clamp(10.0, MOST as f64);
        let known = took >= seconds / 6.0 || wanted <= count as f64;
        count = if known {
            wanted as usize
        } else {
            // What is that short says little: a longer run knows better.
            (wanted / 3.0).min(count as f64 * GROWTH) as usize + 1
        };
        if known {
            break;
        }
    }
    Ok(Amount::of(cell, count))
}

/// A number that hurts nobody.
fn first(cell: Cell) -> usize {
    match cell.size {
        _ if cell.asks() => 100,
        size if size >= 64 << 10 => 20,
        _ => 500,
    }
}

/// For a run that only has to run.
pub fn smoke_amount() -> Amount {
    Amount {
        count: 100,
        warm_up: 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::find;

    /// What calibration makes of a peer that takes so long for a message.
    fn count_at(id: &str, seconds_each: f64) -> usize {
        let cell = find(id).expect("a cell");
        let run = |amount: Amount| {
            Ok(Sample {
                seconds: amount.count as f64 * seconds_each,
                messages: amount.count as u64,
                bytes: 0,
                cpu_us: 0.0,
                sleeps: 0.0,
                latency_us: None,
            })
        };
        calibrate(cell, 250, run).expect("calibrated").count
    }

    #[test]
    fn a_sample_takes_about_the_time_that_was_asked_for() {
        let fast = count_at("tcp/push-pull/64/unpinned", 1e-7);
        assert!((2_000_000..3_000_000).contains(&fast), "{fast}");
        let round_trips = count_at("tcp/req-rep/64/unpinned", 5e-5);
        assert!((4_000..6_000).contains(&round_trips), "{round_trips}");
    }

    #[test]
    fn a_slow_peer_gets_the_least_if_it_can() {
        assert_eq!(count_at("tcp/req-rep/64/unpinned", 3e-4), 2_000);
        // A minimum of two thousand would take twenty seconds.
        assert_eq!(count_at("tcp/req-rep/64/unpinned", 1e-2), 100);
    }
}
