//! Processes for tests: the test binary runs itself, as a child with a role or as one test alone.
//!
//! ```text
//!   Child::start(role, args) ──► this binary, `--exact children::child`, the role and its arguments in the environment
//!   tell(line) ── stdin ──► hear()          line() ◄── stdout, lines that begin with "@ " ── say(line)
//! ```
//!
//! Invariants: a child dies with the thread that started it, however that ends; each is waited for; a child that fails
//! by itself, instead of being killed, fails the test.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::{env, io, process, thread};

use rustix::process::{Pid, Signal};

const ROLE: &str = "TAIPAN_TEST_ROLE";
const ARGS: &str = "TAIPAN_TEST_ARGS";
const ALONE: &str = "TAIPAN_TEST_ALONE";
/// What a child's words begin with, to tell them from what the test harness prints.
const MARK: &str = "@ ";

/// A child process with a role.
pub struct Child {
    child: process::Child,
    stdin: ChildStdin,
    lines: BufReader<ChildStdout>,
}

fn this_binary() -> Command {
    let mut command = Command::new(env::current_exe().expect("this binary"));
    command.args(["--nocapture", "--test-threads=1", "--exact"]);
    command.env_remove(ALONE).env_remove(ROLE);
    command
}

impl Child {
    pub fn start(role: &str, args: &[&str]) -> Child {
        let mut child = this_binary()
            .arg("children::child")
            .env(ROLE, role)
            .env(ARGS, args.join(" "))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let stdin = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Child {
            child,
            stdin,
            lines,
        }
    }

    /// Says something to the child.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").expect("the child listens");
    }

    /// The next thing the child says; `None` when it has ended.
    pub fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("text") == 0 {
                return None;
            }
            // The harness leaves its own line unfinished, and a killed child perhaps its last one.
            if let Some(at) = line.find(MARK)
                && line.ends_with('\n')
            {
                return Some(line[at + MARK.len()..].trim_end().to_owned());
            }
        }
    }

    /// Waits for the child to say just this.
    pub fn expect(&mut self, wanted: &str) {
        assert_eq!(self.line().as_deref(), Some(wanted));
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process");
        rustix::process::kill_process(pid, signal).expect("it is ours, and not waited for");
    }

    /// Kills the child, which must not have ended by itself. Returns what it had said.
    pub fn kill(mut self) -> Vec<String> {
        self.signal(Signal::KILL);
        let status = self.child.wait().expect("a child");
        assert_eq!(
            status.signal(),
            Some(9),
            "the child ended by itself: {status}"
        );
        std::iter::from_fn(|| self.line()).collect()
    }

    /// Stops the child until [`go_on`](Self::go_on).
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.child.id());
        crate::common::until(|| {
            let stat = std::fs::read_to_string(&stat).expect("its state");
            stat.rsplit(") ")
                .next()
                .is_some_and(|rest| rest.starts_with('T'))
        });
    }

    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits until the child has done all it had to, without fault.
    pub fn finish(mut self) {
        assert_eq!(self.line(), None, "the child has said all it had to");
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "the child failed: {status}");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The role of this process and its arguments, if it is a child.
pub fn role() -> Option<(String, Vec<String>)> {
    let role = env::var(ROLE).ok()?;
    let args = env::var(ARGS).unwrap_or_default();
    Some((role, args.split(' ').map(str::to_owned).collect()))
}

/// Plays a role: ends with its parent, and as soon as any of its threads panics.
pub fn play(act: impl FnOnce()) -> ! {
    let death = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    death.expect("known to Linux");
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        process::exit(101);
    }));
    act();
    process::exit(0);
}

/// Says something to the parent.
pub fn say(line: &str) {
    let mut out = io::stdout().lock();
    // In one write, so that a line is said whole or not at all.
    let _ = out.write_all(format!("{MARK}{line}\n").as_bytes());
    let _ = out.flush();
}

/// What the parent says next; `None` when it is gone.
pub fn hear() -> Option<String> {
    let mut line = String::new();
    let count = io::stdin().lock().read_line(&mut line).expect("text");
    (count > 0).then(|| line.trim_end().to_owned())
}

/// Runs the calling test once more in a process of its own, where this returns `true`: for tests that count what the
/// whole process has.
pub fn alone() -> bool {
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let test = thread::current().name().expect("a test").to_owned();
    let status = this_binary()
        .arg(&test)
        .env(ALONE, "1")
        .stdout(Stdio::null())
        .status();
    let status = status.expect("a process");
    assert!(status.success(), "{test}, alone: {status}");
    false
}
