//! Which samples are taken, and the tables that come of them.

use serde::Serialize;

use super::sample::{Sample, Task};
use crate::Outcome;
use crate::machine;
use crate::model::Spread;
use crate::peers::locked;

pub const HELP: &str = "\
taipan-compare rpc [--rounds N] [--millis N] [--transport T,T] [--size N,N] [--in-flight N,N] [--placement P] [--json FILE]

calls of a method that returns its argument, beside tarpc and tonic
  --rounds N         samples of each peer and row (default 5)
  --millis N         what a sample takes (default 300)
  --transport T,T    of tcp, ipc, inproc (default all)
  --size N,N         bytes of the argument (default 64,1024,65536)
  --in-flight N,N    calls under way (default 1,64)
  --placement P      free, same or split: where the two ends run (default free)
  --json FILE        every sample";

const PEERS: [&str; 3] = ["taipan", "tarpc", "tonic"];

struct Plan {
    rounds: usize,
    millis: u64,
    transports: Vec<String>,
    sizes: Vec<usize>,
    in_flight: Vec<usize>,
    placement: String,
    json: Option<String>,
}

impl Plan {
    fn from_arguments(arguments: &[String]) -> Outcome<Plan> {
        let mut plan = Plan {
            rounds: 5,
            millis: 300,
            transports: ["tcp", "ipc", "inproc"].map(str::to_owned).into(),
            sizes: vec![64, 1024, 65536],
            in_flight: vec![1, 64],
            placement: "free".to_owned(),
            json: None,
        };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name} needs a value\n\n{HELP}"))?;
            let numbers = || {
                value
                    .split(',')
                    .map(str::parse)
                    .collect::<Result<Vec<usize>, _>>()
            };
            match &**name {
                "--rounds" => plan.rounds = value.parse()?,
                "--millis" => plan.millis = value.parse()?,
                "--transport" => plan.transports = value.split(',').map(str::to_owned).collect(),
                "--size" => plan.sizes = numbers()?,
                "--in-flight" => plan.in_flight = numbers()?,
                "--placement" => plan.placement.clone_from(value),
                "--json" => plan.json = Some(value.clone()),
                _ => return Err(format!("what is {name}?\n\n{HELP}").into()),
            }
        }
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Outcome<()> {
        let known = ["tcp", "ipc", "inproc"];
        if let Some(other) = self
            .transports
            .iter()
            .find(|name| !known.contains(&&***name))
        {
            return Err(format!("what is the transport {other}?\n\n{HELP}").into());
        }
        if self.rounds == 0 || self.in_flight.contains(&0) {
            return Err(format!("one round and one call in flight at least\n\n{HELP}").into());
        }
        Ok(())
    }
}

/// Everything that was measured of one peer in one row.
#[derive(Serialize)]
struct Row {
    transport: String,
    size: usize,
    in_flight: usize,
    peer: &'static str,
    samples: Vec<Sample>,
}

/// Measures, and prints a table for each transport.
pub fn main(arguments: &[String]) -> Outcome<()> {
    let plan = Plan::from_arguments(arguments)?;
    println!(
        "{}; taipan {}, tarpc {} (bincode), tonic {} (prost); {} rounds of {} ms, interleaved; placement: {}; median (least-most)",
        machine::describe(),
        env!("CARGO_PKG_VERSION"),
        locked("tarpc"),
        locked("tonic"),
        plan.rounds,
        plan.millis,
        plan.placement
    );
    let mut rows = Vec::new();
    for transport in &plan.transports {
        println!("\n### {transport}\n");
        println!("| bytes | in flight | who | calls/s | p50 us | p99 us | CPU us a call |");
        println!("|---|---|---|---|---|---|---|");
        for size in &plan.sizes {
            for in_flight in &plan.in_flight {
                for row in measure(&plan, transport, *size, *in_flight)? {
                    println!("{}", line(&row)?);
                    rows.push(row);
                }
            }
        }
    }
    if let Some(file) = &plan.json {
        std::fs::write(file, serde_json::to_string(&rows)?)?;
    }
    Ok(())
}

fn measure(plan: &Plan, transport: &str, size: usize, in_flight: usize) -> Outcome<Vec<Row>> {
    let peers = PEERS
        .iter()
        .filter(|peer| transport != "inproc" || **peer != "tonic");
    let mut rows: Vec<Row> = peers
        .map(|peer| Row {
            transport: transport.to_owned(),
            size,
            in_flight,
            peer,
            samples: Vec::new(),
        })
        .collect();
    for _ in 0..plan.rounds {
        for row in &mut rows {
            let task = Task {
                peer: row.peer.to_owned(),
                transport: transport.to_owned(),
                size,
                in_flight,
                millis: plan.millis,
                placement: plan.placement.clone(),
            };
            row.samples.push(task.take()?);
        }
    }
    Ok(rows)
}

fn line(row: &Row) -> Outcome<String> {
    let of =
        |figure: fn(&Sample) -> f64| Spread::of(row.samples.iter().map(figure)).ok_or("no samples");
    let rate = of(|sample| sample.calls as f64 / sample.seconds / 1e3)?;
    let (p50, p99) = (of(|sample| sample.p50_us)?, of(|sample| sample.p99_us)?);
    let cpu = of(|sample| sample.cpu_us / sample.calls as f64)?;
    Ok(format!(
        "| {} | {} | {} | {:.1} k ({:.1}-{:.1}) | {:.1} | {:.1} | {:.2} |",
        row.size,
        row.in_flight,
        row.peer,
        rate.median,
        rate.min,
        rate.max,
        p50.median,
        p99.median,
        cpu.median
    ))
}
