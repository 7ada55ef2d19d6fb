//! What happens when nobody reads stdout any more.
//!
//! Alone in its file: a process that another test starts at the same moment could hold the pipe open a little
//! longer, and then nothing is closed when the tool writes.

mod common;

use common::Tool;

#[test]
fn a_closed_output_ends_it_quietly() {
    let mut pull = Tool::start("pull --bind tcp://127.0.0.1:* -t 30s");
    let address = pull.address();
    pull.close_output();
    let push = Tool::fed(&format!("push {address} -t 30s"), "nobody reads this\n");
    let ended = pull.end();
    assert_eq!(ended.stderr, "");
    assert_eq!(ended.code(), 0);
    assert_eq!(push.text(), "");
}
