//! Calls whose methods are known only when the program runs: for gateways and tools.

use std::future::Future;
use std::sync::Arc;

use super::builtin::{Listed, SERVICE};
use super::client::Client;
use super::typed::{Stream, support};
use crate::ext::rpc::conn::CallOptions;
use crate::ext::rpc::model::{Fault, Method, MsgPack, Reply, Request, RpcError, Service};

pub use rmpv::Value;

impl Client {
    /// Calls any method with any arguments; `method` is `Service.method`.
    ///
    /// # Errors
    ///
    /// Whatever became of it. Dropping the future cancels the call.
    pub async fn call_value(
        &self,
        method: &str,
        arguments: Vec<Value>,
        options: CallOptions,
    ) -> Result<Value, RpcError> {
        support::call::<MsgPack, _, _>(self, method, &arguments, options).await
    }

    /// A call of any method whose result is a stream.
    ///
    /// # Errors
    ///
    /// When no server was there in time; what becomes of the call is in the stream.
    pub async fn stream_value(
        &self,
        method: &str,
        arguments: Vec<Value>,
        options: CallOptions,
    ) -> Result<Stream<Value>, RpcError> {
        support::download::<MsgPack, _, _>(self, method, &arguments, options).await
    }

    /// A signal to any method.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub async fn signal_value(
        &self,
        method: &str,
        arguments: Vec<Value>,
        options: CallOptions,
    ) -> Result<(), RpcError> {
        support::signal::<MsgPack, _>(self, method, &arguments, options).await
    }

    /// What the server serves.
    ///
    /// # Errors
    ///
    /// As any call; `NoSuchService` from servers that list nothing.
    pub async fn list(&self) -> Result<Vec<Listed>, RpcError> {
        let options = CallOptions::new().idempotent();
        let method = format!("{SERVICE}.list");
        support::call::<MsgPack, _, _>(self, &method, &[(); 0], options).await
    }

    /// Whether a server is there and answers.
    ///
    /// # Errors
    ///
    /// Why not.
    pub async fn health(&self) -> Result<(), RpcError> {
        let options = CallOptions::new().idempotent();
        let method = format!("{SERVICE}.health");
        let _: String = support::call::<MsgPack, _, _>(self, &method, &[(); 0], options).await?;
        Ok(())
    }
}

/// A service made of a function: method and arguments in, a value out.
pub struct DynamicService<F> {
    name: String,
    methods: Vec<Method>,
    run: F,
}

impl<F, R> DynamicService<F>
where
    F: Fn(String, Vec<Value>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Value, Fault>> + Send + 'static,
{
    /// With a name (`*` for whatever no other service has), what it lists, and what it does.
    pub fn new(name: impl Into<String>, methods: Vec<Method>, run: F) -> Self {
        DynamicService {
            name: name.into(),
            methods,
            run,
        }
    }
}

impl<F, R> Service for DynamicService<F>
where
    F: Fn(String, Vec<Value>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Value, Fault>> + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn methods(&self) -> Vec<Method> {
        self.methods.clone()
    }

    fn call(self: Arc<Self>, request: Request) -> Reply {
        Box::pin(async move {
            let arguments = support::arguments::<MsgPack, _>(&request)?;
            let name = match &*self.name {
                "*" => request.method,
                _ => request.method_name().to_owned(),
            };
            let result = (self.run)(name, arguments).await?;
            support::result::<MsgPack, _>(&result)
        })
    }
}
