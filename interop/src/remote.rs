//! A [`Peer`] in a child process, which can be stopped and killed.
//!
//! Invariant: the child never outlives the value.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::peer::{Frames, Peer, PeerOptions, Refusal};
use crate::serve::{frames_to_text, hex, text_to_frames};

/// A child process that runs [`serve`](crate::serve).
#[derive(Debug)]
pub struct RemotePeer {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for RemotePeer {
    fn drop(&mut self) {
        self.end();
    }
}

impl RemotePeer {
    /// Starts the program and opens a socket in it. Lines of its output that are no answers (a test binary greets)
    /// are skipped up to the first answer.
    pub fn start(program: &mut Command, options: &PeerOptions) -> Self {
        let program = program.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = program.spawn().expect("the peer process starts");
        let commands = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut peer = Self {
            child,
            commands,
            answers,
        };
        let routing_id = hex(&options.routing_id);
        peer.tell(&format!("open {} {routing_id}", options.kind.name()));
        while peer.hear() != "ok" {}
        peer
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process: it has no time to say goodbye (SIGKILL).
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").expect("the peer process listens");
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        let count = self
            .answers
            .read_line(&mut line)
            .expect("the peer process speaks text");
        assert_ne!(count, 0, "the peer process has ended");
        line.trim_end_matches('\n').to_owned()
    }

    fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.hear()
    }

    fn order(&mut self, command: &str) {
        assert_eq!(self.ask(command), "ok", "{command}");
    }
}

impl Peer for RemotePeer {
    fn bind(&mut self, endpoint: &str) -> String {
        let answer = self.ask(&format!("bind {endpoint}"));
        let resolved = answer.strip_prefix("ok ");
        resolved
            .unwrap_or_else(|| panic!("bind {endpoint}: {answer}"))
            .to_owned()
    }

    fn connect(&mut self, endpoint: &str) {
        self.order(&format!("connect {endpoint}"));
    }

    fn subscribe(&mut self, topic: &[u8]) {
        self.order(&format!("subscribe {}", hex(topic)));
    }

    fn unsubscribe(&mut self, topic: &[u8]) {
        self.order(&format!("unsubscribe {}", hex(topic)));
    }

    fn send(&mut self, message: &[Vec<u8>]) -> Result<(), Refusal> {
        match self
            .ask(&format!("send {}", frames_to_text(message)))
            .as_str()
        {
            "ok" => Ok(()),
            "timeout" => Err(Refusal::TimedOut),
            "unroutable" => Err(Refusal::Unroutable),
            answer => panic!("send: {answer}"),
        }
    }

    fn recv(&mut self, timeout: Duration) -> Option<Frames> {
        let answer = self.ask(&format!("recv {}", timeout.as_millis()));
        if answer == "timeout" {
            return None;
        }
        let frames = answer.strip_prefix("message ");
        Some(text_to_frames(
            frames.unwrap_or_else(|| panic!("recv: {answer}")),
        ))
    }
}
