//! Clients and servers as `tower::Service`, so that its middleware fits on both sides.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service as TowerService;

use super::client::Client;
use crate::ext::rpc::conn::CallOptions;
use crate::ext::rpc::model::{Fault, Method, Payload, Reply, Request, RpcError, Service, causes};

/// A call for [`ClientService`]: what it is and how.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// `Service.method`.
    pub method: String,
    /// The arguments, an array.
    pub params: Payload,
    /// Deadline and the like.
    pub options: CallOptions,
}

impl Invocation {
    /// With the default options.
    pub fn new(method: impl Into<String>, params: Payload) -> Self {
        Invocation {
            method: method.into(),
            params,
            options: CallOptions::new(),
        }
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A [`Client`] for tower: ready while a server is connected and fewer calls than a limit are under way.
pub struct ClientService {
    client: Client,
    limit: Arc<Semaphore>,
    getting_ready: Option<Boxed<Option<OwnedSemaphorePermit>>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Client {
    /// This client as a `tower::Service`, with so many calls under way at most (over all clones of the service).
    pub fn into_service(self, in_flight: usize) -> ClientService {
        ClientService {
            client: self,
            limit: Arc::new(Semaphore::new(in_flight)),
            getting_ready: None,
            permit: None,
        }
    }
}

impl Clone for ClientService {
    fn clone(&self) -> Self {
        ClientService {
            client: self.client.clone(),
            limit: self.limit.clone(),
            // A clone gets ready by itself.
            getting_ready: None,
            permit: None,
        }
    }
}

impl TowerService<Invocation> for ClientService {
    type Response = Payload;
    type Error = RpcError;
    type Future = Boxed<Result<Payload, RpcError>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), RpcError>> {
        if self.permit.is_some() {
            return Poll::Ready(Ok(()));
        }
        let (client, limit) = (&self.client, &self.limit);
        let getting_ready = self.getting_ready.get_or_insert_with(|| {
            let (client, limit) = (client.clone(), limit.clone());
            Box::pin(async move {
                client.wait_connected(1).await;
                limit.acquire_owned().await.ok()
            })
        });
        let permit = ready!(getting_ready.as_mut().poll(task));
        self.getting_ready = None;
        self.permit = permit;
        Poll::Ready(self.permit.as_ref().map(|_| ()).ok_or(RpcError::Closed {
            may_have_run: false,
        }))
    }

    fn call(&mut self, call: Invocation) -> Self::Future {
        let (client, permit) = (self.client.clone(), self.permit.take());
        Box::pin(async move {
            let _permit = permit;
            client
                .invoke(&call.method, &call.params, None, call.options)
                .await
        })
    }
}

/// A service of ours as tower's: always ready, since its server bounds what runs.
#[derive(Clone)]
pub struct Handler(Arc<dyn Service>);

impl TowerService<Request> for Handler {
    type Response = Payload;
    type Error = RpcError;
    type Future = Reply;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), RpcError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Reply {
        self.0.clone().call(request)
    }
}

/// A service with middleware of tower's around it.
///
/// ```
/// # use std::time::Duration;
/// # fn with(calculator: impl taipan::rpc::Service) -> impl taipan::rpc::Service {
/// taipan::rpc::Layered::new(calculator, |inner| {
///     tower::ServiceBuilder::new()
///         .concurrency_limit(8)
///         .timeout(Duration::from_secs(1))
///         .service(inner)
/// })
/// # }
/// ```
pub struct Layered<S> {
    inner: Arc<dyn Service>,
    stack: parking_lot::Mutex<S>,
}

impl<S> Layered<S>
where
    S: TowerService<Request, Response = Payload> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
{
    /// Puts a service below what `layer` makes of it.
    pub fn new(service: impl Service, layer: impl FnOnce(Handler) -> S) -> Self {
        let inner: Arc<dyn Service> = Arc::new(service);
        Layered {
            stack: parking_lot::Mutex::new(layer(Handler(inner.clone()))),
            inner,
        }
    }
}

impl<S> Service for Layered<S>
where
    S: TowerService<Request, Response = Payload> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
{
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn methods(&self) -> Vec<Method> {
        self.inner.methods()
    }

    fn call(self: Arc<Self>, request: Request) -> Reply {
        let mut stack = self.stack.lock().clone();
        Box::pin(async move {
            let answer = async {
                std::future::poll_fn(|task| stack.poll_ready(task)).await?;
                stack.call(request).await
            };
            answer
                .await
                .map_err(|error: S::Error| of_middleware(error.into()))
        })
    }
}

/// An error of the method itself passes as it is; one of the middleware is an application's.
fn of_middleware(error: Box<dyn Error + Send + Sync>) -> RpcError {
    match error.downcast::<RpcError>() {
        Ok(error) => *error,
        Err(error) => RpcError::Application(Fault {
            kind: "middleware".to_owned(),
            message: error.to_string(),
            chain: causes(&*error),
        }),
    }
}
