//! The tasks of a messenger: one for each socket, and one for the time.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::core::{Clock, Core, Route, wall};
use super::keeper::stepped;
use crate::config::Options;
use crate::ext::reliable::engine::LinkId;
use crate::message::{Frame, Message};
use crate::socket::{Socket, kind};

/// Messages that are taken at a time.
const BATCH: usize = 64;

/// The options that the sockets need.
pub(super) fn socket_options(listens: bool, change: &dyn Fn(&mut Options)) -> Options {
    let mut options = Options {
        heartbeat_interval: Some(std::time::Duration::from_secs(2)),
        heartbeat_timeout: Some(std::time::Duration::from_secs(4)),
        reconnect_max: Some(std::time::Duration::from_secs(2)),
        linger: Some(std::time::Duration::from_secs(1)),
        ..Options::default()
    };
    change(&mut options);
    // What is on its way is bounded by what the receiver allows.
    options.send_hwm = 0;
    options.send_hwm_bytes = 0;
    if listens {
        options.router_mandatory = true;
        options.router_handover = true;
    } else {
        let name: [u8; 16] = rand::random();
        options.routing_id = [b"msg".as_slice(), &name].concat().into();
    }
    // One where the peer connected to us, the other where we did.
    options.disconnect_msg = Some(bytes::Bytes::new());
    options.hiccup_msg = Some(bytes::Bytes::new());
    options
}

/// Serves those who connect, until the socket is closed.
pub(super) async fn listen(core: Weak<Core>, socket: Socket<kind::Any>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut links: HashMap<Frame, LinkId> = HashMap::new();
    while socket.recv_many(&mut batch, BATCH).await.is_ok() {
        let Some(core) = core.upgrade() else { break };
        core.with(|state, now| {
            for message in batch.drain(..) {
                let (from, message) = Core::split(message);
                let Some(message) = message else { continue };
                if message.frame_count() == 1 && message.first().is_empty() {
                    if let Some(link) = links.remove(&from) {
                        state.engine.link_down(link, now);
                        state.routes.remove(&link);
                    }
                    continue;
                }
                let link = match links.get(&from) {
                    Some(link) => *link,
                    None => {
                        state.links += 1;
                        let link = LinkId(state.links);
                        let route = Route {
                            socket: socket.clone(),
                            to: Some(from.clone()),
                        };
                        state.routes.insert(link, route);
                        links.insert(from, link);
                        state.engine.link_up(link, false, now);
                        link
                    }
                };
                state.engine.frame(link, &message, now);
            }
            state.engine.send_acks(now);
        });
        tokio::task::yield_now().await;
    }
}

/// Keeps a link to an address, until the socket is closed.
pub(super) async fn connect(core: Weak<Core>, socket: Socket<kind::Any>) {
    let mut batch: Vec<Message> = Vec::with_capacity(BATCH);
    let mut link = None;
    loop {
        let received = if link.is_some() {
            socket.recv_many(&mut batch, BATCH).await.map(|_| false)
        } else {
            tokio::select! {
                () = socket.wait_for_peers(1) => Ok(true),
                received = socket.recv_many(&mut batch, BATCH) => received.map(|_| false),
            }
        };
        let (Ok(up), Some(core)) = (received, core.upgrade()) else {
            break;
        };
        core.with(|state, now| {
            if up {
                state.links += 1;
                let id = LinkId(state.links);
                let route = Route {
                    socket: socket.clone(),
                    to: None,
                };
                state.routes.insert(id, route);
                link = Some(id);
                state.engine.link_up(id, true, now);
            }
            for message in batch.drain(..) {
                let ends = message.frame_count() == 1 && message.first().is_empty();
                match link {
                    Some(id) if ends => {
                        state.engine.link_down(id, now);
                        state.routes.remove(&id);
                        link = None;
                    }
                    Some(id) => state.engine.frame(id, &message, now),
                    None => {}
                }
            }
            state.engine.send_acks(now);
        });
        tokio::task::yield_now().await;
    }
}

/// Looks at what is due, until the messenger is gone.
pub(super) async fn timer(core: Weak<Core>, clock: Clock) {
    let mut off = 0;
    if let Some(core) = core.upgrade() {
        off = wall() as i64 - core.now().0 as i64;
    }
    loop {
        let Some(core) = core.upgrade() else { return };
        let deadline = core.with(|state, now| {
            if let Some((by, back)) = stepped(wall(), now, &mut off) {
                state.engine.clock_stepped(by, back);
            }
            state.engine.tick(now);
            state.armed = state.engine.deadline();
            (!state.engine.is_closed()).then_some(state.armed)
        });
        let Some(deadline) = deadline else { return };
        let changed: Arc<Core> = core;
        let notified = changed.timer.notified();
        match deadline {
            None => notified.await,
            Some(at) => {
                let at = clock.instant(at);
                tokio::select! {
                    () = tokio::time::sleep_until(at.into()) => {}
                    () = notified => {}
                }
            }
        }
    }
}
