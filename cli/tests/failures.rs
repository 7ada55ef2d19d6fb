//! How the tool ends when things go wrong: exit codes, messages, and nothing left hanging.

mod common;

use common::{Ended, Tool};

fn run(line: &str, input: &str) -> Ended {
    Tool::fed(line, input).end()
}

#[test]
fn no_subcommand_is_wrong_usage() {
    let ended = Tool::start("").end();
    assert_eq!(ended.code(), 2);
    assert!(ended.stderr.contains("Usage: taipan"), "{}", ended.stderr);
}

#[test]
fn a_bad_address_is_wrong_usage_and_named() {
    for (line, why) in [
        ("push nonsense", "\"nonsense\" has no scheme"),
        (
            "pull carrier-pigeon://roof",
            "no transport is registered for carrier-pigeon://",
        ),
        (
            "pull --bind carrier-pigeon://roof",
            "no transport is registered for carrier-pigeon://",
        ),
        ("push tcp://127.0.0.1:notaport", "notaport"),
    ] {
        let ended = Tool::start(line).end();
        assert_eq!(ended.code(), 2, "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{line}: {}", ended.stderr);
        assert!(ended.stdout.is_empty());
    }
}

#[test]
fn an_address_in_use_is_a_failure() {
    let mut first = Tool::start("pull --bind tcp://127.0.0.1:*");
    let address = first.address();
    let ended = Tool::start(&format!("pull --bind {address}")).end();
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stderr,
        format!("taipan: {address}: the address is in use\n")
    );
}

#[test]
fn nothing_within_the_timeout_is_a_failure() {
    let ended = Tool::start("pull -q --bind tcp://127.0.0.1:* --timeout 20ms").end();
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stderr,
        "taipan: timed out: nothing arrived within 20ms\n"
    );

    let ended = run("pub -q --bind tcp://127.0.0.1:* --timeout 20ms", "x\n");
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stderr,
        "taipan: timed out: fewer than 1 subscribers came within 20ms\n"
    );

    let ended = run("push -q --bind tcp://127.0.0.1:* --timeout 20ms", "x\n");
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stderr,
        "taipan: timed out: no peer has room within 20ms\n"
    );
}

#[test]
fn a_missing_reply_is_a_failure() {
    let mut rep = Tool::start("pull --bind tcp://127.0.0.1:*");
    let address = rep.address();
    let ended = run(&format!("req {address} --timeout 50ms"), "x\n");
    assert_eq!(ended.code(), 1);
    assert!(ended.stderr.contains("timed out"), "{}", ended.stderr);
}

#[test]
fn what_could_not_be_sent_is_counted() {
    // Nobody listens at this path.
    let directory = tempfile::tempdir().unwrap();
    let address = format!("ipc://{}/nobody", directory.path().display());
    let ended = run(&format!("push {address} --linger 20ms"), "1\n2\n3\n");
    assert_eq!(ended.code(), 1);
    assert_eq!(ended.stderr, "taipan: timed out: 3 messages not sent\n");
}

#[test]
fn broken_input_is_named() {
    let ended = run("push tcp://127.0.0.1:1 --format json --linger 0s", "{\n");
    assert_eq!(ended.code(), 1);
    assert!(
        ended
            .stderr
            .starts_with("taipan: stdin, record 1: not JSON"),
        "{}",
        ended.stderr
    );

    let ended = run(
        "push tcp://127.0.0.1:1 --format delimited --linger 0s",
        "\0\0",
    );
    assert_eq!(ended.code(), 1);
    assert_eq!(ended.stderr, "taipan: stdin ends within a message\n");
}

#[test]
fn a_request_without_a_reply_on_stdin_is_a_failure() {
    let mut rep = Tool::start("rep --bind tcp://127.0.0.1:* -t 30s");
    let address = rep.address();
    let mut req = Tool::start(&format!("req {address} -t 30s"));
    req.feed("question\n");
    assert_eq!(rep.line(), "question");
    let ended = rep.end();
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stderr,
        "taipan: stdin has no reply to the last request\n"
    );
}

#[test]
fn an_interrupt_is_the_end_of_what_is_endless() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let mut pull = Tool::start(&format!("pull -v --bind ipc://{}", path.display()));
    pull.address();
    assert!(path.exists());
    pull.interrupt();
    assert_eq!(pull.end().code(), 0);
    assert!(!path.exists());
}

#[test]
fn an_interrupt_before_the_end_is_told_by_the_exit_code() {
    let mut pull = Tool::start("pull --bind tcp://127.0.0.1:* --count 1");
    pull.address();
    pull.interrupt();
    assert_eq!(pull.end().code(), 130);
}
