//! Messages through the tool: every pattern, every format, from one process to another.

mod common;

use common::Tool;

/// A socket that listens at a port of the system's choice, and the address to reach it.
fn listening(line: &str) -> (Tool, String) {
    let mut tool = Tool::start(&format!("{line} --bind tcp://127.0.0.1:* -t 30s"));
    let address = tool.address();
    (tool, address)
}

#[test]
fn lines_from_push_to_pull_over_tcp() {
    let (pull, address) = listening("pull --count 3");
    let push = Tool::fed(
        &format!("push {address} -t 30s"),
        "one\n\nthree without an end",
    );
    assert_eq!(pull.text(), "one\n\nthree without an end\n");
    assert_eq!(push.text(), "");
}

#[test]
fn thousands_of_lines_arrive_in_order_and_none_is_lost_at_the_end() {
    let (mut pull, address) = listening("pull --count 20000");
    pull.close_input();
    let lines: String = (0..20_000)
        .map(|number| format!("line {number}\n"))
        .collect();
    let reader = std::thread::spawn(move || pull.text());
    let push = Tool::fed(&format!("push {address} -t 30s"), &lines);
    assert_eq!(push.text(), "");
    assert_eq!(reader.join().unwrap(), lines);
}

#[test]
fn lines_over_ipc_with_the_sender_first() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let address = format!("ipc://{}", path.display());
    let push = Tool::fed(&format!("push {address} -t 30s"), "early\n");
    let pull = Tool::start(&format!("pull --bind {address} --count 1 -t 30s"));
    assert_eq!(pull.text(), "early\n");
    assert_eq!(push.text(), "");
    assert!(!path.exists(), "the socket's file is removed at the end");
}

#[cfg(target_os = "linux")]
#[test]
fn ipc_is_over_shared_memory_unless_one_end_does_not_want_it() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("ipc://{}/socket", directory.path().display());
    for (flags, shared) in [
        (["", ""], true),
        (["--no-shared-memory", ""], false),
        (["", "--no-shared-memory"], false),
    ] {
        let pull = Tool::start(&format!(
            "pull -v --bind {address} {} --count 1 -t 30s",
            flags[0]
        ));
        let push = Tool::fed(&format!("push {address} {} -t 30s", flags[1]), "hello\n");
        assert_eq!(push.text(), "");
        let ended = pull.end();
        assert_eq!((ended.code(), &ended.stdout[..]), (0, &b"hello\n"[..]));
        let told = ended.stderr.contains("SharedMemory { outcome: Ok(()) }");
        assert_eq!(told, shared, "{flags:?}: {}", ended.stderr);
    }
}

#[test]
fn count_stops_a_sender() {
    let (pull, address) = listening("pull --count 2");
    let mut push = Tool::start(&format!("push {address} --count 2 -t 30s"));
    push.feed("1\n2\n3\n4\n");
    assert_eq!(pull.text(), "1\n2\n");
    assert_eq!(push.text(), "");
}

#[test]
fn a_publisher_waits_for_its_subscriber_who_gets_its_topics() {
    let (publisher, address) = {
        let mut publisher = Tool::start("pub --bind tcp://127.0.0.1:* -t 30s");
        publisher.feed("apple 1\nbanana 2\ncherry 3\napple 4\n");
        publisher.close_input();
        let address = publisher.address();
        (publisher, address)
    };
    let sub = Tool::start(&format!(
        "sub {address} --topic apple --topic ch --count 3 -t 30s"
    ));
    assert_eq!(sub.text(), "apple 1\ncherry 3\napple 4\n");
    assert_eq!(publisher.text(), "");
}

#[test]
fn a_subscriber_without_topics_gets_everything() {
    let mut publisher = Tool::start("pub --bind tcp://127.0.0.1:* --peers 2 -t 30s");
    publisher.feed("to both\n");
    let address = publisher.address();
    let subscribers = [(); 2].map(|()| Tool::start(&format!("sub {address} --count 1 -t 30s")));
    assert_eq!(subscribers.map(Tool::text), ["to both\n", "to both\n"]);
}

#[test]
fn requests_get_their_replies() {
    let mut rep = Tool::start("rep --bind tcp://127.0.0.1:* -t 30s");
    rep.feed("first answer\nsecond answer\n");
    let address = rep.address();
    let req = Tool::fed(
        &format!("req {address} -t 30s"),
        "first question\nsecond question\n",
    );
    assert_eq!(req.text(), "first answer\nsecond answer\n");
    assert_eq!(rep.text(), "first question\nsecond question\n");
}

#[test]
fn an_echo_replies_with_the_request() {
    let (rep, address) = listening("rep --echo --count 2");
    let req = Tool::fed(&format!("req {address} -t 30s"), "a\nb\n");
    assert_eq!(req.text(), "a\nb\n");
    assert_eq!(rep.text(), "a\nb\n");
}

#[test]
fn a_router_prints_who_it_was_and_answers_whom_it_is_told() {
    let (mut router, address) = listening("router --count 1");
    let dealer = Tool::fed(
        &format!("dealer {address} --routing-id bob --count 1 -t 30s"),
        "hi\n",
    );
    assert_eq!(router.line(), "bob\thi");
    router.feed("bob\thello\n");
    assert_eq!(dealer.text(), "hello\n");
    assert_eq!(router.text(), "");
}

#[test]
fn a_router_names_peers_without_a_name_in_hexadecimal() {
    let (router, address) = listening("router --count 1");
    let dealer = Tool::fed(&format!("dealer {address} --count 0 -t 30s"), "hi\n");
    assert_eq!(dealer.text(), "");
    let line = router.text();
    let (id, text) = line.split_once('\t').unwrap();
    assert!(id.starts_with("0x00") && id.len() == 12, "{id}");
    assert_eq!(text, "hi\n");
}

#[test]
fn a_router_says_what_it_could_not_send() {
    let router = Tool::fed(
        "router --bind tcp://127.0.0.1:* --count 0 -t 30s",
        "nobody\thello\n",
    );
    let ended = router.end();
    assert_eq!(ended.code(), 1);
    assert!(
        ended
            .stderr
            .ends_with("no such peer: b\"nobody\"\ntaipan: 1 message not sent: no such peer\n"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_pair_talks_both_ways() {
    let mut left = Tool::start("pair --bind tcp://127.0.0.1:* --count 1 -t 30s");
    let address = left.address();
    left.feed("from the left\n");
    let right = Tool::fed(
        &format!("pair {address} --count 1 -t 30s"),
        "from the right\n",
    );
    assert_eq!(right.text(), "from the left\n");
    assert_eq!(left.text(), "from the right\n");
}

#[test]
fn json_keeps_frames_and_bytes() {
    let messages = "[\"a\",\"\",\"tab\\tline\\n\"]\n[{\"base64\":\"/wA=\"}]\n";
    let (pull, address) = listening("pull --format json --count 2");
    let push = Tool::fed(&format!("push {address} --format json -t 30s"), messages);
    assert_eq!(pull.text(), messages);
    assert_eq!(push.text(), "");
}

#[test]
fn delimited_keeps_frames_and_bytes() {
    let messages = b"\0\0\0\x02\0\0\0\x03a\n\xff\0\0\0\0\0\0\0\x01\0\0\0\x01b";
    let (pull, address) = listening("pull --format delimited --count 2");
    let push = Tool::fed(
        &format!("push {address} --format delimited -t 30s"),
        messages,
    );
    assert_eq!(pull.output(), messages);
    assert_eq!(push.text(), "");
}

#[test]
fn formats_may_differ_at_the_ends() {
    let (pull, address) = listening("pull --format json --count 1");
    let push = Tool::fed(&format!("push {address} -t 30s"), "plain\n");
    assert_eq!(pull.text(), "[\"plain\"]\n");
    assert_eq!(push.text(), "");
}

#[test]
fn a_proxy_forwards_and_ends_when_interrupted() {
    let mut proxy = Tool::start("proxy --kind router-dealer tcp://127.0.0.1:* tcp://127.0.0.1:*");
    let (front, back) = (proxy.address(), proxy.address());
    let rep = Tool::start(&format!("rep --echo {back} --count 2 -t 30s"));
    let req = Tool::fed(&format!("req {front} -t 30s"), "through\nthe middle\n");
    assert_eq!(req.text(), "through\nthe middle\n");
    assert_eq!(rep.text(), "through\nthe middle\n");
    proxy.interrupt();
    assert_eq!(proxy.text(), "");
}

#[test]
fn a_proxy_shapes_the_link_of_whoever_is_behind_it() {
    let (line, count) = ("x".repeat(1000), 50);
    let mut proxy = Tool::start(
        "proxy -v --kind router-dealer --rate-in 200kB --rate-out 100kB tcp://127.0.0.1:* tcp://127.0.0.1:*",
    );
    let (front, back) = (proxy.address(), proxy.address());
    let rep = Tool::start(&format!("rep --echo {back} --count {count} -t 30s"));
    let lines = format!("{line}\n").repeat(count);
    let start = std::time::Instant::now();
    let req = Tool::fed(&format!("req {front} --count {count} -t 30s"), &lines);
    assert_eq!(req.text(), lines);
    // 50 kB back at 100 kB/s, of which 5 kB may go at once.
    assert!(start.elapsed().as_secs_f64() >= 0.44);
    assert_eq!(rep.end().code(), 0);
    proxy.interrupt();
    let ended = proxy.end();
    assert_eq!(ended.code(), 0);
    for way in ["forward", "back"] {
        let told = format!("of {count} messages delayed on the way {way}");
        assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    }
}

#[test]
fn a_shaped_proxy_loses_nothing_of_a_stream() {
    let mut proxy =
        Tool::start("proxy --kind pull-push --rate-in 1MB tcp://127.0.0.1:* tcp://127.0.0.1:*");
    let (front, back) = (proxy.address(), proxy.address());
    let lines: String = (0..5000).map(|number| format!("line {number}\n")).collect();
    let mut pull = Tool::start(&format!("pull {back} --count 5000 -t 30s"));
    pull.close_input();
    let reader = std::thread::spawn(move || pull.text());
    assert_eq!(
        Tool::fed(&format!("push {front} -t 30s"), &lines).text(),
        ""
    );
    assert_eq!(reader.join().unwrap(), lines);
    proxy.interrupt();
    assert_eq!(proxy.text(), "");
}

#[test]
fn a_proxy_passes_subscriptions_on() {
    let mut proxy = Tool::start("proxy --kind xsub-xpub tcp://127.0.0.1:* tcp://127.0.0.1:*");
    let (front, back) = (proxy.address(), proxy.address());
    let sub = Tool::start(&format!("sub {back} --topic b --count 1 -t 30s"));
    let publisher = Tool::fed(&format!("pub {front} -t 30s"), "a\nb\n");
    assert_eq!(sub.text(), "b\n");
    assert_eq!(publisher.text(), "");
    proxy.interrupt();
    assert_eq!(proxy.text(), "");
}
