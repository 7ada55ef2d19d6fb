//! Work handed out in turns: one PUSH, three PULLs, each with its equal share.
//!
//! Expected output:
//! worker 0: tasks 0, 3, 6
//! worker 1: tasks 1, 4, 7
//! worker 2: tasks 2, 5, 8

use taipan::{Context, Pull, Push};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let push = Push::new(&context);
    let workers: Vec<Pull> = (0..3).map(|_| Pull::new(&context)).collect();

    for (number, worker) in workers.iter().enumerate() {
        // The same program runs with "tcp://127.0.0.1:*" or "ipc://*" here.
        let endpoint = worker.bind(format!("inproc://worker-{number}").as_str())?;
        push.connect(endpoint)?;
    }
    for task in 0..9 {
        push.blocking_send(task.to_string())?;
    }
    for (number, worker) in workers.iter().enumerate() {
        let tasks = (0..3).map(|_| Ok(worker.blocking_recv()?.as_str()?.to_owned()));
        let tasks = tasks.collect::<Result<Vec<_>, Box<dyn std::error::Error>>>()?;
        println!("worker {number}: tasks {}", tasks.join(", "));
    }
    Ok(())
}
