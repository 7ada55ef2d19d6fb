//! What the two sides of a run say to each other besides the messages.
//!
//! All far ends live in one process (in process: beside the near end), and one thread there, the host, speaks for
//! them: it gathers what they say and says it once all have. It says it on standard output, or in process through a
//! channel; nothing else differs.
//!
//! ```text
//!   near                     host              far ends
//!     | ------ launches ------> | ---- start ----> |
//!     | <------- ready -------- | <-- all ready -- |  they are connected
//!     | ---------- go --------> | ---- gate -----> |  far ends that send wait for it
//!     | ~~~~~~~~~~~~~~~ warm-up ~~~~~~~~~~~~~~~~~> |
//!     | <-------- warm -------- | <-- all warm --- |  everything that counts comes after this
//!     | ---------- go --------> | ---- gate -----> |  and again
//!     | ~~~~~~~~~~~~~~~ messages ~~~~~~~~~~~~~~~~> |
//!     | <------- report ------- | <-- all done --- |
//!     | ----- end of input ---> |                     only now is the process with its sockets gone
//! ```
//!
//! Nobody closes anything: a process that is done exits, so what closing costs or breaks is not part of a run.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::Outcome;
use crate::job::Job;
use crate::meter::{FarReport, Role, Usage, now_ns};

/// The far ends, as the near end sees them.
pub struct Fars {
    lines: Receiver<String>,
    way: Way,
}

enum Way {
    /// A process of their own, killed if it still runs when this is dropped.
    Process(Child, Option<ChildStdin>),
    Here(Sender<String>),
}

impl Fars {
    /// Starts a process with all far ends.
    pub fn launch(job: &Job) -> Outcome<Fars> {
        let mut command = job.command(Role::Far)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or("no standard output")?;
        let input = child.stdin.take();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(out).lines();
            // Ends with the process, or when nobody listens any more.
            lines
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Ok(Fars {
            lines,
            way: Way::Process(child, input),
        })
    }

    /// Starts far ends in this process: `start` is given what they speak through.
    pub fn here(job: &Job, start: impl FnOnce(Vec<Post>)) -> Fars {
        let (hosts, lines) = mpsc::channel();
        let (tell, heard) = mpsc::channel::<String>();
        let say = move |line: &str| Ok(hosts.send(line.to_owned())?);
        let hear = move || heard.recv().is_ok();
        // Their usage is part of ours.
        let usage = || Ok(Usage::default());
        let (posts, host) = posts(job.cell.far_ends(), say, hear, usage);
        thread::spawn(host);
        start(posts);
        Fars {
            lines,
            way: Way::Here(tell),
        }
    }

    /// Waits until all far ends have said this.
    pub fn all_say(&mut self, word: &str) -> Outcome<()> {
        let line = self.lines.recv().map_err(|_| "the far ends are gone")?;
        expect(&line, word)
    }

    /// As [`Fars::all_say`] without waiting; whether they have.
    pub fn have_said(&mut self, word: &str) -> Outcome<bool> {
        match self.lines.try_recv() {
            Ok(line) => expect(&line, word).map(|()| true),
            Err(TryRecvError::Empty) => Ok(false),
            Err(TryRecvError::Disconnected) => Err("the far ends are gone".into()),
        }
    }

    /// Lets far ends that wait begin.
    pub fn go(&mut self) -> Outcome<()> {
        match &mut self.way {
            Way::Process(_, input) => {
                let input = input.as_mut().ok_or("no standard input")?;
                Ok(writeln!(input, "go")?)
            }
            Way::Here(tell) => Ok(tell.send("go".to_owned())?),
        }
    }

    /// Waits until every far end is done; they stay until [`Fars::end`].
    pub fn report(&mut self) -> Outcome<FarReport> {
        let line = self.lines.recv().map_err(|_| "the far ends are gone")?;
        report(&line)
    }

    /// As [`Fars::report`] without waiting.
    pub fn has_report(&mut self) -> Outcome<Option<FarReport>> {
        match self.lines.try_recv() {
            Ok(line) => report(&line).map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err("the far ends are gone".into()),
        }
    }

    /// Lets the far process end and waits until it is gone.
    pub fn end(mut self) -> Outcome<()> {
        if let Way::Process(child, input) = &mut self.way {
            drop(input.take());
            let status = child.wait()?;
            if !status.success() {
                return Err(format!("the far process ended with {status}").into());
            }
        }
        Ok(())
    }
}

impl Drop for Fars {
    fn drop(&mut self) {
        if let Way::Process(child, _) = &mut self.way {
            // Both fail if it is gone already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn expect(line: &str, word: &str) -> Outcome<()> {
    if line == word {
        return Ok(());
    }
    Err(format!("the far side said {line:?} instead of {word:?}").into())
}

fn report(line: &str) -> Outcome<FarReport> {
    serde_json::from_str(line).map_err(|_| format!("the far side said {line:?}").into())
}

/// What a far end tells its host.
enum Word {
    Ready,
    Warm,
    Done { end_ns: u64, messages: u64 },
    Failed(String),
}

/// What a far end speaks through.
pub struct Post {
    /// Which of the far ends it is.
    pub index: usize,
    words: Sender<Word>,
    gate: Arc<Gate>,
}

impl Post {
    fn say(&self, word: Word) -> Outcome<()> {
        Ok(self.words.send(word).map_err(|_| "the host is gone")?)
    }

    /// It is connected, as far as it can know.
    pub fn ready(&self) -> Outcome<()> {
        self.say(Word::Ready)
    }

    /// It has had its part of the warm-up.
    pub fn warm(&self) -> Outcome<()> {
        self.say(Word::Warm)
    }

    /// It has had so many counted messages, the last of them now.
    pub fn done(&self, messages: usize) -> Outcome<()> {
        self.say(Word::Done {
            end_ns: now_ns()?,
            messages: messages as u64,
        })
    }

    /// It cannot go on.
    pub fn failed(&self, why: &str) {
        // Without a host there is nobody left to tell.
        let _ = self.say(Word::Failed(why.to_owned()));
    }

    /// What far ends that send wait at.
    pub fn gate(&self) -> Arc<Gate> {
        self.gate.clone()
    }
}

/// Opens twice: for the warm-up, and for what counts.
#[derive(Default)]
pub struct Gate {
    opened: Mutex<u32>,
    change: Condvar,
}

/// The first time that the gate opens.
pub const WARM_UP: u32 = 1;
/// The second time.
pub const COUNTED: u32 = 2;

impl Gate {
    fn open(&self) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.change.notify_all();
    }

    /// Blocks until it has opened so many times.
    pub fn pass(&self, times: u32) {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.change.wait_while(opened, |opened| *opened < times);
        drop(wait.unwrap_or_else(PoisonError::into_inner));
    }
}

/// The posts of the far ends of a process, and what its host has to do.
fn posts(
    ends: usize,
    mut say: impl FnMut(&str) -> Outcome<()>,
    mut hear: impl FnMut() -> bool,
    usage: impl Fn() -> Outcome<Usage>,
) -> (Vec<Post>, impl FnOnce()) {
    let (words, heard) = mpsc::channel();
    let gate = Arc::new(Gate::default());
    let post = |index| Post {
        index,
        words: words.clone(),
        gate: gate.clone(),
    };
    let posts = (0..ends).map(post).collect();
    let host = move || {
        let mut early = Vec::new();
        let mut life = || -> Outcome<()> {
            let ready = |word: &Word| matches!(word, Word::Ready).then_some(());
            gather(&heard, &mut early, ends, ready)?;
            say("ready")?;
            hear();
            gate.open();
            let warm = |word: &Word| matches!(word, Word::Warm).then_some(());
            gather(&heard, &mut early, ends, warm)?;
            let before = usage()?;
            say("warm")?;
            hear();
            gate.open();
            let dones = gather(&heard, &mut early, ends, |word| match word {
                Word::Done { end_ns, messages } => Some((*end_ns, *messages)),
                _ => None,
            })?;
            let report = FarReport {
                end_ns: dones.iter().map(|done| done.0).max().unwrap_or(0),
                messages: dones.iter().map(|done| done.1).sum(),
                usage: usage()? - before,
            };
            say(&serde_json::to_string(&report)?)
        };
        if let Err(error) = life() {
            // If this cannot be said either, the near end is gone.
            let _ = say(&format!("failed: {error}"));
        }
        while hear() {}
    };
    (posts, host)
}

/// Waits until every far end has said what `wanted` takes. An end may be ahead of the others: what it says next is
/// kept for then.
fn gather<T>(
    heard: &Receiver<Word>,
    early: &mut Vec<Word>,
    ends: usize,
    wanted: impl Fn(&Word) -> Option<T>,
) -> Outcome<Vec<T>> {
    let mut all = Vec::with_capacity(ends);
    early.retain(|word| match wanted(word) {
        Some(part) => {
            all.push(part);
            false
        }
        None => true,
    });
    while all.len() < ends {
        let word = heard.recv()?;
        match (wanted(&word), word) {
            (Some(part), _) => all.push(part),
            (None, Word::Failed(why)) => return Err(why.into()),
            (None, word) => early.push(word),
        }
    }
    Ok(all)
}

/// The life of a far process: `start` starts the far ends, which go on until the process is gone.
pub fn far_process(job: &Job, start: impl FnOnce(Vec<Post>)) {
    let say = |line: &str| {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    };
    let hear = || {
        let mut line = String::new();
        matches!(io::stdin().read_line(&mut line), Ok(1..))
    };
    let (posts, host) = posts(job.cell.far_ends(), say, hear, Usage::now);
    start(posts);
    host();
}
