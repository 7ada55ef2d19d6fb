//! `PUB` and `XPUB`: each message to every peer that wants it.
//!
//! ```text
//!   try_send: first frame --topic index--> pipes that want it --> a copy each; no room: dropped and counted
//!   pipes --subscriptions--> topic index --XPUB: news--> upstream queue --> try_recv
//!                                          XPUB: messages of subscribers --^
//! ```
//!
//! Not here: waiting. A publisher never waits for a subscriber, unless `xpub_nodrop` asks for it.
//!
//! Invariants: what is told to the application is bounded by `recv_hwm`, what is applied to the index is not: a
//! subscription that nobody could be told of counts all the same. With `xpub_nodrop` a pipe that refused its copy
//! keeps it beyond its watermark, and nothing that it wants is accepted until it took it: a message goes to all that
//! want it or to none.

use std::mem;

use super::wire::{CANCEL, SUBSCRIBE};
use crate::config::Options;
use crate::message::{Frame, Message};
use crate::pattern::ends::Upstream;
use crate::pattern::{Control, ControlRefusal, Gauges, Pattern, PipeEvent, RecvRefusal, Refusal};
use crate::pipe::{DropReason, Got, PipeId, Pipes, Subscription};
use crate::routing::{FanOut, Removed, TopicIndex};

/// What the options say, in the terms of this file.
#[derive(Default)]
struct Modes {
    every_subscribe: bool,
    every_cancel: bool,
    no_drop: bool,
    manual: bool,
    last_value: bool,
    invert: bool,
    only_first: bool,
    welcome: Option<Message>,
}

/// A publisher.
pub(crate) struct Publisher {
    /// `XPUB`: may receive.
    raw: bool,
    modes: Modes,
    index: TopicIndex,
    /// In manual mode: what the peers asked for.
    asked: TopicIndex,
    subscribers: FanOut,
    targets: Vec<PipeId>,
    /// By pipe: whether it keeps a message that it had no room for.
    behind: Vec<bool>,
    upstream: Upstream,
}

impl Publisher {
    /// A `PUB`.
    pub(crate) fn publ(options: &Options) -> Self {
        Self::new(options, false)
    }

    /// An `XPUB`.
    pub(crate) fn xpub(options: &Options) -> Self {
        Self::new(options, true)
    }

    fn new(options: &Options, raw: bool) -> Self {
        let mut publisher = Publisher {
            raw,
            modes: Modes::default(),
            index: TopicIndex::new(),
            asked: TopicIndex::new(),
            subscribers: FanOut::new(),
            targets: Vec::new(),
            behind: Vec::new(),
            upstream: Upstream::default(),
        };
        publisher.set_options(options);
        publisher
    }

    fn set_options(&mut self, options: &Options) {
        self.upstream.set_limit(options.recv_hwm);
        self.modes = Modes {
            every_subscribe: options.xpub_verbose || options.xpub_verboser,
            every_cancel: options.xpub_verboser,
            no_drop: options.xpub_nodrop,
            manual: self.raw && (options.xpub_manual || options.xpub_manual_last_value),
            last_value: self.raw && options.xpub_manual_last_value,
            invert: options.invert_matching,
            only_first: options.only_first_subscribe,
            welcome: options.xpub_welcome_msg.clone().map(Message::from),
        };
    }

    /// Takes in everything a peer has sent.
    fn read(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        let mut message = Message::new();
        while let Some(got) = pipes.try_recv(pipe, &mut message) {
            match got {
                Got::Subscription(Subscription::Add(topic)) => self.subscribed(pipes, pipe, &topic),
                Got::Subscription(Subscription::Cancel(topic)) => {
                    self.cancelled(pipes, pipe, &topic)
                }
                Got::Message { .. } => self.received(pipes, pipe, mem::take(&mut message)),
            }
        }
    }

    /// A message from a subscriber: frames that are subscriptions, as older peers send them, and others.
    fn received(&mut self, pipes: &mut Pipes, pipe: PipeId, message: Message) {
        let mut inspect = true;
        let mut rest: Vec<Frame> = Vec::new();
        for (at, frame) in message.into_iter().enumerate() {
            match frame.as_slice() {
                [SUBSCRIBE, topic @ ..] if inspect => self.subscribed(pipes, pipe, topic),
                [CANCEL, topic @ ..] if inspect => self.cancelled(pipes, pipe, topic),
                _ => {
                    inspect &= at > 0 || !self.modes.only_first;
                    rest.push(frame);
                }
            }
        }
        if rest.is_empty() {
            return;
        }
        if self.raw {
            self.upstream.message(pipes, pipe, Message::from(rest));
        } else {
            pipes.count_drop(Some(pipe), DropReason::Ignored);
        }
    }

    fn subscribed(&mut self, pipes: &mut Pipes, pipe: PipeId, topic: &[u8]) {
        let tell = if self.modes.manual {
            self.asked.add(topic, pipe);
            true
        } else {
            self.index.add(topic, pipe).new_topic || self.modes.every_subscribe
        };
        if self.raw && tell {
            self.upstream.news(pipes, Some(pipe), SUBSCRIBE, topic);
        }
    }

    fn cancelled(&mut self, pipes: &mut Pipes, pipe: PipeId, topic: &[u8]) {
        let tell = if self.modes.manual {
            self.asked.remove(topic, pipe);
            true
        } else {
            self.index.remove(topic, pipe) == Removed::LastOfAll || self.modes.every_cancel
        };
        if self.raw && tell {
            self.upstream.news(pipes, Some(pipe), CANCEL, topic);
        }
    }

    /// The peer is gone, and with it what it wanted.
    fn leave(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.subscribers.detach(pipe);
        if let Some(behind) = self.behind.get_mut(pipe) {
            *behind = false;
        }
        self.upstream.forget(pipe);
        let Publisher {
            upstream,
            raw,
            modes,
            ..
        } = self;
        let mut gone = |topic: &[u8], tell: bool| {
            if *raw && tell {
                upstream.news(pipes, None, CANCEL, topic);
            }
        };
        self.asked
            .remove_key(pipe, |topic, _| gone(topic, modes.manual));
        self.index.remove_key(pipe, |topic, last| {
            gone(topic, !modes.manual && (last || modes.every_cancel))
        });
    }

    /// Who gets a message, into `targets`.
    fn choose(&mut self, topic: &[u8]) {
        if let Some(last) = self.upstream.last.filter(|_| self.modes.last_value) {
            self.targets.clear();
            if self.index.holds(topic, last) {
                self.targets.push(last);
            }
            return;
        }
        self.index.matches(topic, &mut self.targets);
        if self.modes.invert {
            self.subscribers.complement(&mut self.targets);
        }
    }

    /// Hands a pipe the copy that it had no room for; true if none is left.
    fn catch_up(&mut self, pipes: &mut Pipes, pipe: PipeId) -> bool {
        match self.behind.get_mut(pipe) {
            Some(behind) if *behind => {
                *behind = !pipes.feed(pipe);
                !*behind
            }
            _ => true,
        }
    }

    fn all_caught_up(&mut self, pipes: &mut Pipes) -> bool {
        let targets = mem::take(&mut self.targets);
        let all = targets.iter().all(|&pipe| self.catch_up(pipes, pipe));
        self.targets = targets;
        all
    }

    /// A pipe refused its copy.
    #[cold]
    fn no_room(&mut self, pipes: &mut Pipes, pipe: PipeId, message: &Message) {
        if !self.modes.no_drop {
            pipes.count_drop(Some(pipe), DropReason::Watermark);
            return;
        }
        if self.behind.len() <= pipe {
            self.behind.resize(pipe + 1, false);
        }
        self.behind[pipe] = true;
        pipes.keep(pipe, message.clone());
    }

    /// Hands a message to several targets, a copy each.
    fn spread(&mut self, pipes: &mut Pipes, message: &Message) {
        for at in 0..self.targets.len() {
            let pipe = self.targets[at];
            if !pipes.try_publish(pipe, message) {
                self.no_room(pipes, pipe, message);
            }
        }
    }
}

impl Pattern for Publisher {
    fn on_event(&mut self, pipes: &mut Pipes, pipe: PipeId, event: PipeEvent) {
        match event {
            PipeEvent::Attached => self.subscribers.attach(pipe),
            PipeEvent::LinkUp => {
                if let Some(mut welcome) = self.modes.welcome.clone()
                    && !pipes.try_send(pipe, &mut welcome)
                {
                    pipes.count_drop(Some(pipe), DropReason::Watermark);
                }
                self.catch_up(pipes, pipe);
                self.read(pipes, pipe);
            }
            PipeEvent::Readable | PipeEvent::LinkDown => self.read(pipes, pipe),
            PipeEvent::Writable => {
                self.catch_up(pipes, pipe);
            }
            PipeEvent::Detached => {
                self.read(pipes, pipe);
                self.leave(pipes, pipe);
            }
        }
    }

    fn try_send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        self.choose(message.first());
        if self.modes.no_drop && !self.all_caught_up(pipes) {
            return Err(Refusal::WouldBlock);
        }
        if self.modes.last_value {
            self.upstream.last = None;
        }
        // The only target gets the message itself, and no copy of it is made on the way.
        if let [only] = self.targets[..] {
            if !pipes.try_send(only, message) {
                self.no_room(pipes, only, message);
            }
        } else {
            self.spread(pipes, message);
        }
        Ok(())
    }

    fn try_recv(&mut self, _: &mut Pipes, into: &mut Message) -> Result<(), RecvRefusal> {
        if !self.raw {
            return Err(RecvRefusal::State);
        }
        *into = self
            .upstream
            .pop(self.modes.manual)
            .ok_or(RecvRefusal::Empty)?;
        Ok(())
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, _: &mut Pipes) -> bool {
        self.raw && !self.upstream.is_empty()
    }

    fn control(&mut self, _: &mut Pipes, control: Control<'_>) -> Result<(), ControlRefusal> {
        match control {
            Control::Options(options) => self.set_options(options),
            _ if !self.modes.manual => return Err(ControlRefusal::NotSupported),
            // A peer that has left in between needs nothing more.
            Control::Subscribe(topic) => {
                if let Some(last) = self.upstream.last {
                    self.index.add(topic, last);
                }
            }
            Control::Unsubscribe(topic) => {
                if let Some(last) = self.upstream.last
                    && self.index.remove(topic, last) == Removed::NotThere
                {
                    return Err(ControlRefusal::NotSubscribed);
                }
            }
        }
        Ok(())
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            topics: self.index.topic_count(),
            subscribers: self.index.subscriber_count(),
        }
    }
}
