//! One sample: two processes (or two threads), and calls for a while.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::calls::{Calls, runtime};
use super::{taipan, tarpc, tonic};
use crate::Outcome;
use crate::cells::Placement;
use crate::meter::{self, Role, Usage};

/// The first argument of a process that is an end of a sample.
pub const RPC_END: &str = "--rpc-end";
/// Before it counts.
const WARM_UP: Duration = Duration::from_millis(100);

/// What is to be measured.
#[derive(Serialize, Deserialize)]
pub struct Task {
    pub peer: String,
    pub transport: String,
    pub size: usize,
    pub in_flight: usize,
    pub millis: u64,
    pub placement: String,
}

/// What was.
#[derive(Serialize, Deserialize)]
pub struct Sample {
    pub calls: usize,
    pub seconds: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub cpu_us: f64,
}

impl Task {
    /// Where the far end of the near end with this process id listens.
    fn place(&self, near: u32) -> Outcome<String> {
        match &*self.transport {
            "tcp" => Ok("127.0.0.1:0".to_owned()),
            "ipc" => Ok(std::env::temp_dir()
                .join(format!("taipan-compare-{near}-rpc"))
                .display()
                .to_string()),
            other => Err(format!("what is the transport {other}?").into()),
        }
    }

    /// Takes the sample in a process of its own.
    pub fn take(&self) -> Outcome<Sample> {
        let output = self
            .command("near", "")?
            .stderr(Stdio::inherit())
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        if !output.status.success() {
            return Err(format!("{} over {}: {}", self.peer, self.transport, text.trim()).into());
        }
        Ok(serde_json::from_str(&text)?)
    }

    fn command(&self, role: &str, place: &str) -> Outcome<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([RPC_END, role, place, &serde_json::to_string(self)?]);
        Ok(command)
    }

    fn bind(&self, role: Role) -> Outcome<()> {
        let placement = match &*self.placement {
            "same" => Placement::Same,
            "split" => Placement::Split,
            "free" => Placement::Free,
            other => return Err(format!("what is the placement {other}?").into()),
        };
        meter::place(placement, role)
    }
}

/// The whole life of a process that is an end.
pub fn end(arguments: &[String]) -> Outcome<()> {
    let [role, place, task] = arguments else {
        return Err("an end needs three arguments; it is not for people to start".into());
    };
    let task: Task = serde_json::from_str(task)?;
    match &**role {
        "near" => {
            task.bind(Role::Near)?;
            println!("{}", serde_json::to_string(&near(&task)?)?);
        }
        _ => {
            task.bind(Role::Far)?;
            far(&task, place)?;
        }
    }
    io::stdout().flush()?;
    // Closing is no part of it.
    std::process::exit(0)
}

fn near(task: &Task) -> Outcome<Sample> {
    let runtime = runtime()?;
    if task.transport == "inproc" {
        return match &*task.peer {
            "taipan" => {
                runtime.block_on(async { measure(task, taipan::within().await?, None).await })
            }
            "tarpc" => runtime.block_on(async { measure(task, tarpc::within()?, None).await }),
            other => Err(format!("{other} has no inproc").into()),
        };
    }
    let mut far = Far::launch(task)?;
    runtime.block_on(async {
        let place = far.place.clone();
        match &*task.peer {
            "taipan" => measure(task, taipan::client(&place).await?, Some(&mut far)).await,
            "tarpc" => measure(task, tarpc::client(&place).await?, Some(&mut far)).await,
            "tonic" => measure(task, tonic::client(&place).await?, Some(&mut far)).await,
            other => Err(format!("who is {other}?").into()),
        }
    })
}

async fn measure(task: &Task, client: impl Calls, mut far: Option<&mut Far>) -> Outcome<Sample> {
    call_for(task, &client, WARM_UP).await?;
    let mut cpu = || -> Outcome<f64> {
        let other = far.as_mut().map_or(Ok(0.0), |far| far.cpu_us())?;
        Ok(Usage::now()?.cpu_us + other)
    };
    let (before, start) = (cpu()?, Instant::now());
    let mut times = call_for(task, &client, Duration::from_millis(task.millis)).await?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu_us = cpu()? - before;
    times.sort_unstable();
    let quantile = |part: f64| times[((times.len() - 1) as f64 * part) as usize] as f64 / 1e3;
    Ok(Sample {
        calls: times.len(),
        seconds,
        p50_us: quantile(0.5),
        p99_us: quantile(0.99),
        cpu_us,
    })
}

/// Calls for so long; how many nanoseconds each took.
async fn call_for(task: &Task, client: &impl Calls, time: Duration) -> Outcome<Vec<u64>> {
    let (start, size) = (Instant::now(), task.size);
    let callers: Vec<_> = (0..task.in_flight)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let argument = Bytes::from(vec![7; size]);
                let (mut times, mut last) = (Vec::with_capacity(1 << 16), Instant::now());
                loop {
                    if client.call(argument.clone()).await? != size {
                        return Err("the answer has another size".into());
                    }
                    let now = Instant::now();
                    times.push((now - last).as_nanos() as u64);
                    last = now;
                    if now - start >= time {
                        return Outcome::Ok(times);
                    }
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for caller in callers {
        all.extend(caller.await??);
    }
    Ok(all)
}

/// The other process.
struct Far {
    child: Child,
    stdout: BufReader<ChildStdout>,
    place: String,
    /// The file of a Unix socket, which nobody else removes.
    socket: String,
}

impl Far {
    fn launch(task: &Task) -> Outcome<Far> {
        let socket = task.place(std::process::id())?;
        let mut command = task.command("far", &socket)?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut far = Far {
            child,
            stdout,
            place: String::new(),
            socket,
        };
        far.place = far.hear()?;
        Ok(far)
    }

    fn hear(&mut self) -> Outcome<String> {
        let mut line = String::new();
        match self.stdout.read_line(&mut line)? {
            0 => Err("the far end ended".into()),
            _ => Ok(line.trim().to_owned()),
        }
    }

    fn cpu_us(&mut self) -> Outcome<f64> {
        self.child
            .stdin
            .as_mut()
            .ok_or("no input")?
            .write_all(b"cpu\n")?;
        Ok(self.hear()?.parse()?)
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        // It has ended already, or will.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Serves until it is killed, and says what it used whenever it is asked.
fn far(task: &Task, place: &str) -> Outcome<()> {
    std::thread::spawn(|| {
        for _ in io::stdin().lines() {
            match Usage::now() {
                Ok(usage) => println!("{}", usage.cpu_us),
                Err(error) => println!("{error}"),
            }
        }
    });
    runtime()?.block_on(async {
        match &*task.peer {
            "taipan" => taipan::serve(&task.transport, place).await,
            "tarpc" => tarpc::serve(&task.transport, place).await,
            _ => tonic::serve(&task.transport, place).await,
        }
    })
}
