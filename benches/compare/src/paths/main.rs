//! What a message costs on each path, counted rather than timed: instructions (callgrind), allocations, system calls
//! (strace), and how often a thread goes to sleep.
//!
//! ```text
//! cargo run --release --manifest-path benches/compare/Cargo.toml --features paths --bin taipan-paths [-- NAME ...]
//! ```
//!
//! Each figure is the difference between a long and a short run of this program, divided by the difference of their
//! messages: what starting, connecting and ending take is in both. Instructions are of the process, not of the kernel. What
//! valgrind or strace would count is left out where they are not there.

mod callgrind;
mod counting;
mod work;

use std::process::{Command, ExitCode, Stdio};
use std::{env, fs};

use nix::sys::resource::{UsageWho, getrusage};

use callgrind::Files;
use work::Path;

pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// The first argument of a run that is counted.
const RUN: &str = "--run";
/// Messages of the two runs whose difference is a figure.
const FEW: usize = 5_000;
const MANY: usize = 25_000;

/// The folders of the library, and everything else (the standard library, its dependencies, this program).
const ROOMS: [&str; 9] = [
    "message",
    "zmtp",
    "shm",
    "pipe",
    "routing",
    "pattern",
    "transport",
    "socket",
    "the rest",
];

/// Runs a path, and prints what was counted from within.
fn run(arguments: &[String]) -> Outcome<()> {
    let [name, count] = arguments else {
        return Err("a run needs a path and a count; it is not for people to start".into());
    };
    let path = work::ALL.into_iter().find(|path| path.name == *name);
    (path.ok_or("no such path")?.run)(count.parse()?)?;
    let (times, bytes) = counting::so_far();
    let sleeps = getrusage(UsageWho::RUSAGE_SELF)?.voluntary_context_switches();
    println!("{times} {bytes} {sleeps}");
    Ok(())
}

fn arguments(path: &Path, count: usize) -> Vec<String> {
    [RUN, path.name, &count.to_string()]
        .map(str::to_owned)
        .into()
}

/// A figure a message, from what two runs counted.
fn each(count: impl Fn(usize) -> Outcome<f64>) -> Outcome<f64> {
    Ok((count(MANY)? - count(FEW)?) / (MANY - FEW) as f64)
}

/// Allocations, their bytes and sleeps of a run: the median of some, as sleeping is up to the scheduler.
fn from_within(path: &Path, which: usize) -> Outcome<f64> {
    let once = || -> Outcome<f64> {
        each(|count| {
            let output = Command::new(env::current_exe()?)
                .args(arguments(path, count))
                .stderr(Stdio::inherit())
                .output()?;
            let text = String::from_utf8(output.stdout)?;
            let figure = text.split_whitespace().nth(which);
            Ok(figure.ok_or("the run failed")?.parse()?)
        })
    };
    let mut figures = [once()?, once()?, once()?];
    figures.sort_by(f64::total_cmp);
    Ok(figures[1])
}

fn strace_is_there() -> bool {
    let version = Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

/// System calls of a run.
fn system_calls(path: &Path, count: usize) -> Outcome<f64> {
    let file = env::temp_dir().join(format!("taipan-paths-{}.strace", std::process::id()));
    let status = Command::new("strace")
        .args(["-c", "-f", "-o"])
        .arg(&file)
        .arg(env::current_exe()?)
        .args(arguments(path, count))
        .stdout(Stdio::null())
        .status()?;
    let table = fs::read_to_string(&file);
    // It may not be there if the run failed.
    let _ = fs::remove_file(&file);
    if !status.success() {
        return Err(format!("strace ended with {status}").into());
    }
    let table = table?;
    let total = table
        .lines()
        .rfind(|line| line.trim_end().ends_with("total"));
    // "100.00    0.123456           1     12345       678 total"
    let calls = total.and_then(|line| line.split_whitespace().nth(3));
    Ok(calls.ok_or("strace printed no total")?.parse()?)
}

/// Instructions a message by room, in the order of [`ROOMS`].
fn instructions(path: &Path) -> Outcome<Vec<f64>> {
    let source = fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../../src"))?;
    let source = source.to_string_lossy().into_owned() + "/";
    let by_room = |files: Files| {
        let mut rooms = vec![0.0; ROOMS.len()];
        for (file, cost) in files {
            let room = file
                .strip_prefix(&source)
                .and_then(|file| file.split('/').next());
            let at = ROOMS.iter().position(|name| Some(*name) == room);
            rooms[at.unwrap_or(ROOMS.len() - 1)] += cost as f64;
        }
        rooms
    };
    let few = by_room(callgrind::count(&arguments(path, FEW))?);
    let many = by_room(callgrind::count(&arguments(path, MANY))?);
    let messages = (MANY - FEW) as f64;
    let rooms = many
        .iter()
        .zip(few)
        .map(|(many, few)| (many - few) / messages);
    Ok(rooms.collect())
}

fn cell(figure: Option<f64>) -> String {
    match figure {
        None => "-".to_owned(),
        Some(figure) if figure.abs() < 0.0005 => "0".to_owned(),
        Some(figure) if figure >= 100.0 => format!("{figure:.0}"),
        Some(figure) if figure >= 10.0 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.3}"),
    }
}

/// Counts all paths whose names have one of these parts, and prints a line for each.
fn report(parts: &[String]) -> Outcome<()> {
    let (valgrind, strace) = (callgrind::is_there(), strace_is_there());
    for (there, name) in [(valgrind, "valgrind"), (strace, "strace")] {
        if !there {
            println!("{name} is not there: what it would count is left out\n");
        }
    }
    let rooms = ROOMS.join(" | ");
    println!(
        "| path | what | instructions | {rooms} | allocations | bytes allocated | system calls | sleeps |"
    );
    println!("{}|", "|---".repeat(ROOMS.len() + 7));
    for path in &work::ALL {
        if !parts.is_empty() && !parts.iter().any(|part| path.name.contains(&**part)) {
            continue;
        }
        let counted = (valgrind && path.steady)
            .then(|| instructions(path))
            .transpose()?;
        let all = counted.as_ref().map(|rooms| rooms.iter().sum());
        let by_room = (0..ROOMS.len()).map(|at| cell(counted.as_ref().map(|rooms| rooms[at])));
        let by_room: Vec<String> = by_room.collect();
        let calls = (strace && path.calls)
            .then(|| each(|count| system_calls(path, count)))
            .transpose()?;
        let sleeps = path.calls.then(|| from_within(path, 2)).transpose()?;
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            path.name,
            path.what,
            cell(all),
            by_room.join(" | "),
            cell(Some(from_within(path, 0)?)),
            cell(Some(from_within(path, 1)?)),
            cell(calls),
            cell(sleeps),
        );
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == RUN => run(rest),
        _ => report(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("taipan-paths: {error}");
            ExitCode::FAILURE
        }
    }
}
