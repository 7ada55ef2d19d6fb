//! Reads a socket and hands what comes to the caller's or the called side.

use std::sync::Arc;

use super::calls::Calls;
use super::outgoing::Outgoing;
use super::serving::Serving;
use crate::config::Options;
use crate::ext::rpc::model::Payload;
use crate::ext::rpc::wire::{Envelope, Side};
use crate::message::{Frame, Message};
use crate::socket::{Socket, kind};

/// Messages taken at a time.
const BATCH: usize = 16;

/// One socket and the sides that use it.
pub(in crate::ext::rpc) struct Conn {
    pub(in crate::ext::rpc) socket: Socket<kind::Any>,
    /// A ROUTER: the first frame is the peer's routing id.
    pub(in crate::ext::rpc) routed: bool,
    pub(in crate::ext::rpc) calls: Option<Arc<Calls>>,
    pub(in crate::ext::rpc) serving: Option<Arc<Serving>>,
    pub(in crate::ext::rpc) instance: [u8; 16],
}

/// What sockets need that calls travel on: they say who they are on each new link, and are told when one ends.
pub(in crate::ext::rpc) fn socket_options(
    routed: bool,
    instance: &[u8; 16],
    change: impl FnOnce(&mut Options),
) -> Options {
    let mut options = Options::default();
    change(&mut options);
    if routed {
        options.router_mandatory = true;
        options.router_handover = true;
    } else {
        // A link of its own for each socket of a process, the same when it comes back.
        let name: [u8; 16] = rand::random();
        options.routing_id = [b"rpc".as_slice(), &name].concat().into();
        options.hello_msg = Some(Envelope::write_hello(instance).into());
    }
    // One where the peer connected to us, the other where we did.
    options.disconnect_msg = Some(bytes::Bytes::new());
    options.hiccup_msg = Some(bytes::Bytes::new());
    options
}

impl Conn {
    /// Until the socket is closed.
    pub(in crate::ext::rpc) async fn run(self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let down = self.calls.as_ref().filter(|calls| !calls.is_up());
            let received = match down {
                None => self.socket.recv_many(&mut batch, BATCH).await,
                Some(calls) => tokio::select! {
                    () = self.socket.wait_for_peers(1) => {
                        calls.link_up();
                        continue;
                    }
                    received = self.socket.recv_many(&mut batch, BATCH) => received,
                },
            };
            if received.is_err() {
                break;
            }
            let several = batch.len() > 1;
            for message in batch.drain(..) {
                self.take(message);
            }
            if several {
                // What was collected meanwhile is written now, and not behind the next batch; those who were answered call
                // again before it is, so that their calls leave together.
                tokio::task::yield_now().await;
            }
        }
        if let Some(calls) = &self.calls {
            calls.close();
        }
        if let Some(serving) = &self.serving {
            serving.close();
        }
    }

    fn take(&self, message: Message) {
        let (from, message) = match self.routed {
            true => match message.split_first() {
                (from, Some(rest)) => (Some(from), rest),
                (_, None) => return self.malformed(),
            },
            false => (None, message),
        };
        let (envelope, rest) = message.split_first();
        let attachments = rest.map(Message::into_frames).unwrap_or_default();
        self.take_from(from, &envelope, attachments);
    }

    fn take_from(&self, from: Option<Frame>, frame: &Frame, attachments: Vec<Frame>) {
        let caller = from.clone().unwrap_or_default();
        if frame.is_empty() {
            if let Some(serving) = &self.serving {
                serving.gone(&caller);
            }
            if let Some(calls) = &self.calls {
                calls.link_down();
            }
            return;
        }
        let way = Outgoing {
            socket: self.socket.clone(),
            to: from,
        };
        let payload = |range| Payload {
            body: frame.slice(range),
            attachments,
        };
        let envelope = match Envelope::read(frame) {
            Ok(envelope) => envelope,
            Err(_) => return self.malformed(),
        };
        match (envelope, &self.serving, &self.calls) {
            (
                Envelope::Call {
                    id,
                    method,
                    params,
                    header,
                },
                Some(serving),
                _,
            ) => {
                serving.call(way, id, method, &header, payload(params));
            }
            (
                Envelope::Signal {
                    method,
                    params,
                    header,
                },
                Some(serving),
                _,
            ) => {
                serving.signal(way, method, &header, payload(params));
            }
            (Envelope::Cancel { id }, Some(serving), _) => serving.cancel(&way, &caller, id),
            (
                Envelope::Item {
                    id,
                    to: Side::Callee,
                    value,
                },
                Some(serving),
                _,
            ) => {
                serving.item(&caller, id, payload(value));
            }
            (Envelope::End { id, complete, .. }, Some(serving), _) => {
                serving.end(&caller, id, complete);
            }
            (
                Envelope::Credit {
                    id,
                    to: Side::Callee,
                    count,
                },
                Some(serving),
                _,
            ) => {
                serving.credit(&caller, id, count);
            }
            (Envelope::Answer { id, outcome }, _, Some(calls)) => {
                calls.answered(id, outcome.map(payload).map_err(Into::into));
            }
            (
                Envelope::Item {
                    id,
                    to: Side::Caller,
                    value,
                },
                _,
                Some(calls),
            ) => {
                calls.item(id, payload(value));
            }
            (
                Envelope::Credit {
                    id,
                    to: Side::Caller,
                    count,
                },
                _,
                Some(calls),
            ) => {
                calls.credit(id, count);
            }
            (Envelope::Hello { instance, .. }, serving, calls) => {
                if let Some(serving) = serving {
                    serving.hello(&caller, instance);
                }
                if self.routed && serving.is_some() {
                    way.send_soon(Envelope::write_hello(&self.instance));
                }
                if let Some(calls) = calls {
                    for message in calls.hello(instance) {
                        let way = calls.way().clone();
                        if let Err(refused) = way.try_send(message) {
                            tokio::spawn(async move {
                                // Fails with the link, and is sent again with the next.
                                let _ = way.send(refused.into_message()).await;
                            });
                        }
                    }
                }
            }
            _ => self.malformed(),
        }
    }

    fn malformed(&self) {
        match (&self.serving, &self.calls) {
            (Some(serving), _) => serving.malformed(),
            (None, Some(calls)) => calls.malformed(),
            (None, None) => {}
        }
    }
}
