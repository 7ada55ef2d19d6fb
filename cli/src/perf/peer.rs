//! The far end as a process of its own: this program again, with a hidden subcommand.
//!
//! ```text
//!   parent                                        child
//!     │ ── taipan perf-peer TEST --endpoint ... ─►  │   connects, sends or answers
//!     │ ── stdin: stays open as long as we live ─►  │   ends with it
//!     │ ◄─ stdout: {"messages":.., "cpu_us":.., ..}─ │   at the end, when everything is out
//! ```

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use taipan::{Context, Endpoint};

use super::cpu::{cpu_time, pin_to};
use super::ends::Far;
use super::plan::{Amount, Manner, Row, Spec, name};
use super::sides::far;
use crate::args::PeerArgs;
use crate::failure::Failure;
use crate::values::spin_name;

const WHO: &str = "the other process";

/// Runs the far end in another process. Returns what it did and its CPU time.
pub fn far_process(row: Row, endpoint: &Endpoint) -> Result<(Far, Duration), Failure> {
    let failed = |error: io::Error| Failure::because(WHO, error);
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(arguments(row, endpoint));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    // Closed only when the child has ended.
    let lifeline = child.stdin.take();
    let output = child.wait_with_output().map_err(failed)?;
    drop(lifeline);
    if !output.status.success() {
        return Err(Failure::Runtime(format!("{WHO} failed: {}", output.status)));
    }
    report(&output.stdout).ok_or_else(|| Failure::Runtime(format!("{WHO} did not report")))
}

fn report(output: &[u8]) -> Option<(Far, Duration)> {
    let report: Value = serde_json::from_slice(output).ok()?;
    let cpu = Duration::try_from_secs_f64(report.get("cpu_us")?.as_f64()? / 1e6).ok()?;
    let far = Far {
        messages: report.get("messages")?.as_u64()?,
        ordinary_loans: report.get("ordinary_loans")?.as_u64()?,
        cpu_before: Duration::ZERO,
    };
    Some((far, cpu))
}

fn arguments(row: Row, endpoint: &Endpoint) -> Vec<String> {
    let spec = row.spec;
    let mut arguments = vec!["perf-peer".to_owned(), name(spec.test)];
    let mut flag = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    flag("--endpoint", endpoint.to_string());
    flag("--pattern", name(spec.pattern));
    flag("--runtime", name(spec.runtime));
    flag("--size", spec.size.to_string());
    match spec.amount {
        Amount::Count(count) => flag("--count", count.to_string()),
        Amount::For(time) => flag("--duration", time.as_micros().to_string()),
    }
    if let Some(rate) = spec.rate {
        flag("--rate", rate.to_string());
    }
    if let Some(cpu) = row.cpus.1 {
        flag("--cpu", cpu.to_string());
    }
    let manner = spec.manner;
    flag("--shared-memory", name(manner.shared));
    flag("--spin", spin_name(manner.spin));
    flag("--views", name(manner.views));
    for (flag, wanted) in [("--loan", manner.loan), ("--touch", manner.touch)] {
        arguments.extend(wanted.then(|| flag.to_owned()));
    }
    arguments
}

/// The whole life of the other process.
pub fn run_peer(args: &PeerArgs) -> Result<(), Failure> {
    let amount = match (args.count, args.duration) {
        (Some(count), None) => Amount::Count(count),
        (None, Some(micros)) => Amount::For(Duration::from_micros(micros)),
        _ => return Err(Failure::Usage("either --count or --duration".into())),
    };
    let (test, pattern, runtime, size) = (args.test, args.pattern, args.runtime, args.size);
    let manner = Manner {
        shared: args.shared_memory,
        spin: args.spin,
        views: args.views,
        loan: args.loan,
        touch: args.touch,
    };
    end_with_parent()?;
    pin_to(args.cpu)?;
    let context = Context::new();
    let far = far(
        Spec {
            test,
            pattern,
            runtime,
            size,
            amount,
            manner,
            rate: args.rate,
        },
        &context,
        args.endpoint.clone(),
    )?;
    let unsent = context.terminate().unsent_messages;
    if unsent > 0 {
        return Err(Failure::Runtime(format!("{unsent} messages were not sent")));
    }
    let cpu = (cpu_time() - far.cpu_before).as_secs_f64() * 1e6;
    let report = json!({
        "messages": far.messages,
        "ordinary_loans": far.ordinary_loans,
        "cpu_us": cpu,
    });
    writeln!(io::stdout(), "{report}").map_err(Failure::output)
}

/// A parent that is gone is not measured by anybody.
fn end_with_parent() -> Result<(), Failure> {
    let watch = || {
        let mut byte = [0];
        while matches!(io::stdin().lock().read(&mut byte), Ok(1)) {}
        std::process::exit(1);
    };
    let thread = thread::Builder::new().name("parent".into()).spawn(watch);
    thread
        .map(|_| ())
        .map_err(|error| Failure::because("cannot start a thread", error))
}
