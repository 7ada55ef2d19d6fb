//! `taipan rpc`: calls on the command line, with JSON in and out.
//!
//! ```text
//!   args ─► call  (one call, or the items of a stream)
//!       ├─► list  (what a server serves)
//!       └─► serve (a command for each call)
//!   json: between JSON and the values of calls
//! ```

mod args;
mod call;
mod json;
mod list;
mod serve;

pub use args::RpcCommand;

use crate::failure::Failure;
use crate::sockets::block_on;

/// Does what was asked.
pub fn run(command: &RpcCommand) -> Result<(), Failure> {
    match command {
        RpcCommand::Call(args) => block_on(call::run(args)),
        RpcCommand::List(args) => block_on(list::run(args)),
        RpcCommand::Serve(args) => block_on(serve::run(args)),
    }
}
