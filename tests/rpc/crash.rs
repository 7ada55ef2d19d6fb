//! A server that is killed in the middle of 10,000 calls and started again: each call runs once at most, and everybody
//! gets an answer or an error that says what may have happened.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use taipan::rpc::{Fault, RpcError, Server, service};
use taipan::{Context, rpc::Client};

use crate::service::run;

const CALLS: u64 = 10_000;
const IN_FLIGHT: u64 = 64;
const KILLS: usize = 3;
const ROLE: &str = "TAIPAN_RPC_LEDGER";

#[service]
trait Ledger {
    /// Writes the number down, then returns it.
    async fn write(number: u64) -> u64;
}

struct OnDisk(File);

impl Ledger for OnDisk {
    async fn write(&self, number: u64) -> Result<u64, Fault> {
        // One write at the end of the file: it is there when the process is killed after it.
        (&self.0).write_all(format!("{number}\n").as_bytes())?;
        Ok(number)
    }
}

/// No test by itself: here the child learns that it is one.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let (address, file) = role.split_once(' ').expect("address and file");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .expect("the ledger");
        let context = Context::new();
        let server = Server::builder(&context)
            .service(LedgerServer::new(OnDisk(file)))
            .bind(address)
            .start()
            .expect("a server");
        println!("\nat {}", server.endpoint());
        // Until it is killed, or its parent is gone.
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()))
            .await
            .expect("no panic")
            .expect("an end");
        drop(server);
    });
}

/// A server process, and where it listens.
fn start(address: &str, file: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "crash::child", "--nocapture"])
        .env(ROLE, format!("{address} {}", file.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let at = lines
        .find_map(|line| Some(line.expect("a line").strip_prefix("at ")?.to_owned()))
        .expect("it listens");
    std::thread::spawn(move || lines.for_each(drop));
    (child, at)
}

fn ledger() -> PathBuf {
    std::env::temp_dir().join(format!("taipan-rpc-ledger-{}", std::process::id()))
}

#[test]
fn a_killed_server_runs_nothing_twice() {
    let file = ledger();
    let (mut child, address) = start("tcp://127.0.0.1:*", &file);
    run(async {
        let context = Context::new();
        let client = Client::connect(&context, address.clone()).expect("a client");
        let ledger = LedgerClient::new(client);
        let mut answered = HashSet::new();
        let (mut lost, mut next) = (Vec::new(), 0);
        let mut tasks = tokio::task::JoinSet::new();
        let mut kills = 0;
        while next < CALLS || !tasks.is_empty() {
            while next < CALLS && (tasks.len() as u64) < IN_FLIGHT {
                let (ledger, number) = (ledger.clone(), next);
                tasks.spawn(async move { (number, ledger.write(number).await) });
                next += 1;
            }
            let (number, outcome) = tasks.join_next().await.expect("a task").expect("no panic");
            match outcome {
                Ok(same) => assert!(same == number && answered.insert(number)),
                Err(RpcError::Disconnected { may_have_run: true }) => lost.push(number),
                Err(other) => panic!("{number}: {other:?}"),
            }
            if kills < KILLS && answered.len() as u64 > (kills as u64 + 1) * CALLS / 5 {
                child.kill().expect("killed");
                child.wait().expect("gone");
                (child, _) = start(&address, &file);
                kills += 1;
            }
        }
        assert_eq!(kills, KILLS);
        let text = fs::read_to_string(&file).expect("the ledger");
        let written: Vec<u64> = text
            .lines()
            .map(|line| line.parse().expect("a number"))
            .collect();
        let once: HashSet<u64> = written.iter().copied().collect();
        assert_eq!(once.len(), written.len(), "nothing was written twice");
        assert!(answered.is_subset(&once), "what was answered was written");
        assert_eq!(answered.len() + lost.len(), CALLS as usize);
        assert!(
            lost.len() <= KILLS * IN_FLIGHT as usize,
            "{} lost",
            lost.len()
        );
    });
    child.kill().expect("killed");
    child.wait().expect("gone");
    fs::remove_file(file).expect("removed");
}
