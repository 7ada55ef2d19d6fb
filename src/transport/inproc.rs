//! The in-process lane: messages change hands in memory, in the sender's own thread.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::message::Message;
use crate::pipe::{
    Bell, CloseCause, CloseKind, Depth, Flush, Got, Lane, LaneEvent, LaneIdle, Limits, Packet,
    QueueReceiver, QueueSender, Subscription, queue,
};

/// One end of a lane to be: where to ring, and what this end brings along.
pub(crate) struct InprocEnd {
    pub(crate) bell: Bell,
    pub(crate) send: Limits,
    pub(crate) recv: Limits,
    pub(crate) conflate: bool,
}

/// Both lanes of an in-process connection, in the order of the arguments.
pub(crate) fn inproc_pair(a: &InprocEnd, b: &InprocEnd) -> (Box<dyn Lane>, Box<dyn Lane>) {
    let (a_tx, b_rx) = way(a, b);
    let (b_tx, a_rx) = way(b, a);
    (
        Box::new(InprocLane::new(a_tx, a_rx)),
        Box::new(InprocLane::new(b_tx, b_rx)),
    )
}

fn way(from: &InprocEnd, to: &InprocEnd) -> (Outlet, Inlet) {
    if from.conflate || to.conflate {
        let slot = Arc::new(Mutex::new(Slot::default()));
        return (
            Outlet::Slot(slot.clone(), to.bell.clone()),
            Inlet::Slot(slot),
        );
    }
    let (sender, receiver) = queue(from.bell.clone(), to.bell.clone(), from.send, to.recv);
    (Outlet::Queue(sender), Inlet::Queue(receiver))
}

/// A mailbox for one message: the newest wins. Subscriptions are kept apart, none is lost.
#[derive(Default)]
struct Slot {
    newest: Option<Message>,
    subscriptions: Vec<Subscription>,
    closed: bool,
}

enum Outlet {
    Queue(QueueSender),
    Slot(Arc<Mutex<Slot>>, Bell),
}

enum Inlet {
    Queue(QueueReceiver),
    Slot(Arc<Mutex<Slot>>),
}

struct InprocLane {
    tx: Outlet,
    rx: Inlet,
    /// A packet that was looked at to learn whether the peer is gone.
    ahead: Option<Packet>,
    /// With `conflate`: messages that the peer did not take in time.
    replaced: u64,
}

impl InprocLane {
    fn new(tx: Outlet, rx: Inlet) -> Self {
        InprocLane {
            tx,
            rx,
            ahead: None,
            replaced: 0,
        }
    }

    #[inline]
    fn take(&mut self, into: &mut Message) -> Result<Got, LaneIdle> {
        match &mut self.rx {
            Inlet::Queue(queue) => match queue.try_recv(into) {
                Some(got) => Ok(got),
                None => Err(idle(queue.ended())),
            },
            Inlet::Slot(slot) => {
                let mut slot = slot.lock();
                if !slot.subscriptions.is_empty() {
                    return Ok(Got::Subscription(slot.subscriptions.remove(0)));
                }
                let closed = slot.closed;
                *into = slot.newest.take().ok_or_else(|| idle(closed))?;
                Ok(Got::Message { more: false })
            }
        }
    }
}

impl Lane for InprocLane {
    #[inline]
    fn try_send(&mut self, message: &mut Message) -> bool {
        match &mut self.tx {
            Outlet::Queue(queue) => queue.try_send(message),
            Outlet::Slot(slot, bell) => {
                let mut slot = slot.lock();
                if slot.closed {
                    return false;
                }
                let before = slot.newest.replace(std::mem::take(message));
                self.replaced += u64::from(before.is_some());
                drop(slot);
                bell.door.readable(bell.pipe);
                true
            }
        }
    }

    fn subscribe(&mut self, subscription: Subscription) {
        match &mut self.tx {
            Outlet::Queue(queue) => queue.subscribe(subscription),
            Outlet::Slot(slot, bell) => {
                slot.lock().subscriptions.push(subscription);
                bell.door.readable(bell.pipe);
            }
        }
    }

    #[inline]
    fn try_recv(&mut self, into: &mut Message) -> Result<Got, LaneIdle> {
        match self.ahead.take() {
            Some(Packet::Message(message)) => {
                *into = message;
                Ok(Got::Message { more: false })
            }
            Some(Packet::Subscription(subscription)) => Ok(Got::Subscription(subscription)),
            None => self.take(into),
        }
    }

    fn flush(&mut self) -> Flush {
        Flush::Done
    }

    fn on_event(&mut self, event: LaneEvent) -> Option<CloseCause> {
        if let LaneEvent::Limits(send, recv) = event {
            if let Outlet::Queue(queue) = &mut self.tx {
                queue.set_limits(send);
            }
            if let Inlet::Queue(queue) = &mut self.rx {
                queue.set_limits(recv);
            }
        }
        let alive = matches!(&self.rx, Inlet::Queue(queue) if !queue.writer_gone());
        if self.ahead.is_some() || (alive && matches!(event, LaneEvent::Readable)) {
            return None;
        }
        let mut message = Message::new();
        match self.take(&mut message) {
            Ok(Got::Message { .. }) => self.ahead = Some(Packet::Message(message)),
            Ok(Got::Subscription(wish)) => self.ahead = Some(Packet::Subscription(wish)),
            Err(LaneIdle::Closed(cause)) => return Some(cause),
            Err(LaneIdle::Empty) => {}
        }
        None
    }

    /// What was sent is in the peer's hands, so nothing waits on this side.
    fn depth(&self) -> Depth {
        Depth {
            replaced: self.replaced,
            ..Depth::default()
        }
    }

    /// What the peer never read is lost with it; it cannot be taken back, only counted.
    fn reclaim(&mut self) -> (Vec<Packet>, usize) {
        match &mut self.tx {
            Outlet::Queue(queue) => (Vec::new(), queue.unread()),
            Outlet::Slot(slot, _) => (Vec::new(), usize::from(slot.lock().newest.is_some())),
        }
    }
}

impl Drop for InprocLane {
    fn drop(&mut self) {
        if let Outlet::Slot(slot, bell) = &self.tx {
            slot.lock().closed = true;
            bell.door.readable(bell.pipe);
        }
        if let Inlet::Slot(slot) = &self.rx {
            slot.lock().closed = true;
        }
    }
}

fn idle(closed: bool) -> LaneIdle {
    if closed {
        LaneIdle::Closed(CloseCause::new(
            CloseKind::Gone,
            "the peer closed its socket",
        ))
    } else {
        LaneIdle::Empty
    }
}
