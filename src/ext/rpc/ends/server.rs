//! The end that is called.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::builtin::BuiltIn;
use super::setup::SetupError;
use crate::config::{Endpoint, Options, SocketKind};
use crate::ext::rpc::conn::{Conn, ServerStats, Serving, socket_options};
use crate::ext::rpc::model::Service;
use crate::socket::{AnySocket, Context, Socket, kind};

/// Calls that run at a time, unless the builder says otherwise.
const CONCURRENCY: usize = 4096;

/// Serves methods until it is closed or dropped.
pub struct Server {
    socket: Socket<kind::Any>,
    serving: Arc<Serving>,
    endpoints: Vec<Endpoint>,
}

/// Says what a [`Server`] has and where.
#[must_use]
pub struct ServerBuilder {
    context: Context,
    services: Services,
    listen: Vec<String>,
    connect: Vec<String>,
    concurrency: usize,
    change: Box<dyn FnOnce(&mut Options) + Send>,
}

/// Services by name.
#[derive(Default)]
pub(super) struct Services(Vec<Arc<dyn Service>>);

impl Services {
    pub(super) fn add(&mut self, service: impl Service) {
        self.0.push(Arc::new(service));
    }

    /// With the built-in one.
    pub(super) fn finish(self) -> Result<HashMap<String, Arc<dyn Service>>, SetupError> {
        let built_in: Arc<dyn Service> = Arc::new(BuiltIn::of(&self.0));
        let mut by_name = HashMap::new();
        for service in self.0.into_iter().chain([built_in]) {
            let name = service.name().to_owned();
            if by_name.insert(name.clone(), service).is_some() {
                return Err(SetupError::Twice(name));
            }
        }
        Ok(by_name)
    }
}

impl Server {
    /// Starts with no service and no address.
    pub fn builder(context: &Context) -> ServerBuilder {
        ServerBuilder {
            context: context.clone(),
            services: Services::default(),
            listen: Vec::new(),
            connect: Vec::new(),
            concurrency: CONCURRENCY,
            change: Box::new(|_| {}),
        }
    }

    /// Where it listens, as resolved: the port of `tcp://127.0.0.1:*`.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The first of [`endpoints`](Self::endpoints).
    ///
    /// # Panics
    ///
    /// When it listens nowhere.
    pub fn endpoint(&self) -> &Endpoint {
        self.endpoints.first().expect("the server listens")
    }

    /// What it has done.
    pub fn stats(&self) -> ServerStats {
        self.serving.stats()
    }

    /// Stops: calls that run are dropped, answers that were given are still sent.
    pub fn close(&self) {
        self.socket.close();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("endpoints", &self.endpoints)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl ServerBuilder {
    /// Adds a service.
    pub fn service(mut self, service: impl Service) -> Self {
        self.services.add(service);
        self
    }

    /// Listens here.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.listen.push(address.into());
        self
    }

    /// Goes to a client that listens: a [`Peer`](super::Peer) on a DEALER.
    pub fn connect(mut self, address: impl Into<String>) -> Self {
        self.connect.push(address.into());
        self
    }

    /// How many calls may run at a time; more are answered with [`RpcError::Overloaded`](crate::rpc::RpcError). So many
    /// answers may wait for callers that do not take them. Default: 4096.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls;
        self
    }

    /// Changes the options of the socket.
    pub fn options(mut self, change: impl FnOnce(&mut Options) + Send + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    /// Serves from now on, in tasks of this runtime.
    ///
    /// # Errors
    ///
    /// When an address or option is wrong, two services have one name, or there is no runtime.
    pub fn start(self) -> Result<Server, SetupError> {
        let runtime = Handle::try_current().map_err(|_| SetupError::NoRuntime)?;
        let instance = rand::random();
        let options = socket_options(true, &instance, self.change);
        let socket = AnySocket::of(&self.context, SocketKind::Router, options)?;
        let serving = Serving::new(self.services.finish()?, self.concurrency);
        let mut server = Server {
            socket,
            serving,
            endpoints: Vec::new(),
        };
        for address in self.listen {
            server.endpoints.push(server.socket.bind(address)?);
        }
        for address in self.connect {
            server.socket.connect(address)?;
        }
        let conn = Conn {
            socket: server.socket.clone(),
            routed: true,
            calls: None,
            serving: Some(server.serving.clone()),
            instance,
        };
        runtime.spawn(conn.run());
        Ok(server)
    }
}
