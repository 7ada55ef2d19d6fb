//! `taipan rpc` and `taipan perf rpc`, by their output and exit codes.

mod common;

use common::Tool;
use serde_json::Value;

#[test]
fn a_command_serves_calls_and_its_failure_is_the_callers() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("answer.sh");
    let text = r#"#!/bin/sh
case $TAIPAN_METHOD in
        *.echo) cat ;;
        *.nothing) ;;
        *.garbage) echo '{' ;;
        *) echo "do not know $TAIPAN_METHOD" >&2; exit 3 ;;
    esac"#;
    std::fs::write(&script, text).unwrap();
    let mut permissions = std::fs::metadata(&script).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&script, permissions).unwrap();
    let command = format!(
        "rpc serve tcp://127.0.0.1:* --jobs 2 --command {}",
        script.display()
    );
    let mut server = Tool::start(&command);
    let address = server.address();
    let call = |rest: &str| Tool::start(&format!("rpc call {address} {rest}")).end();

    let ended = call(r#"A.echo 1 "two" [3,null] {"four":4.5}"#);
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    let answer: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(
        answer,
        serde_json::json!([1, "two", [3, null], { "four": 4.5 }])
    );
    assert_eq!(call("A.nothing").stdout, b"null\n");
    let ended = call("A.other");
    assert_eq!((ended.code(), ended.stdout.len()), (1, 0));
    assert!(
        ended.stderr.contains("do not know A.other"),
        "{}",
        ended.stderr
    );
    assert!(call("A.garbage").stderr.contains("not JSON"));
    assert_eq!(call("A.echo --signal").code(), 0);
    let wrong = call("A.echo {");
    assert_eq!(wrong.code(), 2, "{}", wrong.stderr);

    let listed = Tool::start(&format!("rpc list {address}")).text();
    assert!(
        listed.contains("taipan.rpc.health() -> String  [idempotent]"),
        "{listed}"
    );
    let listed = Tool::start(&format!("rpc list {address} --json")).text();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[1]["name"], "taipan.rpc");
    server.interrupt();
    assert_eq!(server.end().code(), 0);
}

#[test]
fn a_call_to_nobody_ends_in_time() {
    let ended = Tool::start("rpc call ipc:///nowhere/at/all A.b --timeout 100ms").end();
    assert_eq!(ended.code(), 1);
    assert!(
        ended.stderr.contains("the deadline passed; it did not run"),
        "{}",
        ended.stderr
    );
}

#[test]
fn calls_are_measured_in_every_way() {
    let rows = |line: &str| -> Vec<Value> {
        let text = Tool::start(&format!("perf rpc {line} --json")).text();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let mut all = rows(
        "--transport inproc,ipc,tcp --runtime current,multi --size 64,64k --in-flight 1,8 --count 50",
    );
    all.extend(rows("--transport ipc,tcp --peer --count 50"));
    assert_eq!(all.len(), 28);
    for row in &all {
        assert_eq!(row["calls"], 50);
        for key in ["calls_per_s", "p50_us", "p99_us", "cpu_us_per_call"] {
            assert!(row[key].as_f64().unwrap() > 0.0, "{key}: {row}");
        }
    }
    let wrong = Tool::start("perf rpc --transport inproc --peer").end();
    assert_eq!(wrong.code(), 2, "{}", wrong.stderr);
}
