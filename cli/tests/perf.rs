//! `taipan perf`: its rows are complete and parse; how fast anything is, is not tested.

mod common;

use common::Tool;
use serde_json::Value;

const KEYS: [&str; 5] = [
    "messages",
    "seconds",
    "msgs_per_s",
    "bytes_per_s",
    "cpu_us_per_msg",
];
const LATENCIES: [&str; 5] = ["p50_us", "p90_us", "p99_us", "p999_us", "max_us"];

fn rows(line: &str) -> Vec<Value> {
    let text = Tool::start(&format!("perf {line} --json")).text();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn check(row: &Value, latencies: bool) {
    for key in KEYS {
        let value = row[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key} is missing: {row}"));
        assert!(value > 0.0, "{key}: {row}");
    }
    let times: Vec<f64> = LATENCIES
        .iter()
        .filter_map(|key| row[*key].as_f64())
        .collect();
    assert_eq!(times.len(), if latencies { 5 } else { 0 }, "{row}");
    assert!(times.is_sorted(), "{row}");
}

#[test]
fn throughput_over_all_transports_and_runtimes() {
    let rows = rows(
        "thr --transport inproc,ipc,tcp --runtime current,multi,blocking --size 1,64k --count 500",
    );
    assert_eq!(rows.len(), 18);
    for row in &rows {
        check(row, false);
        assert_eq!(row["pattern"], "push-pull");
        assert_eq!(row["messages"], 500);
    }
    let of = |key: &str| {
        rows.iter()
            .map(|row| row[key].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("size")[..2], ["1", "1"]);
    assert_eq!(
        of("transport")[..4],
        ["\"inproc\"", "\"inproc\"", "\"inproc\"", "\"ipc\""]
    );
    assert_eq!(
        of("runtime")[..3],
        ["\"current\"", "\"multi\"", "\"blocking\""]
    );
}

#[test]
fn latency_of_all_patterns() {
    let rows =
        rows("lat --pattern req-rep,dealer-router,pair --transport inproc,ipc,tcp --count 50");
    assert_eq!(rows.len(), 9);
    for row in &rows {
        check(row, true);
        assert_eq!(row["messages"], 50);
        assert_eq!(row["size"], 64);
    }
}

#[test]
fn throughput_of_the_other_patterns() {
    let rows =
        rows("thr --pattern pub-sub,dealer-router --size 0,100 --count 500 --transport inproc,tcp");
    assert_eq!(rows.len(), 8);
    for row in rows {
        assert_eq!(row["messages"], 500, "nothing is dropped: {row}");
    }
}

#[test]
fn two_processes() {
    for (line, latencies) in [
        ("thr --pattern push-pull,pub-sub", false),
        ("lat --pin same", true),
    ] {
        let rows = rows(&format!(
            "{line} --peer --transport ipc,tcp --count 200 --size 100"
        ));
        assert!(rows.len() >= 2);
        for row in &rows {
            check(row, latencies);
            assert_eq!(row["messages"], 200);
            assert_eq!(row["processes"], 2);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn rows_say_whether_memory_was_shared_and_how() {
    let rows = rows(
        "thr --peer --transport ipc,tcp --shared-memory on,off --spin auto,never,20us --views auto,never \
         --count 100 --size 64",
    );
    let spins = ["auto", "auto", "never", "never", "20us", "20us"];
    let views = ["auto", "never", "auto", "never", "auto", "never"];
    assert_eq!(rows.len(), 8);
    for (at, row) in rows.iter().enumerate() {
        check(row, false);
        assert_eq!(row["shared_memory"], at < 6, "{row}");
        assert_eq!(row["spin"].as_str(), spins.get(at).copied(), "{row}");
        assert_eq!(row["views"].as_str(), views.get(at).copied(), "{row}");
        assert_eq!(
            (&row["loan"], &row["touch"]),
            (&false.into(), &false.into())
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn loans_lie_in_shared_memory_and_every_byte_is_read() {
    for ends in ["", "--peer"] {
        let rows = rows(&format!(
            "thr --transport ipc --views auto,never --size 100k --count 100 --loan {ends}"
        ));
        assert_eq!(rows.len(), 2);
        for row in &rows {
            check(row, false);
            assert_eq!((&row["loan"], &row["touch"]), (&true.into(), &true.into()));
            assert_eq!(row["ordinary_loans"], 0, "{row}");
        }
    }
}

#[test]
fn every_byte_can_be_written_and_read_whatever_the_way() {
    let rows = rows(
        "thr --touch --transport inproc,ipc,tcp --shared-memory on,off --size 0,9,64k --count 100",
    );
    assert_eq!(rows.len(), 12);
    assert!(rows.iter().all(|row| row["touch"] == true));
    let text =
        Tool::start("perf lat --touch --transport ipc --shared-memory off --count 20").text();
    assert!(text.ends_with("  Unix socket, touched\n"), "{text}");
}

#[test]
fn a_rate_is_told_over_every_way() {
    let rows = rows(
        "thr --rate 2MB --transport inproc,ipc,tcp --shared-memory on,off --pattern push-pull,pub-sub,dealer-router \
         --runtime current,blocking --size 1000 --count 200",
    );
    assert_eq!(rows.len(), 24);
    for row in &rows {
        check(row, false);
        assert_eq!(row["messages"], 200);
        assert_eq!(row["rate"], 2_000_000);
        // How exactly is not tested: a receiver that comes late sees more.
        assert!(row["rate_held"].as_f64().unwrap() > 0.0, "{row}");
    }
    let text = Tool::start("perf thr --peer --rate 1MB --size 100 --count 500").text();
    assert!(text.ends_with(" % of 1.00 MB/s\n"), "{text}");
}

#[test]
fn a_duration_instead_of_a_count() {
    let rows = rows("thr --duration 20ms --size 64");
    check(&rows[0], false);
    assert!(rows[0]["seconds"].as_f64().unwrap() >= 0.01, "{}", rows[0]);
}

#[test]
fn a_table_with_a_header() {
    let text = Tool::start("perf lat --count 20 --size 1k").text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("pattern") && lines[0].ends_with("max us  how"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("req-rep       tcp       current      1 KiB"),
        "{text}"
    );
}

#[test]
fn the_tour_draws_a_chart() {
    let text = Tool::start("perf --duration 10ms").text();
    assert!(
        text.contains("\nmessages a second of 64 B (longer is better)\n"),
        "{text}"
    );
    assert!(
        text.contains("\nmedian round trip of 64 B (shorter is better)"),
        "{text}"
    );
    let bars = text.lines().filter(|line| line.starts_with("  "));
    assert_eq!(bars.count(), 16, "{text}");
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    for (line, why) in [
        (
            "perf thr --pattern req-rep",
            "perf thr does not know the pattern req-rep",
        ),
        (
            "perf thr --peer --transport inproc",
            "inproc does not reach another process",
        ),
        ("perf thr --count 5 --duration 1s", "cannot be used with"),
        ("perf lat --loan", "perf lat does not know --loan"),
        ("perf lat --rate 1MB", "perf lat does not know --rate"),
        (
            "perf thr --rate 1furlong",
            "unknown unit of rates `furlong`",
        ),
        ("perf thr --spin 2s", "more than 1s"),
        ("perf thr --size big", "unknown unit of size `big`"),
        ("perf thr --count 0", "0"),
    ] {
        let ended = Tool::start(line).end();
        assert_eq!(ended.code(), 2, "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{line}: {}", ended.stderr);
    }
}

#[test]
fn an_interrupt_ends_a_measurement() {
    let mut perf = Tool::start(
        "perf lat --json --size 64,64,64 --transport inproc --runtime current,blocking --duration 60ms",
    );
    // The first row is out: the second is running, or about to.
    assert!(perf.line().starts_with('{'));
    perf.interrupt();
    assert_eq!(perf.end().code(), 130);
}
