//! Streams of arguments and results: items with credit, so that whoever sends never runs ahead of who receives.
//!
//! ```text
//!   sender ── item, item, .. (as many as there is credit) ──► queue of WINDOW ──► receiver
//!          ◄── credit, each time half a window was taken ────────────────────────┘
//! ```
//! Both ends of a link have a table of the streams that are open, by peer and call.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};

use super::outgoing::Outgoing;
use crate::ext::rpc::model::{Payload, RpcError};
use crate::ext::rpc::wire::{Envelope, Side};

/// Items that may be under way on one stream.
pub const WINDOW: u32 = 64;

/// A peer's routing id (empty on links with one) and the caller's number.
pub(super) type Key = (Vec<u8>, u64);
type Item = Result<Payload, RpcError>;

/// What an open stream has on this end.
#[derive(Default)]
struct Entry {
    /// Where items that come go.
    items: Option<Inlet>,
    /// How many items may go out.
    credit: Option<Arc<Semaphore>>,
}

/// The way of items to their receiver.
struct Inlet {
    queue: mpsc::Sender<Item>,
    /// How many the other end may still send.
    allowed: u32,
}

/// The open streams of one end of a link.
#[derive(Default)]
pub(super) struct Table(Mutex<HashMap<Key, Entry>>);

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// An end that receives; the other one may send a window at once.
    pub(super) fn receiver(self: &Arc<Self>, key: &Key, way: Outgoing, from: Side) -> ItemStream {
        // One more for the error that may end it.
        let (queue, items) = mpsc::channel(WINDOW as usize + 1);
        let allowed = WINDOW;
        self.0.lock().entry(key.clone()).or_default().items = Some(Inlet { queue, allowed });
        ItemStream {
            items,
            way,
            key: key.clone(),
            table: self.clone(),
            from,
            taken: 0,
            ended: false,
        }
    }

    /// An end that sends, with so much credit.
    pub(super) fn sender(
        self: &Arc<Self>,
        key: &Key,
        way: Outgoing,
        to: Side,
        credit: u32,
    ) -> ItemSink {
        let permits = Arc::new(Semaphore::new(credit.min(WINDOW) as usize));
        self.0.lock().entry(key.clone()).or_default().credit = Some(permits.clone());
        ItemSink {
            credit: permits,
            way,
            key: key.clone(),
            table: self.clone(),
            to,
            ended: false,
        }
    }

    /// An item came. One that nobody waits for, or for which there was no credit, ends the stream.
    pub(super) fn item(&self, key: &Key, payload: Payload) {
        let mut entries = self.0.lock();
        let Some(entry) = entries.get_mut(key) else {
            return;
        };
        let Some(inlet) = &mut entry.items else {
            return;
        };
        match inlet.allowed.checked_sub(1) {
            Some(left) => {
                inlet.allowed = left;
                let _ = inlet.queue.try_send(Ok(payload));
            }
            None => {
                let error = RpcError::Protocol("more items than credit".into());
                let _ = inlet.queue.try_send(Err(error));
                entry.items = None;
            }
        }
    }

    /// The other end may send so many more.
    fn allow(&self, key: &Key, count: u32) {
        let mut entries = self.0.lock();
        let entry = entries.get_mut(key);
        if let Some(inlet) = entry.and_then(|entry| entry.items.as_mut()) {
            inlet.allowed += count;
        }
    }

    /// Nothing follows: all was sent, or this is why not.
    pub(super) fn end(&self, key: &Key, why: Option<RpcError>) {
        let mut entries = self.0.lock();
        let Some(entry) = entries.get_mut(key) else {
            return;
        };
        if let (Some(inlet), Some(error)) = (entry.items.take(), why) {
            let _ = inlet.queue.try_send(Err(error));
        }
        if entry.credit.is_none() {
            entries.remove(key);
        }
    }

    pub(super) fn credit(&self, key: &Key, count: u32) {
        if let Some(credit) = self
            .0
            .lock()
            .get(key)
            .and_then(|entry| entry.credit.as_ref())
        {
            // A peer that grants more than there is to grant gains nothing.
            let room = (WINDOW as usize).saturating_sub(credit.available_permits());
            credit.add_permits(room.min(count as usize));
        }
    }

    /// The call is over: both directions end.
    pub(super) fn close(&self, key: &Key, why: Option<RpcError>) {
        if let Some(entry) = self.0.lock().remove(key) {
            entry.over(why);
        }
    }

    /// All streams of a peer end.
    pub(super) fn close_peer(&self, peer: &[u8], why: &RpcError) {
        let gone = self
            .0
            .lock()
            .extract_if(|key, _| key.0 == peer)
            .collect::<Vec<_>>();
        for (_, entry) in gone {
            entry.over(Some(why.clone()));
        }
    }

    fn forget_items(&self, key: &Key) {
        let mut entries = self.0.lock();
        if let Some(entry) = entries.get_mut(key) {
            entry.items = None;
            if entry.credit.is_none() {
                entries.remove(key);
            }
        }
    }

    fn forget_credit(&self, key: &Key) {
        let mut entries = self.0.lock();
        if let Some(entry) = entries.get_mut(key) {
            entry.credit = None;
            if entry.items.is_none() {
                entries.remove(key);
            }
        }
    }
}

impl Entry {
    fn over(self, why: Option<RpcError>) {
        if let (Some(inlet), Some(error)) = (self.items, why) {
            let _ = inlet.queue.try_send(Err(error));
        }
        if let Some(credit) = self.credit {
            credit.close();
        }
    }
}

/// The receiving end of a stream, encoded. Ends when everything was sent; an error is the last item.
pub struct ItemStream {
    items: mpsc::Receiver<Item>,
    way: Outgoing,
    key: Key,
    table: Arc<Table>,
    /// The side that sends.
    from: Side,
    taken: u32,
    ended: bool,
}

impl ItemStream {
    /// The next item; `None` after the last. Cancel safe.
    pub async fn next(&mut self) -> Option<Item> {
        std::future::poll_fn(|task| self.poll_next(task)).await
    }

    /// As [`next`](Self::next), for those who poll.
    pub fn poll_next(
        &mut self,
        task: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Item>> {
        let item = std::task::ready!(self.items.poll_recv(task));
        match &item {
            Some(Ok(_)) => {
                self.taken += 1;
                if self.taken >= WINDOW / 2 {
                    self.table.allow(&self.key, self.taken);
                    self.grant(self.taken);
                    self.taken = 0;
                }
            }
            Some(Err(_)) | None => self.ended = true,
        }
        std::task::Poll::Ready(item)
    }

    pub(super) fn grant(&self, count: u32) {
        self.way
            .send_soon(Envelope::write_credit(self.key.1, self.from, count));
    }

    /// Whether the last item was taken.
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

impl Drop for ItemStream {
    fn drop(&mut self) {
        self.table.forget_items(&self.key);
    }
}

/// The sending end of a stream, encoded.
pub struct ItemSink {
    credit: Arc<Semaphore>,
    way: Outgoing,
    key: Key,
    table: Arc<Table>,
    to: Side,
    ended: bool,
}

impl ItemSink {
    /// Sends an item when there is credit for it. Cancel safe: dropped while it waits, the item was not sent.
    ///
    /// # Errors
    ///
    /// [`RpcError::Cancelled`] when the other end does not want more, or the call is over; `Disconnected` when the link is.
    pub async fn send(&self, item: &Payload) -> Result<(), RpcError> {
        let permit = self
            .credit
            .acquire()
            .await
            .map_err(|_| RpcError::Cancelled)?;
        let envelope = Envelope::write_item(self.key.1, self.to, &item.body);
        let message = self.way.payload(envelope, item);
        let sent = self.way.send(message).await;
        permit.forget();
        sent.map_err(|_| RpcError::Disconnected { may_have_run: true })
    }

    /// Says that these were all. A stream of results ends with the method instead.
    pub fn finish(mut self) {
        self.end(true);
    }

    fn end(&mut self, complete: bool) {
        if !std::mem::replace(&mut self.ended, true)
            && self.to == Side::Callee
            && !self.credit.is_closed()
        {
            self.way
                .send_soon(Envelope::write_end(self.key.1, complete));
        }
    }
}

impl Drop for ItemSink {
    fn drop(&mut self) {
        self.end(false);
        self.table.forget_credit(&self.key);
    }
}

/// The streams of a call that arrived. Whoever takes no end of one has none.
pub struct Streams {
    pub(super) table: Arc<Table>,
    pub(super) way: Outgoing,
    pub(super) id: u64,
    pub(super) window: u32,
}

impl Streams {
    /// The stream of arguments; from now on the caller may send.
    pub fn arguments(&self) -> ItemStream {
        let stream = self
            .table
            .receiver(&self.key(), self.way.clone(), Side::Caller);
        stream.grant(WINDOW);
        stream
    }

    /// The stream of results.
    pub fn results(&self) -> ItemSink {
        self.table
            .sender(&self.key(), self.way.clone(), Side::Caller, self.window)
    }

    fn key(&self) -> Key {
        (self.way.peer().to_vec(), self.id)
    }
}
