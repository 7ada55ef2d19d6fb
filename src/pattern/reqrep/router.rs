//! `ROUTER`: every peer has an id; the first frame of a message says which peer it is for, or from.
//!
//! ```text
//!   out: [id] [frames...] --id names a pipe--> that pipe gets [frames...]
//!   in:  pipe delivers [frames...] --------> [id] [frames...]
//! ```
//!
//! Not here: envelopes. The empty delimiter of a request is a frame like any other.
//!
//! Invariants: a pipe is `Seated` if and only if the table has an id for it; only seated pipes are in the fair queue;
//! `open` counts the seated pipes that have not refused a message since they last said they have room.

use std::collections::VecDeque;

use crate::config::{Options, RouterNotify};
use crate::message::{Frame, Message};
use crate::pattern::ends::{Probe, read_message};
use crate::pattern::{Control, ControlRefusal, Pattern, PipeEvent, RecvRefusal, Refusal};
use crate::pipe::{DropReason, Got, PipeId, Pipes};
use crate::routing::{FairQueue, PeerTable};

/// What a pipe is to this socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Seat {
    /// Not a pipe of ours.
    #[default]
    None,
    /// Who it is will be known when its link is up.
    Unknown,
    /// It has an id.
    Seated,
    /// It came with an id that another pipe has, and is neither read nor written.
    Ignored,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    seat: Seat,
    /// It refused a message and has not said since that it has room.
    full: bool,
    /// The application was told that it came, or would have been.
    up: bool,
}

/// Sends to, and receives from, peers by id.
pub(crate) struct Router {
    table: PeerTable,
    fair: FairQueue,
    places: Vec<Place>,
    open: usize,
    /// Messages that left their pipe before the application asked, and news of peers.
    backlog: VecDeque<Message>,
    probe: Probe,
    mandatory: bool,
    handover: bool,
    notify: RouterNotify,
    /// How much news of peers may wait; 0 for no limit.
    news_limit: usize,
}

impl Router {
    /// `first_id` is drawn at random: the ids made for peers without one count up from it.
    pub(crate) fn new(options: &Options, first_id: u32) -> Self {
        Router {
            table: PeerTable::new(first_id),
            fair: FairQueue::new(),
            places: Vec::new(),
            open: 0,
            backlog: VecDeque::new(),
            probe: Probe::new(options),
            mandatory: options.router_mandatory,
            handover: options.router_handover,
            notify: options.router_notify,
            news_limit: options.recv_hwm,
        }
    }

    fn place(&mut self, pipe: PipeId) -> &mut Place {
        if self.places.len() <= pipe {
            self.places.resize(pipe + 1, Place::default());
        }
        &mut self.places[pipe]
    }

    /// Gives a pipe its id: the one it is known by, or a made one.
    fn seat(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        let Some((id, assigned)) = pipes.get(pipe).map(|pipe| {
            (
                Frame::from(pipe.routing_id().clone()),
                pipe.info.assigned_id.is_some(),
            )
        }) else {
            return;
        };
        if id.is_empty() {
            self.table.insert_auto(pipe);
        } else if let Err(holder) = self.table.insert(id.clone(), pipe) {
            if !self.handover {
                if assigned {
                    pipes.kick(
                        pipe,
                        "another peer has the routing id that was given to this one",
                    );
                }
                self.place(pipe).seat = Seat::Ignored;
                return;
            }
            self.unseat(holder);
            self.place(holder).seat = Seat::Ignored;
            pipes.kick(holder, "a new peer took over the routing id");
            if self.table.insert(id, pipe).is_err() {
                return;
            }
        }
        let place = self.place(pipe);
        place.seat = Seat::Seated;
        place.full = false;
        self.open += 1;
        self.fair.attach(pipe);
    }

    /// The pipe loses its id, which is returned, and its turns.
    fn unseat(&mut self, pipe: PipeId) -> Option<Frame> {
        let place = self.place(pipe);
        if place.seat != Seat::Seated {
            return None;
        }
        place.seat = Seat::None;
        let full = place.full;
        self.open -= usize::from(!full);
        self.fair.detach(pipe);
        self.table.remove(pipe)
    }

    fn link_up(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        if self.place(pipe).seat == Seat::Unknown {
            self.seat(pipes, pipe);
        }
        if self.place(pipe).seat == Seat::Seated {
            self.place(pipe).up = true;
            self.has_room(pipe);
            self.fair.activate(pipe);
            if self.notify.connect {
                self.news(pipes, pipe, self.table.id(pipe).cloned());
            }
        }
    }

    fn link_down(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Option<Frame>) {
        if std::mem::take(&mut self.place(pipe).up) && self.notify.disconnect {
            self.news(pipes, pipe, id);
        }
    }

    fn detached(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        if let Some(id) = self.unseat(pipe) {
            while let Some(message) = read_message(pipes, pipe) {
                self.backlog.push_back(addressed(&id, message));
            }
            self.link_down(pipes, pipe, Some(id));
        }
        *self.place(pipe) = Place::default();
    }

    /// Tells the application that a peer came or went: `[id] [empty]`.
    fn news(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Option<Frame>) {
        let Some(id) = id else { return };
        if self.news_limit != 0 && self.backlog.len() >= self.news_limit {
            pipes.count_drop(Some(pipe), DropReason::Notification);
            return;
        }
        self.backlog.push_back(addressed(&id, Message::new()));
    }

    fn has_room(&mut self, pipe: PipeId) {
        let place = self.place(pipe);
        if place.seat == Seat::Seated && std::mem::take(&mut place.full) {
            self.open += 1;
        }
    }

    /// The pipe refused a message.
    fn is_full(&mut self, pipe: PipeId) {
        let place = self.place(pipe);
        if place.seat == Seat::Seated && !std::mem::replace(&mut place.full, true) {
            self.open -= 1;
        }
    }

    fn next(&mut self, pipes: &mut Pipes, into: &mut Message) -> Result<(), RecvRefusal> {
        if let Some(message) = self.backlog.pop_front() {
            *into = message;
            return Ok(());
        }
        while let Some(pipe) = self.fair.turn() {
            match pipes.try_recv(pipe, into) {
                Some(Got::Message { .. }) => {
                    self.fair.taken();
                    if let Some(id) = self.table.id(pipe) {
                        into.push_front(id);
                        return Ok(());
                    }
                }
                Some(_) => pipes.count_drop(Some(pipe), DropReason::Ignored),
                None => self.fair.empty(),
            }
        }
        Err(RecvRefusal::Empty)
    }
}

fn addressed(id: &Frame, mut message: Message) -> Message {
    message.push_front(id.clone());
    message
}

impl Pattern for Router {
    fn on_event(&mut self, pipes: &mut Pipes, pipe: PipeId, event: PipeEvent) {
        self.probe.on_event(pipes, pipe, event);
        match event {
            PipeEvent::Attached => {
                *self.place(pipe) = Place {
                    seat: Seat::Unknown,
                    ..Place::default()
                };
                // A peer that was named when it was connected can be written to before its link is up.
                if pipes
                    .get(pipe)
                    .is_some_and(|pipe| pipe.info.assigned_id.is_some())
                {
                    self.seat(pipes, pipe);
                }
            }
            PipeEvent::LinkUp => self.link_up(pipes, pipe),
            PipeEvent::LinkDown => {
                self.fair.activate(pipe);
                self.link_down(pipes, pipe, self.table.id(pipe).cloned());
            }
            PipeEvent::Readable => self.fair.activate(pipe),
            PipeEvent::Writable => self.has_room(pipe),
            PipeEvent::Detached => self.detached(pipes, pipe),
        }
    }

    fn try_send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        if !message.is_multipart() {
            pipes.count_drop(None, DropReason::Malformed);
            return Ok(());
        }
        let Some(pipe) = self.table.key(message.first()) else {
            if self.mandatory {
                return Err(Refusal::Unroutable);
            }
            pipes.count_drop(None, DropReason::Unroutable);
            return Ok(());
        };
        let Some(id) = message.pop_front() else {
            return Ok(());
        };
        if pipes.try_send(pipe, message) {
            return Ok(());
        }
        self.is_full(pipe);
        if self.mandatory {
            message.push_front(id);
            return Err(Refusal::WouldBlock);
        }
        pipes.count_drop(Some(pipe), DropReason::Watermark);
        Ok(())
    }

    fn try_recv(&mut self, pipes: &mut Pipes, into: &mut Message) -> Result<(), RecvRefusal> {
        self.next(pipes, into)
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        !self.mandatory || self.open > 0
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        let mut message = Message::new();
        if self.next(pipes, &mut message).is_ok() {
            self.backlog.push_front(message);
        }
        !self.backlog.is_empty()
    }

    fn control(&mut self, _: &mut Pipes, control: Control<'_>) -> Result<(), ControlRefusal> {
        control.only_options(|options| {
            self.probe.set_options(options);
            self.mandatory = options.router_mandatory;
            self.handover = options.router_handover;
            self.notify = options.router_notify;
            self.news_limit = options.recv_hwm;
        })
    }
}
