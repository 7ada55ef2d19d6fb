//! The tool as a child process, for tests: nothing here sleeps, everything waits for what the tool says.
//!
//! Invariant: a tool that is dropped is ended, so that a test that fails leaves nothing behind.

#![allow(dead_code, reason = "each test uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// A running `taipan`.
pub struct Tool {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

/// A `taipan` that has ended.
#[derive(Debug)]
pub struct Ended {
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub status: ExitStatus,
}

impl Tool {
    /// Starts the tool with arguments separated by blanks.
    pub fn start(line: &str) -> Tool {
        let mut child = Command::new(env!("CARGO_BIN_EXE_taipan"))
            .args(line.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Tool { child, stderr }
    }

    /// Starts the tool, gives it all of its input, and closes it.
    pub fn fed(line: &str, input: impl AsRef<[u8]>) -> Tool {
        let mut tool = Tool::start(line);
        tool.feed(input);
        tool.close_input();
        tool
    }

    /// More input. Small enough for the pipe.
    pub fn feed(&mut self, input: impl AsRef<[u8]>) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(input.as_ref()).unwrap();
    }

    pub fn close_input(&mut self) {
        self.child.stdin = None;
    }

    /// Nobody reads the output any more.
    pub fn close_output(&mut self) {
        self.child.stdout = None;
    }

    /// Waits for one line of output.
    pub fn line(&mut self) -> String {
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut line = Vec::new();
        let mut byte = [0];
        while stdout.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Waits until stderr says that the tool listens; returns where.
    pub fn address(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("taipan: listening at ");
        address
            .unwrap_or_else(|| panic!("no address: {line}"))
            .to_owned()
    }

    pub fn interrupt(&self) {
        let id = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(id, Signal::INT).unwrap();
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ended {
        let (mut stdout, mut stderr) = (Vec::new(), String::new());
        self.close_input();
        if let Some(mut output) = self.child.stdout.take() {
            output.read_to_end(&mut stdout).unwrap();
        }
        self.stderr.read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        Ended {
            stdout,
            stderr,
            status,
        }
    }

    /// Waits for the end, which has to be a good one; returns the output.
    pub fn output(self) -> Vec<u8> {
        let ended = self.end();
        assert_eq!(ended.code(), 0, "{}", ended.stderr);
        ended.stdout
    }

    /// As [`Tool::output`], as text.
    pub fn text(self) -> String {
        String::from_utf8(self.output()).unwrap()
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        // It has ended already, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }
}
