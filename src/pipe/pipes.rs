//! The pipes of one socket, and the two short lists that follow from using them: which must be flushed,
//! and which have ended.
//!
//! Patterns talk to peers through this type alone; the socket's core reads the lists after each call.

use std::mem;

use slab::Slab;

use super::single::Closed;
use super::{
    CloseCause, CloseKind, DropReason, Drops, Glance, Got, Lane, LaneIdle, Pipe, PipeId,
    Subscription,
};
use crate::message::Message;

/// All pipes of a socket.
#[derive(Default)]
pub(crate) struct Pipes {
    slab: Slab<Pipe>,
    dirty: Vec<PipeId>,
    /// Pipes whose peers do not tell of news: see [`Lane::glance`](super::Lane::glance).
    awake: Vec<PipeId>,
    closed: Vec<Closed>,
    /// Some pipe has more to send than its in-process peer took, which only rings when it has room.
    stalled: bool,
    /// Whether the last receive has left more to receive where it was.
    pub(crate) more: bool,
    /// Drops that belong to no pipe, or to pipes that are gone.
    pub(crate) drops: Drops,
}

impl Pipes {
    pub(crate) fn insert(&mut self, pipe: Pipe) -> PipeId {
        self.slab.insert(pipe)
    }

    pub(crate) fn remove(&mut self, id: PipeId) -> Option<Pipe> {
        self.dirty.retain(|dirty| *dirty != id);
        self.awake.retain(|awake| *awake != id);
        self.closed.retain(|(closed, _)| *closed != id);
        self.slab.try_remove(id)
    }

    #[inline]
    pub(crate) fn get(&self, id: PipeId) -> Option<&Pipe> {
        self.slab.get(id)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: PipeId) -> Option<&mut Pipe> {
        self.slab.get_mut(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// The pipe, if there is just one.
    pub(crate) fn only(&self) -> Option<PipeId> {
        let (id, _) = self.slab.iter().next()?;
        (self.slab.len() == 1).then_some(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PipeId, &Pipe)> {
        self.slab.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (PipeId, &mut Pipe)> {
        self.slab.iter_mut()
    }

    pub(crate) fn ids(&self) -> Vec<PipeId> {
        self.slab.iter().map(|(id, _)| id).collect()
    }

    /// Sends on one pipe, which takes the message; or `false`, and it stays: at its watermark, or no such pipe.
    #[inline]
    pub(crate) fn try_send(&mut self, id: PipeId, message: &mut Message) -> bool {
        let Some(pipe) = self.slab.get_mut(id) else {
            return false;
        };
        let accepted = pipe.try_send(message);
        if !pipe.dirty && pipe.collects() && (accepted || pipe.glances()) {
            pipe.dirty = true;
            self.dirty.push(id);
        }
        accepted
    }

    /// Sends a subscription on one pipe.
    pub(crate) fn subscribe(&mut self, id: PipeId, subscription: Subscription) {
        let Some(pipe) = self.slab.get_mut(id) else {
            return;
        };
        pipe.subscribe(subscription);
        if !pipe.dirty && pipe.collects() {
            pipe.dirty = true;
            self.dirty.push(id);
        }
    }

    /// Sends a copy of `message` on one pipe; `false` if it is at its watermark or gone.
    #[inline]
    pub(crate) fn try_publish(&mut self, id: PipeId, message: &Message) -> bool {
        let Some(pipe) = self.slab.get_mut(id) else {
            return false;
        };
        let accepted = pipe.try_publish(message);
        if !pipe.dirty && pipe.collects() && (accepted || pipe.glances()) {
            pipe.dirty = true;
            self.dirty.push(id);
        }
        accepted
    }

    /// Keeps a message for a pipe beyond its watermark: for a publisher that may not drop it and has sent it to others
    /// already. Lost with the pipe if that is gone.
    pub(crate) fn keep(&mut self, id: PipeId, message: Message) {
        match self.slab.get_mut(id) {
            Some(pipe) => {
                pipe.keep(message);
                self.stalled |= pipe.is_stalled();
            }
            None => self.count_drop(None, DropReason::LinkLost),
        }
    }

    /// Moves what a pipe has kept on into its lane; `true` if nothing is left.
    pub(crate) fn feed(&mut self, id: PipeId) -> bool {
        let Some(pipe) = self.slab.get_mut(id) else {
            return true;
        };
        let done = pipe.feed();
        if !pipe.dirty && pipe.collects() {
            pipe.dirty = true;
            self.dirty.push(id);
        }
        done
    }

    /// The next packet of one pipe; a message is put into `into`. A pipe that has ended is noted for the socket's core.
    #[inline]
    pub(crate) fn try_recv(&mut self, id: PipeId, into: &mut Message) -> Option<Got> {
        let pipe = self.slab.get_mut(id)?;
        match pipe.try_recv(into) {
            Ok(got) => {
                self.more = matches!(got, Got::Message { more: true });
                if pipe.glances() && !pipe.awake {
                    self.rouse(id);
                }
                Some(got)
            }
            Err(LaneIdle::Empty) => {
                self.more = false;
                // Parts of a packet may have been read, and the peer was not asked to tell of the others.
                if pipe.glances() && !pipe.awake {
                    self.rouse(id);
                }
                None
            }
            Err(LaneIdle::Closed(cause)) => {
                self.more = false;
                self.note_closed(id, cause);
                None
            }
        }
    }

    /// The pipe has to be looked at from now on, until its peer is asked to tell.
    pub(crate) fn rouse(&mut self, id: PipeId) {
        if let Some(pipe) = self.slab.get_mut(id)
            && pipe.glances()
            && !pipe.awake
        {
            pipe.awake = true;
            self.awake.push(id);
        }
    }

    /// Whether some pipe has to be looked at.
    #[inline]
    pub(crate) fn anyone_awake(&self) -> bool {
        !self.awake.is_empty()
    }

    /// Looks at the pipes that have to be looked at: the next one with news, from the place `at` on, which is moved
    /// behind it. With `sleep`, those without news are asked to tell and need not be looked at any more.
    pub(crate) fn glance(&mut self, at: &mut usize, sleep: bool) -> Option<(PipeId, Glance)> {
        while let Some(&id) = self.awake.get(*at) {
            let pipe = self.slab.get_mut(id);
            let glance = pipe.and_then(|pipe| pipe.lane_mut()?.glance(sleep));
            match glance {
                Some(glance) if glance.any() => {
                    *at += 1;
                    return Some((id, glance));
                }
                Some(_) if !sleep => *at += 1,
                _ => {
                    self.awake.swap_remove(*at);
                    if let Some(pipe) = self.slab.get_mut(id) {
                        pipe.awake = false;
                    }
                }
            }
        }
        None
    }

    /// What turned up on a pipe whose peer was asked to tell, before it was heard; `None` if nothing did.
    pub(crate) fn glance_at_sleeper(&mut self, id: PipeId) -> Option<Glance> {
        let pipe = self
            .slab
            .get_mut(id)
            .filter(|pipe| pipe.glances() && !pipe.awake)?;
        pipe.lane_mut()?.glance(false).filter(|glance| glance.any())
    }

    /// Ends a pipe because its peer may not be here or broke a rule of the pattern.
    pub(crate) fn kick(&mut self, id: PipeId, why: &'static str) {
        self.note_closed(id, CloseCause::new(CloseKind::Local, why));
    }

    /// Ends a pipe because its peer broke the protocol of the pattern.
    pub(crate) fn kick_misbehaved(&mut self, id: PipeId, why: &'static str) {
        self.note_closed(id, CloseCause::new(CloseKind::Protocol, why));
    }

    #[cold]
    pub(crate) fn note_closed(&mut self, id: PipeId, cause: CloseCause) {
        if !self.closed.iter().any(|(known, _)| *known == id) {
            self.closed.push((id, cause));
        }
    }

    /// Counts one dropped message, on its pipe if it has one.
    pub(crate) fn count_drop(&mut self, id: Option<PipeId>, reason: DropReason) {
        match id.and_then(|id| self.slab.get_mut(id)) {
            Some(pipe) => pipe.counters.drops.add(reason, 1),
            None => self.drops.add(reason, 1),
        }
    }

    #[inline]
    pub(crate) fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Whether the socket's core has to see to something: pipes that have ended or are stalled.
    #[inline]
    pub(crate) fn has_business(&self) -> bool {
        !self.closed.is_empty() || self.stalled
    }

    /// Gives a pipe its lane, which takes what was pending as far as it has room.
    pub(crate) fn attach(&mut self, id: PipeId, lane: Box<dyn Lane>, collects: bool) {
        if let Some(pipe) = self.slab.get_mut(id) {
            pipe.attach(lane, collects);
            self.stalled |= pipe.is_stalled();
        }
    }

    /// Whether a pipe was left with more to send than its in-process peer took, since this was last asked.
    pub(crate) fn take_stalled(&mut self) -> bool {
        mem::take(&mut self.stalled)
    }

    /// Whether some pipe still has more to send than its in-process peer took.
    pub(crate) fn any_stalled(&self) -> bool {
        self.slab.iter().any(|(_, pipe)| pipe.is_stalled())
    }

    /// The next pipe to flush; it counts as flushed from now on.
    #[inline]
    pub(crate) fn pop_dirty(&mut self) -> Option<PipeId> {
        let id = self.dirty.pop()?;
        if let Some(pipe) = self.slab.get_mut(id) {
            pipe.dirty = false;
        }
        Some(id)
    }

    /// The next pipe that has ended.
    pub(crate) fn pop_closed(&mut self) -> Option<Closed> {
        self.closed.pop()
    }
}
