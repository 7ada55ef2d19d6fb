//! What is measured: the rows, from the command line.
//!
//! What it is not: measuring. Invariant: a row that is here can be run.

use std::time::Duration;

use clap::ValueEnum;
use taipan::{SocketKind, Spin};

use super::cpu;
use crate::args::{Pattern, PerfArgs, Runtime, Shared, Test, Transport, Views};
use crate::failure::Failure;

const ROW: Duration = Duration::from_secs(2);

/// Sixteen rows and their warm-ups stay well under 20 s.
const TOUR_ROW: Duration = Duration::from_millis(600);

/// How much a row sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Count(u64),
    For(Duration),
}

/// What becomes of shared memory, and of payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    pub shared: Shared,
    pub spin: Spin,
    pub views: Views,
    /// The sender writes into loans.
    pub loan: bool,
    /// Every byte is written anew, and read.
    pub touch: bool,
}

/// What both ends of a row have to agree on.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub test: Test,
    pub pattern: Pattern,
    pub runtime: Runtime,
    /// Bytes of payload in each message.
    pub size: usize,
    pub amount: Amount,
    pub manner: Manner,
    /// Bytes of payload a second that the sender keeps to.
    pub rate: Option<u64>,
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub spec: Spec,
    pub transport: Transport,
    /// Two processes.
    pub peer: bool,
    /// The CPUs of the near and the far end.
    pub cpus: (Option<usize>, Option<usize>),
}

impl Amount {
    /// A tenth, but for a time at most 200 ms.
    pub fn warm_up(self) -> Amount {
        match self {
            Amount::Count(count) => Amount::Count((count / 10).max(1)),
            Amount::For(time) => Amount::For((time / 5).min(Duration::from_millis(200))),
        }
    }
}

impl Spec {
    /// The sockets of the near end, which binds and measures, and of the far end.
    pub fn kinds(self) -> (SocketKind, SocketKind) {
        match (self.pattern, self.test) {
            (Pattern::PushPull, _) => (SocketKind::Pull, SocketKind::Push),
            (Pattern::PubSub, _) => (SocketKind::Sub, SocketKind::Pub),
            (Pattern::ReqRep, _) => (SocketKind::Req, SocketKind::Rep),
            (Pattern::DealerRouter, Test::Thr) => (SocketKind::Router, SocketKind::Dealer),
            (Pattern::DealerRouter, Test::Lat) => (SocketKind::Dealer, SocketKind::Router),
            (Pattern::Pair, _) => (SocketKind::Pair, SocketKind::Pair),
        }
    }
}

/// The name of a value as it is written on the command line.
pub fn name<V: ValueEnum>(value: V) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

/// The rows that the arguments ask for, in the order of the lists.
pub fn rows(args: &PerfArgs) -> Result<Vec<Row>, Failure> {
    let tests = args
        .test
        .map_or(vec![Test::Thr, Test::Lat], |test| vec![test]);
    let cpus = cpu::choose(args.pin)?;
    let mut rows = Vec::new();
    for test in tests {
        for pattern in patterns(args, test)? {
            for size in sizes(args, test) {
                for (transport, manner) in ways(args, test)? {
                    for runtime in args.runtime.iter().copied() {
                        let spec = Spec {
                            test,
                            pattern,
                            runtime,
                            size,
                            amount: amount(args),
                            manner,
                            rate: args.rate.filter(|_| test == Test::Thr),
                        };
                        rows.push(Row {
                            spec,
                            transport,
                            peer: args.peer,
                            cpus,
                        });
                    }
                }
            }
        }
    }
    match rows.is_empty() {
        true => Err(Failure::Usage(
            "there is nothing to measure: no pattern fits".into(),
        )),
        false => Ok(rows),
    }
}

fn amount(args: &PerfArgs) -> Amount {
    match (args.count, args.duration, args.test) {
        (Some(count), _, _) => Amount::Count(count),
        (None, Some(time), _) => Amount::For(time),
        (None, None, Some(_)) => Amount::For(ROW),
        (None, None, None) => Amount::For(TOUR_ROW),
    }
}

/// On the tour, a pattern counts for the tests that it fits.
fn patterns(args: &PerfArgs, test: Test) -> Result<Vec<Pattern>, Failure> {
    let fits = |pattern: &Pattern| match test {
        Test::Thr => matches!(
            pattern,
            Pattern::PushPull | Pattern::PubSub | Pattern::DealerRouter
        ),
        Test::Lat => matches!(
            pattern,
            Pattern::ReqRep | Pattern::DealerRouter | Pattern::Pair
        ),
    };
    if args.pattern.is_empty() {
        return Ok(vec![if test == Test::Thr {
            Pattern::PushPull
        } else {
            Pattern::ReqRep
        }]);
    }
    match args.pattern.iter().find(|pattern| !fits(pattern)) {
        Some(pattern) if args.test.is_some() => Err(Failure::Usage(format!(
            "perf {} does not know the pattern {}",
            name(test),
            name(*pattern)
        ))),
        _ => Ok(args.pattern.iter().copied().filter(fits).collect()),
    }
}

fn sizes(args: &PerfArgs, test: Test) -> Vec<usize> {
    match test {
        _ if !args.size.is_empty() => args.size.clone(),
        Test::Thr => vec![64, 1 << 10, 64 << 10],
        Test::Lat => vec![64],
    }
}

/// The transports, and in which manners: there are several only where there is shared memory.
fn ways(args: &PerfArgs, test: Test) -> Result<Vec<(Transport, Manner)>, Failure> {
    if args.loan && args.test == Some(Test::Lat) {
        return Err(Failure::Usage("perf lat does not know --loan".into()));
    }
    if args.rate.is_some() && args.test == Some(Test::Lat) {
        return Err(Failure::Usage("perf lat does not know --rate".into()));
    }
    let loan = args.loan && test == Test::Thr;
    let shared = match (&args.shared_memory[..], args.test) {
        ([], Some(_)) => vec![Shared::On],
        ([], None) => vec![Shared::On, Shared::Off],
        (given, _) => given.to_vec(),
    };
    let plain = Manner {
        shared: Shared::Off,
        spin: Spin::Never,
        views: Views::Never,
        loan,
        touch: args.touch || loan,
    };
    let mut ways = Vec::new();
    for transport in transports(args)? {
        if transport != Transport::Ipc {
            ways.push((transport, plain));
            continue;
        }
        for shared in shared.iter().copied() {
            match shared {
                Shared::Off => ways.push((transport, plain)),
                Shared::On => ways.extend(looking(args, plain).map(|manner| (transport, manner))),
            }
        }
    }
    Ok(ways)
}

/// The manners of a row over shared memory.
fn looking(args: &PerfArgs, plain: Manner) -> impl Iterator<Item = Manner> {
    let pairs = args
        .spin
        .iter()
        .flat_map(|spin| args.views.iter().map(|views| (*spin, *views)));
    pairs.map(move |(spin, views)| Manner {
        shared: Shared::On,
        spin,
        views,
        ..plain
    })
}

fn transports(args: &PerfArgs) -> Result<Vec<Transport>, Failure> {
    if args.peer && args.transport.contains(&Transport::Inproc) {
        return Err(Failure::Usage(
            "inproc does not reach another process: leave --peer out".into(),
        ));
    }
    Ok(match args.test {
        _ if !args.transport.is_empty() => args.transport.clone(),
        Some(_) => vec![Transport::Tcp],
        None if args.peer => vec![Transport::Ipc, Transport::Tcp],
        None => vec![Transport::Inproc, Transport::Ipc, Transport::Tcp],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn planned(line: &str) -> Result<Vec<Row>, Failure> {
        let Command::Perf(args) =
            Cli::parse_from(format!("taipan perf {line}").split_whitespace()).command
        else {
            panic!("not perf");
        };
        rows(&args)
    }

    #[test]
    fn the_tour_takes_less_than_20_seconds() {
        let rows = planned("").unwrap();
        let time = rows
            .iter()
            .map(|row| match (row.spec.amount, row.spec.amount.warm_up()) {
                (Amount::For(time), Amount::For(warm_up)) => time + warm_up,
                counts => panic!("a count: {counts:?}"),
            });
        assert_eq!(rows.len(), 16);
        assert!(time.sum::<Duration>() < Duration::from_secs(12));
    }

    #[test]
    fn lists_are_multiplied() {
        let rows =
            planned("thr --size 1,2k --transport tcp,ipc --runtime current,blocking --count 5")
                .unwrap();
        assert_eq!(rows.len(), 8);
        assert!(rows.iter().all(|row| row.spec.amount == Amount::Count(5)));
        assert_eq!(rows[0].spec.size, 1);
        assert_eq!(rows[7].spec.size, 2048);
    }

    #[test]
    fn only_shared_memory_has_several_manners() {
        let of = |line: &str| -> Vec<(Transport, Shared)> {
            let rows = planned(line).unwrap();
            let ways = rows
                .iter()
                .map(|row| (row.transport, row.spec.manner.shared));
            ways.collect()
        };
        let lists = "--size 1 --spin auto,never,20us --views auto,never";
        assert_eq!(of(&format!("thr --transport tcp {lists}")).len(), 1);
        let ipc = of(&format!(
            "thr --transport ipc,inproc --shared-memory off,on {lists}"
        ));
        assert_eq!(ipc.len(), 8);
        assert_eq!(ipc[0], (Transport::Ipc, Shared::Off));
        assert!(
            ipc[1..7]
                .iter()
                .all(|way| *way == (Transport::Ipc, Shared::On))
        );
        assert_eq!(ipc[7], (Transport::Inproc, Shared::Off));
        assert_eq!(
            of("thr --transport ipc --size 1"),
            [(Transport::Ipc, Shared::On)]
        );
    }

    #[test]
    fn who_writes_into_loans_writes_every_byte() {
        let rows = planned("--loan").unwrap();
        for row in &rows {
            let loan = row.spec.test == Test::Thr;
            assert_eq!((row.spec.manner.loan, row.spec.manner.touch), (loan, loan));
        }
    }

    #[test]
    fn what_does_not_fit_is_wrong_usage() {
        for line in [
            "lat --loan",
            "lat --rate 1MB",
            "thr --pattern req-rep",
            "lat --pattern push-pull",
            "thr --peer --transport inproc",
        ] {
            assert!(matches!(planned(line), Err(Failure::Usage(_))), "{line}");
        }
        assert_eq!(planned("--pattern pair").unwrap().len(), 4);
    }
}
