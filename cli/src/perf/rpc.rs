//! `taipan perf rpc`: calls of a method that returns its argument.
//!
//! Two threads with a runtime of their own, or two processes with `--peer`. Each of the calls in flight is a task that
//! calls again as soon as it has its answer. CPU time is that of both ends.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::json;
use taipan::Context;
use taipan::rpc::{Client, Fault, Raw, Server, service};
use tokio::runtime;
use tokio::sync::Notify;

use super::cpu::{choose, cpu_time, pin_to};
use super::plan::name;
use super::report::{bytes, short};
use crate::args::{RpcPeerArgs, RpcPerfArgs, Runtime, Transport};
use crate::failure::Failure;

#[service]
trait Mirror {
    /// Returns its argument.
    async fn mirror(bytes: Raw) -> Raw;
}

struct Mirrors;

impl Mirror for Mirrors {
    async fn mirror(&self, bytes: Raw) -> Result<Raw, Fault> {
        Ok(bytes)
    }
}

/// One row.
struct Row {
    transport: Transport,
    size: usize,
    in_flight: usize,
    runtime: Runtime,
}

/// What came of it.
struct Measured {
    calls: u64,
    seconds: f64,
    cpu_us: f64,
    latency: Histogram<u64>,
}

/// Measures all rows.
pub fn run(args: &RpcPerfArgs) -> Result<(), Failure> {
    if args.runtime.contains(&Runtime::Blocking) {
        return Err(Failure::Usage(
            "calls need a runtime: current or multi".into(),
        ));
    }
    let mut out = io::stdout().lock();
    if !args.json {
        let head =
            "transport  runtime     size  in flight     calls/s    p50 us    p99 us  CPU us/call";
        writeln!(out, "{head}").map_err(Failure::output)?;
    }
    for transport in &args.transport {
        for runtime in &args.runtime {
            for size in &args.size {
                for in_flight in &args.in_flight {
                    let row = Row {
                        transport: *transport,
                        size: *size,
                        in_flight: *in_flight as usize,
                        runtime: *runtime,
                    };
                    let measured = measure(args, &row)?;
                    writeln!(out, "{}", line(args, &row, &measured)).map_err(Failure::output)?;
                }
            }
        }
    }
    Ok(())
}

fn line(args: &RpcPerfArgs, row: &Row, measured: &Measured) -> String {
    let rate = measured.calls as f64 / measured.seconds;
    let quantile = |at| measured.latency.value_at_quantile(at) as f64 / 1e3;
    let cpu = measured.cpu_us / measured.calls as f64;
    if args.json {
        return json!({
            "test": "rpc",
            "transport": name(row.transport),
            "runtime": name(row.runtime),
            "size": row.size,
            "in_flight": row.in_flight,
            "peer": args.peer,
            "pin": name(args.pin),
            "calls": measured.calls,
            "seconds": measured.seconds,
            "calls_per_s": rate,
            "p50_us": quantile(0.5),
            "p99_us": quantile(0.99),
            "p999_us": quantile(0.999),
            "cpu_us_per_call": cpu,
        })
        .to_string();
    }
    format!(
        "{:<9}  {:<7} {:>8} {:>10} {:>11} {:>9.2} {:>9.2} {:>12.2}",
        name(row.transport),
        name(row.runtime),
        bytes(row.size),
        row.in_flight,
        short(rate),
        quantile(0.5),
        quantile(0.99),
        cpu,
    )
}

/// The far end.
enum Far {
    Thread(Arc<Notify>, thread::JoinHandle<Result<(), Failure>>),
    Process(Child, BufReader<std::process::ChildStdout>),
}

fn measure(args: &RpcPerfArgs, row: &Row) -> Result<Measured, Failure> {
    let (near, far) = choose(args.pin)?;
    let context = Context::new();
    let (mut far, endpoint) = match args.peer {
        true => process(row, far)?,
        false => beside(&context, row, far)?,
    };
    pin_to(near)?;
    let runtime = build(row.runtime)?;
    let measured = runtime.block_on(async {
        let client = Client::connect(&context, endpoint)
            .map_err(|error| Failure::because("the client", error))?;
        let mirror = MirrorClient::new(client);
        call(&mirror, row, Amount::For(Duration::from_millis(200))).await?;
        let amount = match args.count {
            Some(count) => Amount::Count(count),
            None => Amount::For(args.duration),
        };
        let before = cpu_time() + far.cpu()?;
        let start = Instant::now();
        let latency = call(&mirror, row, amount).await?;
        let seconds = start.elapsed().as_secs_f64();
        let cpu = cpu_time() + far.cpu()? - before;
        Ok(Measured {
            calls: latency.len(),
            seconds,
            cpu_us: cpu.as_secs_f64() * 1e6,
            latency,
        })
    });
    drop(runtime);
    far.end()?;
    measured
}

/// When to stop.
#[derive(Clone, Copy)]
enum Amount {
    Count(u64),
    For(Duration),
}

async fn call(mirror: &MirrorClient, row: &Row, amount: Amount) -> Result<Histogram<u64>, Failure> {
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..row.in_flight as u64 {
        let (mirror, argument) = (mirror.clone(), Raw::from(vec![7; row.size]));
        let mine = match amount {
            Amount::Count(count) => (count + number) / row.in_flight as u64,
            Amount::For(_) => u64::MAX,
        };
        tasks.spawn(async move {
            let mut latency = histogram();
            let mut last = Instant::now();
            for _ in 0..mine {
                let answer = mirror.mirror(argument.clone()).await;
                let answer = answer.map_err(|error| Failure::because("a call", error))?;
                if answer.len() != argument.len() {
                    return Err(Failure::Runtime("the answer has another size".into()));
                }
                let now = Instant::now();
                latency.saturating_record((now - last).as_nanos() as u64);
                last = now;
                if matches!(amount, Amount::For(time) if now - start >= time) {
                    break;
                }
            }
            Ok(latency)
        });
    }
    let mut all = histogram();
    while let Some(one) = tasks.join_next().await {
        let one = one.map_err(|error| Failure::because("a task", error))??;
        all += one;
    }
    Ok(all)
}

/// Nanoseconds up to a minute, three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("sensible bounds")
}

fn build(kind: Runtime) -> Result<runtime::Runtime, Failure> {
    let built = match kind {
        Runtime::Multi => runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build(),
        _ => runtime::Builder::new_current_thread().enable_all().build(),
    };
    built.map_err(|error| Failure::because("cannot start", error))
}

fn address(transport: Transport) -> &'static str {
    match transport {
        Transport::Inproc => "inproc://perf-rpc",
        Transport::Ipc => "ipc://*",
        Transport::Tcp => "tcp://127.0.0.1:*",
    }
}

fn serve(context: &Context, transport: Transport) -> Result<Server, Failure> {
    Server::builder(context)
        .service(MirrorServer::new(Mirrors))
        .bind(address(transport))
        .start()
        .map_err(|error| Failure::because("the server", error))
}

/// The far end in a thread of its own.
fn beside(context: &Context, row: &Row, cpu: Option<usize>) -> Result<(Far, String), Failure> {
    let (stop, (there, at)) = (Arc::new(Notify::new()), std::sync::mpsc::channel());
    let (stopped, context, kind, transport) =
        (stop.clone(), context.clone(), row.runtime, row.transport);
    let thread = thread::spawn(move || {
        pin_to(cpu)?;
        build(kind)?.block_on(async {
            let server = serve(&context, transport)?;
            // Whoever waits for it is there.
            let _ = there.send(server.endpoint().to_string());
            stopped.notified().await;
            Ok(())
        })
    });
    match at.recv() {
        Ok(endpoint) => Ok((Far::Thread(stop, thread), endpoint)),
        Err(_) => Err(join(thread)
            .err()
            .unwrap_or_else(|| Failure::Runtime("no server".into()))),
    }
}

fn join(thread: thread::JoinHandle<Result<(), Failure>>) -> Result<(), Failure> {
    thread
        .join()
        .unwrap_or_else(|_| Err(Failure::Runtime("the server broke down".into())))
}

/// The far end in a process of its own, which is this program.
fn process(row: &Row, cpu: Option<usize>) -> Result<(Far, String), Failure> {
    if row.transport == Transport::Inproc {
        return Err(Failure::Usage(
            "inproc is within one process: not with --peer".into(),
        ));
    }
    let program =
        std::env::current_exe().map_err(|error| Failure::because("this program", error))?;
    let mut command = Command::new(program);
    command.args([
        "perf-rpc-peer",
        "--transport",
        &name(row.transport),
        "--runtime",
        &name(row.runtime),
    ]);
    if let Some(cpu) = cpu {
        command.args(["--cpu", &cpu.to_string()]);
    }
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| Failure::because("the other process", error))?;
    let stdout = child
        .stdout
        .take()
        .ok_or_else(|| Failure::Runtime("no output".into()))?;
    let mut far = Far::Process(child, BufReader::new(stdout));
    let endpoint = far.hear()?;
    Ok((far, endpoint))
}

impl Far {
    fn hear(&mut self) -> Result<String, Failure> {
        let Far::Process(_, stdout) = self else {
            return Ok(String::new());
        };
        let mut line = String::new();
        let read = stdout.read_line(&mut line);
        match read.map_err(|error| Failure::because("the other process", error))? {
            0 => Err(Failure::Runtime("the other process ended".into())),
            _ => Ok(line.trim().to_owned()),
        }
    }

    /// The CPU time of the other process; a thread's is in that of this one.
    fn cpu(&mut self) -> Result<Duration, Failure> {
        let Far::Process(child, _) = self else {
            return Ok(Duration::ZERO);
        };
        let asked = child
            .stdin
            .as_mut()
            .map_or(Ok(()), |stdin| stdin.write_all(b"cpu\n"));
        asked.map_err(|error| Failure::because("the other process", error))?;
        let nanos = self
            .hear()?
            .parse()
            .map_err(|error| Failure::because("CPU time", error))?;
        Ok(Duration::from_nanos(nanos))
    }

    fn end(self) -> Result<(), Failure> {
        match self {
            Far::Thread(stop, thread) => {
                stop.notify_one();
                join(thread)
            }
            Far::Process(mut child, _) => {
                drop(child.stdin.take());
                let ended = child.wait();
                ended
                    .map_err(|error| Failure::because("the other process", error))
                    .map(drop)
            }
        }
    }
}

/// The other process: serves until its input ends, and says what CPU time it took whenever it is asked.
pub fn run_peer(args: &RpcPeerArgs) -> Result<(), Failure> {
    pin_to(args.cpu)?;
    build(args.runtime)?.block_on(async {
        let context = Context::new();
        let server = serve(&context, args.transport)?;
        let endpoint = server.endpoint().to_string();
        println!("{endpoint}");
        let asked = tokio::task::spawn_blocking(|| {
            for line in io::stdin().lines() {
                if line.is_err() {
                    return;
                }
                println!("{}", cpu_time().as_nanos());
            }
        });
        asked
            .await
            .map_err(|error| Failure::because("stdin", error))
    })
}
