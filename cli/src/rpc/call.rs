//! `taipan rpc call`.

use std::io::{self, Write};

use taipan::Context;
use taipan::rpc::{CallOptions, Client, RpcError, Value};

use super::args::CallArgs;
use super::json;
use crate::failure::Failure;
use crate::sockets::Interrupts;

pub async fn run(args: &CallArgs) -> Result<(), Failure> {
    let parse =
        |text: &String| json::parse(text).map_err(|why| Failure::Usage(format!("{text}: {why}")));
    let arguments = args
        .arguments
        .iter()
        .map(parse)
        .collect::<Result<Vec<_>, _>>()?;
    let context = Context::new();
    let client = Client::connect(&context, args.address.to_string());
    let client = client.map_err(|error| Failure::Usage(error.to_string()))?;
    let mut interrupts = Interrupts::new()?;
    tokio::select! {
        done = call(args, &client, arguments) => done?,
        () = interrupts.next() => return Err(Failure::Interrupted),
    }
    drop(client);
    // A signal is on its way until the connection is closed in good order.
    context.terminate_async().await;
    Ok(())
}

async fn call(args: &CallArgs, client: &Client, arguments: Vec<Value>) -> Result<(), Failure> {
    let options = CallOptions::new().deadline(args.timeout);
    let failed = |error| failure(&args.method, error);
    if args.signal {
        return client
            .signal_value(&args.method, arguments, options)
            .await
            .map_err(failed);
    }
    if !args.stream {
        let result = client
            .call_value(&args.method, arguments, options)
            .await
            .map_err(failed)?;
        return print(&result);
    }
    let mut items = client
        .stream_value(&args.method, arguments, options)
        .await
        .map_err(failed)?;
    while let Some(item) = items.next().await {
        print(&item.map_err(failed)?)?;
    }
    Ok(())
}

fn print(value: &Value) -> Result<(), Failure> {
    let text = json::text(value)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Failure::output)
}

pub fn failure(what: &str, error: RpcError) -> Failure {
    match error {
        RpcError::Timeout { .. } => Failure::TimedOut(format!("{what}: {error}")),
        error => Failure::because(what, error),
    }
}
