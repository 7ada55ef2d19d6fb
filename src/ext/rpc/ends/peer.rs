//! Both at once: calls and is called, on one connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::client::Client;
use super::server::Services;
use super::setup::SetupError;
use crate::config::{Endpoint, Options, SocketKind};
use crate::ext::rpc::conn::{Calls, Conn, Outgoing, ServerStats, Serving, socket_options};
use crate::ext::rpc::model::Service;
use crate::socket::{AnySocket, Context, Socket, kind};

/// One of two ends that may call each other. Either listens, the other connects; there is one other.
pub struct Peer {
    client: Client,
    socket: Socket<kind::Any>,
    serving: Arc<Serving>,
    endpoint: Option<Endpoint>,
}

/// Says what a [`Peer`] has and where the other one is.
#[must_use]
pub struct PeerBuilder {
    context: Context,
    services: Services,
    kind: SocketKind,
    listen: Option<String>,
    connect: Option<String>,
    concurrency: usize,
    deadline: Duration,
    change: Box<dyn FnOnce(&mut Options) + Send>,
}

impl Peer {
    /// Starts with no service and no address, on a PAIR.
    pub fn builder(context: &Context) -> PeerBuilder {
        PeerBuilder {
            context: context.clone(),
            services: Services::default(),
            kind: SocketKind::Pair,
            listen: None,
            connect: None,
            concurrency: 4096,
            deadline: Duration::from_secs(30),
            change: Box::new(|_| {}),
        }
    }

    /// The end that calls the other one.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where it listens.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// What the other one has called.
    pub fn stats(&self) -> ServerStats {
        self.serving.stats()
    }

    /// Stops both directions.
    pub fn close(&self) {
        self.socket.close();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("endpoint", &self.endpoint)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl PeerBuilder {
    /// Adds a service.
    pub fn service(mut self, service: impl Service) -> Self {
        self.services.add(service);
        self
    }

    /// On a DEALER instead of a PAIR, which can also reach a [`Server`](super::Server).
    pub fn dealer(mut self) -> Self {
        self.kind = SocketKind::Dealer;
        self
    }

    /// Listens here for the other one.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.listen = Some(address.into());
        self
    }

    /// The other one listens here.
    pub fn connect(mut self, address: impl Into<String>) -> Self {
        self.connect = Some(address.into());
        self
    }

    /// As [`ServerBuilder::concurrency`](super::ServerBuilder::concurrency).
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls;
        self
    }

    /// As [`ClientBuilder::deadline`](super::ClientBuilder::deadline).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Changes the options of the socket.
    pub fn options(mut self, change: impl FnOnce(&mut Options) + Send + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    /// Calls and serves from now on, in tasks of this runtime.
    ///
    /// # Errors
    ///
    /// As [`ServerBuilder::start`](super::ServerBuilder::start).
    pub fn start(self) -> Result<Peer, SetupError> {
        let runtime = Handle::try_current().map_err(|_| SetupError::NoRuntime)?;
        if self.listen.is_none() && self.connect.is_none() {
            return Err(SetupError::NoAddress);
        }
        let instance = rand::random();
        let options = socket_options(false, &instance, self.change);
        let socket = AnySocket::of(&self.context, self.kind, options)?;
        let way = Outgoing {
            socket: socket.clone(),
            to: None,
        };
        let changed = Arc::new(Notify::new());
        let calls = Calls::new(way, changed.clone());
        let client = Client::of_link(calls.clone(), changed, self.deadline);
        let serving = Serving::new(self.services.finish()?, self.concurrency);
        let endpoint = self
            .listen
            .map(|address| socket.bind(address))
            .transpose()?;
        if let Some(address) = self.connect {
            socket.connect(address)?;
        }
        let conn = Conn {
            socket: socket.clone(),
            routed: false,
            calls: Some(calls),
            serving: Some(serving.clone()),
            instance,
        };
        runtime.spawn(conn.run());
        Ok(Peer {
            client,
            socket,
            serving,
            endpoint,
        })
    }
}
