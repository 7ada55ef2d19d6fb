//! `SUB` and `XSUB`: say what is wanted, to every publisher, and receive it fairly.
//!
//! ```text
//!   subscribe(t) --> filter (counted) --> Subscribe(t) to all links      LinkUp --> every topic to the new link
//!   unsubscribe(t) --last of t?--> Cancel(t) to all links
//!   try_recv <-- SUB only: filter <-- fair queue <-- publishers
//! ```
//!
//! Not here: watermarks for subscriptions. A lost subscription would lose every later message, so a pipe never refuses
//! one. Every subscription is passed on, also when the topic is not new: a publisher that wants to see each one can.

use std::mem;

use bytes::Bytes;

use super::wire::{CANCEL, SUBSCRIBE};
use crate::config::Options;
use crate::message::{Frame, Message};
use crate::pattern::ends::Inlet;
use crate::pattern::{Control, ControlRefusal, Gauges, Pattern, PipeEvent, RecvRefusal, Refusal};
use crate::pipe::{DropReason, PipeId, Pipes, Subscription};
use crate::routing::{FanOut, LocalFilter};

/// A subscriber.
pub(crate) struct Subscriber {
    /// `XSUB`: receives unfiltered, and may send.
    raw: bool,
    inlet: Inlet,
    publishers: FanOut,
    filter: LocalFilter,
    invert: bool,
    only_first: bool,
    verbose_unsubscribe: bool,
}

impl Subscriber {
    /// A `SUB`.
    pub(crate) fn sub(options: &Options) -> Self {
        Self::new(options, false)
    }

    /// An `XSUB`.
    pub(crate) fn xsub(options: &Options) -> Self {
        Self::new(options, true)
    }

    fn new(options: &Options, raw: bool) -> Self {
        let mut subscriber = Subscriber {
            raw,
            inlet: Inlet::default(),
            publishers: FanOut::new(),
            filter: LocalFilter::new(),
            invert: false,
            only_first: false,
            verbose_unsubscribe: false,
        };
        subscriber.set_options(options);
        subscriber
    }

    fn set_options(&mut self, options: &Options) {
        self.invert = options.invert_matching;
        self.only_first = options.only_first_subscribe;
        self.verbose_unsubscribe = options.xsub_verbose_unsubscribe;
    }

    fn subscribe(&mut self, pipes: &mut Pipes, topic: &Bytes) {
        self.filter.subscribe(topic);
        self.tell(pipes, || Subscription::Add(topic.clone()));
    }

    /// False if there was no such subscription.
    fn unsubscribe(&mut self, pipes: &mut Pipes, topic: &Bytes) -> bool {
        let last = self.filter.unsubscribe(topic);
        if last == Some(true) || self.verbose_unsubscribe {
            self.tell(pipes, || Subscription::Cancel(topic.clone()));
        }
        last.is_some()
    }

    /// Tells every publisher.
    fn tell(&self, pipes: &mut Pipes, what: impl Fn() -> Subscription) {
        for &pipe in self.publishers.keys() {
            pipes.subscribe(pipe, what());
        }
    }

    /// Takes the subscriptions out of a message of the user's; what is left goes to every publisher, and is dropped
    /// where there is no room.
    fn send_raw(&mut self, pipes: &mut Pipes, message: Message) {
        let mut inspect = true;
        let mut rest: Vec<Frame> = Vec::new();
        for (at, frame) in message.into_iter().enumerate() {
            let kind = frame.first().copied().filter(|_| inspect);
            match kind {
                Some(SUBSCRIBE) => self.subscribe(pipes, &frame.slice(1..).into_bytes()),
                Some(CANCEL) => {
                    self.unsubscribe(pipes, &frame.slice(1..).into_bytes());
                }
                _ => {
                    // What follows a frame that is none can only be one if the options say so.
                    inspect &= at > 0 || !self.only_first;
                    rest.push(frame);
                }
            }
        }
        if !rest.is_empty() {
            let message = Message::from(rest);
            for &pipe in self.publishers.keys() {
                if !pipes.try_publish(pipe, &message) {
                    pipes.count_drop(Some(pipe), DropReason::Watermark);
                }
            }
        }
    }
}

impl Pattern for Subscriber {
    fn on_event(&mut self, pipes: &mut Pipes, pipe: PipeId, event: PipeEvent) {
        self.inlet.on_event(pipes, pipe, event);
        match event {
            PipeEvent::Attached => self.publishers.attach(pipe),
            PipeEvent::Detached => self.publishers.detach(pipe),
            PipeEvent::LinkUp => self.filter.for_each(|topic| {
                pipes.subscribe(pipe, Subscription::Add(Bytes::copy_from_slice(topic)));
            }),
            PipeEvent::LinkDown | PipeEvent::Readable | PipeEvent::Writable => {}
        }
    }

    fn try_send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        if !self.raw {
            return Err(Refusal::Invalid("a SUB socket cannot send"));
        }
        self.send_raw(pipes, mem::take(message));
        Ok(())
    }

    #[inline]
    fn try_recv(&mut self, pipes: &mut Pipes, into: &mut Message) -> Result<(), RecvRefusal> {
        let Subscriber {
            inlet,
            filter,
            raw,
            invert,
            ..
        } = self;
        inlet.next(pipes, into, |message| {
            *raw || filter.matches(message.first()) != *invert
        })
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        self.raw
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        let Subscriber {
            inlet,
            filter,
            raw,
            invert,
            ..
        } = self;
        inlet.ready(pipes, |message| {
            *raw || filter.matches(message.first()) != *invert
        })
    }

    fn control(&mut self, pipes: &mut Pipes, control: Control<'_>) -> Result<(), ControlRefusal> {
        match control {
            Control::Subscribe(topic) => self.subscribe(pipes, topic),
            Control::Unsubscribe(topic) => {
                if !self.unsubscribe(pipes, topic) {
                    return Err(ControlRefusal::NotSubscribed);
                }
            }
            Control::Options(options) => self.set_options(options),
        }
        Ok(())
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            topics: self.filter.topic_count(),
            subscribers: 0,
        }
    }
}
