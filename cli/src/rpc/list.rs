//! `taipan rpc list`.

use std::fmt::Write as _;
use std::io::{self, Write};

use taipan::Context;
use taipan::rpc::{Client, Listed};

use super::args::ListArgs;
use super::call::failure;
use crate::failure::Failure;

pub async fn run(args: &ListArgs) -> Result<(), Failure> {
    let context = Context::new();
    let client = Client::builder(&context)
        .connect(args.address.to_string())
        .deadline(args.timeout)
        .build()
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let listed = client
        .list()
        .await
        .map_err(|error| failure("list", error))?;
    let text = match args.json {
        true => {
            let text = serde_json::to_string(&listed);
            text.map_err(|error| Failure::because("list", error))? + "\n"
        }
        false => table(&listed),
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(Failure::output)
}

fn table(listed: &[Listed]) -> String {
    let mut text = String::new();
    for service in listed {
        for method in &service.methods {
            let kind = match &*method.kind {
                "call" => String::new(),
                kind => format!("  [{kind}]"),
            };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{}.{}{}{kind}",
                service.name, method.name, method.signature
            );
        }
    }
    text
}
