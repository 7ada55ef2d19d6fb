//! The handle of a socket: one generic type whose abilities follow from its kind.

use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::{Context, Inner};
use super::core::{Core, Interest, SocketStats};
use super::error::{BindError, ConnectError, EndpointNotFound};
use super::kinds::{Kind, kind};
use crate::config::{Endpoint, EndpointError, OptionError, Options, SocketKind};
use crate::session::Monitor;

/// A socket of kind `K`; see [`Push`](crate::Push), [`Pull`](crate::Pull) and their siblings.
///
/// Handles are cheap to clone; clones are the same socket. All methods take `&self` and may be called from
/// any thread, inside a tokio runtime or not. Dropping the last clone closes the socket: what was accepted
/// for sending still goes out, at most for [`linger`](Options::linger).
///
/// Messages are read and written in the thread of the caller; the context's own thread does the rest.
pub struct Socket<K: Kind> {
    shared: Arc<Shared>,
    kind: PhantomData<K>,
}

/// What the clones of a handle share; its end is the end of the socket.
struct Shared {
    core: Arc<Core>,
    context: Arc<Inner>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.core.close();
        self.context.user_gone();
    }
}

impl<K: Kind> Clone for Socket<K> {
    fn clone(&self) -> Self {
        Socket {
            shared: self.shared.clone(),
            kind: PhantomData,
        }
    }
}

impl<K: Kind> fmt::Debug for Socket<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

impl<K: Kind> Socket<K> {
    fn create(context: &Context, kind: SocketKind, options: Options) -> Result<Self, OptionError> {
        options.validate()?;
        Ok(Self::with_valid(context, kind, options))
    }

    /// For options that are known to be valid.
    fn with_valid(context: &Context, kind: SocketKind, options: Options) -> Self {
        let inner = context.inner().clone();
        inner.user_added();
        let core = Core::new(inner.clone(), kind, options);
        inner.add_socket(Arc::<Core>::downgrade(&core));
        if inner.is_closed() {
            core.close();
        }
        Socket {
            shared: Arc::new(Shared {
                core,
                context: inner,
            }),
            kind: PhantomData,
        }
    }

    pub(super) fn core(&self) -> &Core {
        &self.shared.core
    }

    pub(super) fn core_arc(&self) -> &Arc<Core> {
        &self.shared.core
    }

    /// The same socket without its kind in the type.
    pub fn into_any(self) -> Socket<kind::Any> {
        Socket {
            shared: self.shared,
            kind: PhantomData,
        }
    }

    /// The kind of the socket.
    pub fn kind(&self) -> SocketKind {
        self.core().kind
    }

    /// Listens at an endpoint and returns it with wildcards and free ports resolved.
    ///
    /// ```
    /// # let context = taipan::Context::new();
    /// let pull = taipan::Pull::new(&context);
    /// let endpoint = pull.bind("tcp://127.0.0.1:*")?;
    /// assert!(endpoint.to_string().starts_with("tcp://127.0.0.1:"));
    /// # Ok::<(), taipan::BindError>(())
    /// ```
    ///
    /// # Errors
    /// See [`BindError`]. A socket may listen at any number of endpoints.
    pub fn bind<E>(&self, endpoint: E) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        EndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(EndpointError::from)?;
        endpoint.validate()?;
        self.core().bind(endpoint)
    }

    /// Connects to an endpoint, in the background and again and again: the peer need not be there yet, and
    /// may go and come back. Returns at once.
    ///
    /// # Errors
    /// Only what is known at once, see [`ConnectError`]; watch the [`Monitor`] for the rest.
    pub fn connect<E>(&self, endpoint: E) -> Result<Endpoint, ConnectError>
    where
        E: TryInto<Endpoint>,
        EndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(EndpointError::from)?;
        endpoint.validate()?;
        self.core().connect(endpoint, None)
    }

    /// As [`Socket::connect`], and names the peer: a ROUTER sends to it by this routing id, whatever the
    /// peer calls itself.
    ///
    /// # Errors
    /// As `connect`, and [`ConnectError::RoutingIdInUse`].
    pub fn connect_as<E>(
        &self,
        endpoint: E,
        routing_id: impl Into<bytes::Bytes>,
    ) -> Result<Endpoint, ConnectError>
    where
        E: TryInto<Endpoint>,
        EndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(EndpointError::from)?;
        endpoint.validate()?;
        self.core().connect(endpoint, Some(routing_id.into()))
    }

    /// Stops listening at an endpoint, given as `bind` returned it. Links that it accepted stay.
    pub fn unbind(&self, endpoint: &Endpoint) -> Result<(), EndpointNotFound> {
        self.core().unbind(endpoint)
    }

    /// Ends the connection to an endpoint, given as `connect` returned it.
    pub fn disconnect(&self, endpoint: &Endpoint) -> Result<(), EndpointNotFound> {
        self.core().disconnect(endpoint)
    }

    /// The endpoint bound or connected last, resolved.
    pub fn last_endpoint(&self) -> Option<Endpoint> {
        self.core().last_endpoint()
    }

    /// A copy of the options as they are now.
    pub fn options(&self) -> Options {
        self.core().options()
    }

    /// Changes options. Watermarks apply at once, also to peers that are connected; what concerns
    /// connections applies to those made later.
    ///
    /// # Errors
    /// If the result is not valid; nothing is changed then.
    pub fn update_options(&self, change: impl FnOnce(&mut Options)) -> Result<(), OptionError> {
        self.core().update_options(change)
    }

    /// Watches what happens to the socket's connections from now on.
    pub fn monitor(&self) -> Monitor {
        self.core().monitor.watch()
    }

    /// Counters and queue depths, of the socket and of each peer.
    pub fn stats(&self) -> SocketStats {
        self.core().stats()
    }

    /// How many peers are linked now.
    pub fn peer_count(&self) -> usize {
        self.core().peer_count()
    }

    /// Waits until at least `count` peers are linked. Cancel safe. Returns early if the socket is closed.
    pub async fn wait_for_peers(&self, count: usize) {
        self.wait_until(|core| core.peer_count() >= count).await;
    }

    pub(super) async fn wait_until(&self, done: impl Fn(&Core) -> bool) {
        let core = self.core();
        loop {
            let changed = core.wait_change();
            if done(core) || core.is_closed() {
                return;
            }
            changed.await;
        }
    }

    /// As [`Socket::wait_for_peers`] in this thread, for at most `timeout` (`None`: for ever); `false` if
    /// that was not enough.
    pub fn blocking_wait_for_peers(&self, count: usize, timeout: Option<Duration>) -> bool {
        self.block_until(timeout, |core| core.peer_count() >= count)
    }

    pub(super) fn block_until(
        &self,
        timeout: Option<Duration>,
        done: impl Fn(&Core) -> bool,
    ) -> bool {
        use event_listener::Listener;
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let core = self.core();
        loop {
            let changed = core.wait_change();
            if done(core) {
                return true;
            }
            if core.is_closed() {
                return false;
            }
            match deadline {
                Some(deadline) => {
                    if changed.wait_deadline(deadline).is_none() {
                        return done(core);
                    }
                }
                None => changed.wait(),
            }
        }
    }

    /// Which of `interest` is possible now: receiving or sending without waiting.
    pub fn ready(&self, interest: Interest) -> Interest {
        self.core().poll_ready(interest)
    }

    /// Closes the socket for all its clones; waiting calls return `Closed`. What was accepted for sending
    /// still goes out in the background, within the linger time.
    pub fn close(&self) {
        self.core().close();
    }

    /// A descriptor that becomes readable (edge) when [`Socket::ready`] may have changed, for event loops of
    /// your own. Never read from it.
    ///
    /// # Errors
    /// If the system has no more descriptors.
    pub fn descriptor(&self) -> std::io::Result<Descriptor> {
        Ok(Descriptor(self.core().public_descriptor()?))
    }
}

/// See [`Socket::descriptor`].
#[derive(Debug, Clone)]
pub struct Descriptor(pub(super) Arc<mio::Registry>);

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

macro_rules! constructors {
    ($($name:ident)*) => {$(
        impl Socket<kind::$name> {
            /// A socket with the default options.
            pub fn new(context: &Context) -> Self {
                Self::with_valid(context, SocketKind::$name, Options::default())
            }

            /// A socket with options of your own.
            ///
            /// # Errors
            /// If the options are not valid.
            pub fn with_options(context: &Context, options: Options) -> Result<Self, OptionError> {
                Self::create(context, SocketKind::$name, options)
            }
        }
    )*};
}

constructors!(Pair Pub Sub Req Rep Dealer Router Pull Push XPub XSub);

impl Socket<kind::Any> {
    /// A socket of a kind chosen while the program runs.
    ///
    /// # Errors
    /// If the options are not valid.
    pub fn of(context: &Context, kind: SocketKind, options: Options) -> Result<Self, OptionError> {
        Self::create(context, kind, options)
    }
}
