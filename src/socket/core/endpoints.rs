//! Binding and connecting, and taking both back.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::sync::Notify;

use super::base::Core;
use super::state::{Accepting, Bound, Connected};
use crate::config::{Endpoint, OptionError, Options, SocketKind};
use crate::pattern::{Control, ControlRefusal, PipeEvent};
use crate::pipe::PipeId;
use crate::session::{Line, LinkOwner, MonitorKind, accept, dial};
use crate::socket::error::{BindError, ConnectError, EndpointNotFound};
use crate::socket::hosted::Hosted;

impl Core {
    fn owner(&self) -> Weak<dyn LinkOwner> {
        self.me.clone()
    }

    pub(crate) fn bind(&self, endpoint: Endpoint) -> Result<Endpoint, BindError> {
        if self.is_closed() {
            return Err(BindError::Closed);
        }
        let bound = match &endpoint {
            Endpoint::Inproc(name) => self.bind_inproc(name, &endpoint)?,
            _ => self.listen(&endpoint)?,
        };
        let resolved = bound.endpoint.clone();
        let mut state = self.lock();
        if state.closed {
            drop(state);
            self.stop_listening(bound);
            return Err(BindError::Closed);
        }
        state.bound.push(bound);
        state.last_endpoint = Some(resolved.clone());
        Ok(resolved)
    }

    fn bind_inproc(&self, name: &str, endpoint: &Endpoint) -> Result<Bound, BindError> {
        let core: Arc<dyn Hosted> = self.strong().ok_or(BindError::Closed)?;
        let (waiting, binding) = self.context.inproc_bind(name, &core)?;
        let address = endpoint.to_string();
        for (connector, pipe) in waiting {
            if let Some(strong) = connector.upgrade()
                && !strong.marry(pipe, &core, &address, binding)
            {
                self.context.inproc_wait(&address, connector, pipe);
            }
        }
        Ok(Bound {
            endpoint: endpoint.clone(),
            task: None,
        })
    }

    fn listen(&self, endpoint: &Endpoint) -> Result<Bound, BindError> {
        let transport = self
            .context
            .transport(endpoint)
            .ok_or_else(|| BindError::UnknownScheme(endpoint.scheme().to_owned()))?;
        let background = self.background().map_err(BindError::Io)?;
        let options = self.options();
        let _context = background.handle().enter();
        match transport.bind(endpoint, &options) {
            Ok(listener) => {
                let resolved = listener.endpoint();
                let name = resolved.to_string();
                self.tell(&name, None, MonitorKind::Listening);
                let (alive, gone) = std::sync::mpsc::channel();
                let owner = self.owner();
                // One value, so that the listener goes first even if the task never ran.
                let held = (listener, alive);
                let task = background.handle().spawn(async move {
                    let (listener, _alive) = held;
                    accept(owner, listener, name).await;
                });
                Ok(Bound {
                    endpoint: resolved,
                    task: Some(Accepting {
                        task: task.abort_handle(),
                        gone,
                    }),
                })
            }
            Err(error) => {
                self.tell(
                    &endpoint.to_string(),
                    None,
                    MonitorKind::BindFailed {
                        reason: error.to_string(),
                    },
                );
                Err(BindError::from(error))
            }
        }
    }

    pub(crate) fn connect(
        &self,
        endpoint: Endpoint,
        assigned_id: Option<Bytes>,
    ) -> Result<Endpoint, ConnectError> {
        match &endpoint {
            Endpoint::Inproc(_) => self.connect_inproc(&endpoint, assigned_id)?,
            _ if self.connects_once(&endpoint) => {}
            _ => self.connect_stream(&endpoint, assigned_id)?,
        }
        self.lock().last_endpoint = Some(endpoint.clone());
        self.signal.wake_changed();
        self.signal.wake_writable();
        Ok(endpoint)
    }

    /// Whether another connection to this endpoint would only double messages: it is ignored then, as
    /// libzmq does.
    fn connects_once(&self, endpoint: &Endpoint) -> bool {
        matches!(
            self.kind,
            SocketKind::Dealer | SocketKind::Sub | SocketKind::Pub | SocketKind::Req
        ) && self
            .lock()
            .connected
            .iter()
            .any(|known| known.endpoint == *endpoint)
    }

    /// A pipe that waits for its link; with `immediate` the pattern does not see it yet.
    fn waiting_pipe(
        &self,
        endpoint: &Endpoint,
        assigned_id: Option<Bytes>,
    ) -> Result<PipeId, ConnectError> {
        let mut state = self.lock();
        if state.closed {
            return Err(ConnectError::Closed);
        }
        if let Some(id) = &assigned_id
            && state.pipes.iter().any(|(_, pipe)| pipe.routing_id() == id)
        {
            return Err(ConnectError::RoutingIdInUse);
        }
        let id = state.insert_waiting(endpoint.to_string(), assigned_id);
        if !state.options.immediate {
            state.attach_to_pattern(id);
        }
        self.finish(state);
        Ok(id)
    }

    fn connect_inproc(
        &self,
        endpoint: &Endpoint,
        assigned_id: Option<Bytes>,
    ) -> Result<(), ConnectError> {
        let id = self.waiting_pipe(endpoint, assigned_id)?;
        self.lock().connected.push(Connected {
            endpoint: endpoint.clone(),
            line: None,
            pipe: Some(id),
            task: None,
        });
        self.context
            .inproc_wait(&endpoint.to_string(), self.me.clone(), id);
        Ok(())
    }

    fn connect_stream(
        &self,
        endpoint: &Endpoint,
        assigned_id: Option<Bytes>,
    ) -> Result<(), ConnectError> {
        let transport = self
            .context
            .transport(endpoint)
            .ok_or_else(|| ConnectError::UnknownScheme(endpoint.scheme().to_owned()))?;
        let background = self.background().map_err(ConnectError::Io)?;
        let immediate = self.lock().options.immediate;
        let id = if immediate {
            None
        } else {
            Some(self.waiting_pipe(endpoint, assigned_id.clone())?)
        };
        let line = Arc::new(Line {
            endpoint: endpoint.clone(),
            assigned_id,
            pipe: parking_lot::Mutex::new(id),
            lost: Notify::new(),
        });
        let mut state = self.lock();
        if state.closed {
            return Err(ConnectError::Closed);
        }
        if let Some(id) = id {
            state.lines.insert(id, line.clone());
        }
        let task = background
            .handle()
            .spawn(dial(self.owner(), transport, line.clone()));
        let connected = Connected {
            endpoint: endpoint.clone(),
            line: Some(line),
            pipe: id,
            task: Some(task.abort_handle()),
        };
        state.connected.push(connected);
        Ok(())
    }

    /// Stops to listen at an endpoint as `bind` returned it. Links that it accepted stay.
    pub(crate) fn unbind(&self, endpoint: &Endpoint) -> Result<(), EndpointNotFound> {
        let mut state = self.lock();
        let at = state
            .bound
            .iter()
            .position(|bound| bound.endpoint == *endpoint)
            .ok_or(EndpointNotFound)?;
        let bound = state.bound.remove(at);
        drop(state);
        self.stop_listening(bound);
        Ok(())
    }

    /// Gives an address up, and says so. Not to be called under the socket's lock.
    pub(super) fn stop_listening(&self, bound: Bound) {
        match (bound.task, self.background()) {
            (Some(accepting), Ok(background)) => {
                accepting.stop(&background);
                self.tell(&bound.endpoint.to_string(), None, MonitorKind::Closed);
            }
            _ => self.context.inproc_unbind(&bound.endpoint),
        }
    }

    /// Ends the link to an endpoint as it was given to `connect`; what waits for it goes out first, within
    /// the linger time, as far as the kernel takes it at once.
    pub(crate) fn disconnect(&self, endpoint: &Endpoint) -> Result<(), EndpointNotFound> {
        let mut state = self.lock();
        let at = state
            .connected
            .iter()
            .position(|known| known.endpoint == *endpoint)
            .ok_or(EndpointNotFound)?;
        let connected = state.connected.remove(at);
        if let Some(task) = connected.task {
            task.abort();
        }
        let pipe = connected
            .line
            .as_ref()
            .map_or(connected.pipe, |line| line.pipe.lock().take());
        if let Some(id) = pipe {
            state.flush_pipe(id, &self.signal);
            self.context.inproc_forget(&self.me, id);
            state.remove_pipe(id);
        }
        self.finish(state);
        if connected.line.is_some() {
            self.tell(&endpoint.to_string(), None, MonitorKind::Closed);
        }
        self.signal.wake_changed();
        Ok(())
    }

    /// Changes options; those that apply to connections apply to later ones, watermarks to all.
    pub(crate) fn update_options(
        &self,
        change: impl FnOnce(&mut Options),
    ) -> Result<(), OptionError> {
        let mut state = self.lock();
        let mut options = state.options.clone();
        change(&mut options);
        options.validate()?;
        state.options = options;
        let (send, recv) = state.limits();
        let state = &mut *state;
        for (_, pipe) in state.pipes.iter_mut() {
            if pipe.limits() != (send, recv) {
                pipe.set_limits(send, recv);
            }
        }
        // Every pattern takes new options.
        let _ = state
            .pattern
            .control(&mut state.pipes, Control::Options(&state.options));
        // A pipe that was full may have room now, and nothing else would tell the pattern.
        for id in state.pipes.ids() {
            state
                .pattern
                .on_event(&mut state.pipes, id, PipeEvent::Writable);
        }
        self.signal.wake_writable();
        Ok(())
    }

    /// A request of the pattern's own: subscribe, unsubscribe.
    pub(crate) fn control(&self, control: Control<'_>) -> Result<(), ControlRefusal> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let result = state.pattern.control(&mut state.pipes, control);
        guard.before_wait(&self.signal);
        self.finish(guard);
        result
    }
}
