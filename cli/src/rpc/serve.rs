//! `taipan rpc serve`: a command for each call.
//!
//! A call that is cancelled, or whose deadline passes, has its command killed.

use std::process::Stdio;
use std::sync::Arc;
use std::thread;

use taipan::Context;
use taipan::rpc::{DynamicService, Fault, Method, MethodKind, Server, Value};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::args::ServeArgs;
use super::json;
use crate::failure::{Failure, say};
use crate::sockets::Interrupts;

pub async fn run(args: &ServeArgs) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let one_each = || thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or_else(one_each, |jobs| jobs as usize);
    let (command, places) = (
        Arc::new(args.command.clone()),
        Arc::new(Semaphore::new(jobs)),
    );
    let answer = move |method: String, arguments: Vec<Value>| {
        let (command, places) = (command.clone(), places.clone());
        async move {
            let _place = places.acquire().await?;
            answer(&command, &method, arguments).await
        }
    };
    let method = Method {
        name: "*".into(),
        signature: "(..) -> any".into(),
        kind: MethodKind::Call,
    };
    let context = Context::new();
    let service = DynamicService::new(args.service.clone(), vec![method], answer);
    let mut builder = Server::builder(&context).service(service);
    for address in &args.addresses {
        builder = builder.bind(address.to_string());
    }
    let server = builder
        .start()
        .map_err(|error| Failure::because("serve", error))?;
    if !args.quiet {
        for endpoint in server.endpoints() {
            say(format_args!("listening at {endpoint}"));
        }
    }
    interrupts.next().await;
    drop(server);
    context.terminate_async().await;
    Ok(())
}

async fn answer(command: &str, method: &str, arguments: Vec<Value>) -> Result<Value, Fault> {
    let input =
        json::text(&Value::from(arguments)).map_err(|why| Fault::new("json", why.to_string()))?;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("TAIPAN_METHOD", method)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdin = child.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A command that does not read its input may end before.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feed);
    let output = output?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Fault::new(output.status.to_string(), words));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let text = match text.trim() {
        "" => "null",
        text => text,
    };
    json::parse(text).map_err(|why| Fault::new("output", why))
}
