//! Two messengers, the network between them, their stores and applications. Everything happens in an order that the seed
//! decides, at virtual times.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::oneshot;

use super::super::{Engine, Identity, LinkId, Received, Time, Waiting};
use crate::ext::reliable::ledger::{Answer, Work, perform};
use crate::ext::reliable::model::{
    DropReason, Dropped, Event, Ident, Letter, MessageId, SendError, Settings,
};
use crate::ext::store::{MemoryStore, StoreError};
use crate::message::Message;

/// What the network and the processes do to messages.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weather {
    pub(super) loss: f64,
    pub(super) duplicates: f64,
    pub(super) reorder: f64,
    /// Chance of a cut of the link, a step.
    pub(super) cuts: f64,
    /// Chance of a crash of a process, a step.
    pub(super) crashes: f64,
    /// Chance that a commit fails.
    pub(super) failures: f64,
}

/// A letter that was accepted, and what was heard of it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) letter: Letter,
    pub(super) stored: Option<bool>,
    pub(super) outcomes: Vec<Result<(), DropReason>>,
    stored_by: oneshot::Receiver<Result<(), std::sync::Arc<StoreError>>>,
    outcome_by: oneshot::Receiver<Result<(), Dropped>>,
    /// The process that sent it has ended.
    pub(super) orphan: bool,
}

pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) engine: Option<Engine>,
    stores: bool,
    store: MemoryStore,
    work: Option<(Time, Work)>,
    pub(super) settings: Settings,
    pub(super) sent: BTreeMap<MessageId, Sent>,
    /// What the application wrote down, in order.
    pub(super) log: Vec<(MessageId, Letter)>,
    known: HashSet<MessageId>,
    /// Messages that the application works on.
    busy: Vec<(Time, Received)>,
    pub(super) events: Vec<Event>,
    pub(super) taken: bool,
}

/// All of it.
pub(super) struct World {
    pub(super) now: Time,
    pub(super) random: StdRng,
    pub(super) weather: Weather,
    pub(super) nodes: [Node; 2],
    /// By arrival: link, to whom.
    flying: BTreeMap<(Time, u64), (LinkId, usize, Message)>,
    last_arrival: HashMap<(LinkId, usize), Time>,
    serial: u64,
    links: u64,
    pub(super) link: Option<LinkId>,
}

impl World {
    pub(super) fn new(seed: u64, stores: bool) -> Self {
        let node = |name| Node {
            name,
            engine: None,
            stores,
            store: MemoryStore::new(),
            work: None,
            settings: Settings::default(),
            sent: BTreeMap::new(),
            log: Vec::new(),
            known: HashSet::new(),
            busy: Vec::new(),
            events: Vec::new(),
            taken: true,
        };
        World {
            now: Time(1_700_000_000_000_000),
            random: StdRng::seed_from_u64(seed),
            weather: Weather::default(),
            nodes: [node("anna"), node("bert")],
            flying: BTreeMap::new(),
            last_arrival: HashMap::new(),
            serial: 0,
            links: 0,
            link: None,
        }
    }

    /// Starts the process of a node.
    pub(super) fn start(&mut self, at: usize) {
        let (run, now): ([u8; 16], _) = (self.random.random(), self.now);
        let node = &mut self.nodes[at];
        let ident = Ident::new(node.name).unwrap();
        let mut engine = if node.stores {
            let settings = node.settings.clone();
            let store = &mut node.store;
            Engine::recover(&ident, run, settings, store, now, &mut |_| {}).unwrap()
        } else {
            let me = Identity {
                ident,
                instance: run,
                run,
            };
            Engine::new(me, node.settings.clone(), false, 1)
        };
        engine.watch(true);
        node.engine = Some(engine);
    }

    /// Connects the first to the second.
    pub(super) fn connect(&mut self) {
        self.links += 1;
        let id = LinkId(self.links);
        self.link = Some(id);
        for (at, node) in self.nodes.iter_mut().enumerate() {
            if let Some(engine) = &mut node.engine {
                engine.link_up(id, at == 0, self.now);
            }
        }
        self.settle();
    }

    pub(super) fn cut(&mut self) {
        if let Some(link) = self.link.take() {
            self.flying.retain(|_, (on, _, _)| *on != link);
            for node in &mut self.nodes {
                if let Some(engine) = &mut node.engine {
                    engine.link_down(link, self.now);
                }
            }
        }
        self.settle();
    }

    /// Ends a process at once; what its store was doing is done or not.
    pub(super) fn crash(&mut self, at: usize) {
        self.cut();
        let done = self.random.random_bool(0.5);
        let node = &mut self.nodes[at];
        if node.engine.take().is_none() {
            return;
        }
        if let Some((_, work)) = node.work.take()
            && done
        {
            perform(work, &mut node.store);
        }
        node.busy.clear();
        for sent in node.sent.values_mut() {
            sent.orphan = true;
        }
    }

    pub(super) fn send(&mut self, at: usize, letter: Letter) -> Result<MessageId, SendError> {
        let to = self.nodes[1 - at].name;
        let node = &mut self.nodes[at];
        let Some(engine) = &mut node.engine else {
            panic!("a process that has ended sends nothing");
        };
        let (stored, stored_by) = oneshot::channel();
        let (outcome, outcome_by) = oneshot::channel();
        let waiting = Waiting {
            stored: Some(stored),
            outcome: Some(outcome),
        };
        let number = engine.send(to, letter.clone(), waiting, self.now)?;
        let id = MessageId {
            instance: engine.identity().instance,
            number,
        };
        let sent = Sent {
            letter,
            stored: None,
            outcomes: Vec::new(),
            stored_by,
            outcome_by,
            orphan: false,
        };
        node.sent.insert(id, sent);
        self.settle();
        Ok(id)
    }

    /// Takes what engines want to have sent, stored, taken and told.
    pub(super) fn settle(&mut self) {
        for at in 0..2 {
            self.applications(at);
            let node = &mut self.nodes[at];
            let Some(engine) = &mut node.engine else {
                continue;
            };
            engine.send_acks(self.now);
            while let Some(event) = engine.event() {
                node.events.push(event);
            }
            if node.work.is_none()
                && let Some(work) = engine.next_work(self.now)
            {
                let takes = Duration::from_micros(self.random.random_range(100..5000));
                node.work = Some((self.now.after(takes), work));
            }
            let frames = std::mem::take(engine.frames());
            for (link, frame) in frames {
                self.transmit(link, 1 - at, frame);
            }
        }
    }

    fn transmit(&mut self, link: LinkId, to: usize, frame: Message) {
        if self.link != Some(link) || self.random.random_bool(self.weather.loss) {
            return;
        }
        let copies = 1 + usize::from(self.random.random_bool(self.weather.duplicates));
        for _ in 0..copies {
            let takes = Duration::from_micros(self.random.random_range(10..300));
            let mut at = self.now.after(takes);
            let last = self.last_arrival.entry((link, to)).or_default();
            if self.random.random_bool(self.weather.reorder) {
                at = at.after(Duration::from_millis(self.random.random_range(0..20)));
            } else {
                at = at.max(*last);
                *last = at;
            }
            self.serial += 1;
            self.flying
                .insert((at, self.serial), (link, to, frame.clone()));
        }
    }

    fn applications(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let Some(engine) = &mut node.engine else {
            return;
        };
        while node.taken
            && node.busy.len() < 8
            && let Some(received) = engine.take()
        {
            let takes = Duration::from_micros(self.random.random_range(0..500));
            node.busy.push((self.now.after(takes), received));
        }
        let mut busy = std::mem::take(&mut node.busy);
        while let Some(place) = busy.iter().position(|(until, _)| *until <= self.now) {
            let (_, received) = busy.remove(place);
            if self.random.random_bool(0.02) {
                engine.put_back(received);
                continue;
            }
            if node.known.insert(received.id) {
                node.log.push((received.id, received.letter));
            } else {
                // An application can tell, because it is told that this may happen.
                assert!(received.redelivered > 0, "{} came twice", received.id);
            }
            engine.finished(received.token, self.now);
        }
        node.busy = busy;
    }

    /// Lets one thing happen: whatever comes first.
    pub(super) fn step(&mut self) {
        if self.random.random_bool(self.weather.cuts) {
            self.cut();
        }
        for at in 0..2 {
            if self.random.random_bool(self.weather.crashes) {
                self.crash(at);
            }
        }
        let frame = self.flying.first_key_value().map(|((at, _), _)| *at);
        let mut next = [frame].into_iter().flatten().collect::<Vec<_>>();
        for node in &self.nodes {
            let Some(engine) = &node.engine else {
                continue;
            };
            next.extend(engine.deadline());
            next.extend(node.work.as_ref().map(|(at, _)| *at));
            if node.work.is_none() {
                next.extend(engine.work_due());
            }
            next.extend(node.busy.iter().map(|(at, _)| *at));
        }
        let next = next.into_iter().min().unwrap_or(self.now);
        self.now = self.now.max(next);
        if frame.is_some_and(|at| at <= self.now)
            && let Some((_, (link, to, frame))) = self.flying.pop_first()
            && let Some(engine) = &mut self.nodes[to].engine
        {
            engine.frame(link, &frame, self.now);
        }
        let fails = self.random.random_bool(self.weather.failures);
        for node in &mut self.nodes {
            let Some(engine) = &mut node.engine else {
                continue;
            };
            if let Some((_, work)) = node.work.take_if(|(at, _)| *at <= self.now) {
                let full = || Err(StoreError::Full("so it is".into()));
                let answer = match work {
                    Work::Commit { batch, .. } if fails => Answer::Committed {
                        batch,
                        result: full(),
                    },
                    Work::Ask { question, .. } if fails => Answer::Rows {
                        question,
                        result: full().map(|()| Vec::new()),
                    },
                    work => perform(work, &mut node.store),
                };
                engine.answered(answer, self.now);
            }
            engine.tick(self.now);
        }
        self.hear();
        self.settle();
    }

    /// What senders were told.
    fn hear(&mut self) {
        for node in &mut self.nodes {
            for sent in node.sent.values_mut().filter(|sent| !sent.orphan) {
                if let Ok(stored) = sent.stored_by.try_recv() {
                    sent.stored = Some(stored.is_ok());
                }
                if let Ok(outcome) = sent.outcome_by.try_recv() {
                    sent.outcomes.push(outcome.map_err(|dropped| {
                        assert_eq!(dropped.letter.content, sent.letter.content);
                        assert_eq!(dropped.letter.properties, sent.letter.properties);
                        assert_eq!(dropped.letter.ttl, sent.letter.ttl);
                        dropped.reason
                    }));
                }
            }
        }
    }

    /// Good weather, everybody is up, until nothing is left to do.
    pub(super) fn calm(&mut self) {
        self.weather = Weather::default();
        for at in 0..2 {
            if self.nodes[at].engine.is_none() {
                self.start(at);
            }
            self.nodes[at].taken = true;
        }
        self.cut();
        self.connect();
        for _ in 0..400_000 {
            if self.is_quiet() {
                return;
            }
            self.step();
        }
        panic!(
            "something goes on for ever: {:?}{}",
            self.status(),
            self.inside()
        );
    }

    fn is_quiet(&self) -> bool {
        let quiet = |node: &Node| {
            let engine = node.engine.as_ref().unwrap();
            let none = |status: &crate::ext::reliable::PeerStatus| {
                status.queued.messages == 0 && status.inbox.messages == 0
            };
            node.busy.is_empty()
                && node.work.is_none()
                && engine.work_due().is_none()
                && engine.statuses(self.now).iter().all(none)
        };
        self.nodes.iter().all(quiet) && self.flying.is_empty()
    }

    pub(super) fn status(&self) -> Vec<Vec<crate::ext::reliable::PeerStatus>> {
        let engines = self.nodes.iter().filter_map(|node| node.engine.as_ref());
        engines.map(|engine| engine.statuses(self.now)).collect()
    }

    /// Rows that a store is left with.
    pub(super) fn rows(&mut self, at: usize, tag: u8) -> usize {
        use crate::ext::store::{Limit, Order, Store};
        let store = &mut self.nodes[at].store;
        let all = store.scan(
            &[tag][..]..&[tag + 1][..],
            Order::Forward,
            Limit::rows(1000),
        );
        let all = all.unwrap();
        all.len()
    }
}

impl World {
    /// For the eyes of whoever looks for a mistake.
    pub(super) fn inside(&self) -> String {
        let mut text = String::new();
        for node in &self.nodes {
            let Some(engine) = &node.engine else { continue };
            for (_, peer) in &engine.peers {
                text += &format!(
                    "\n{} to {}: window {:?} in flight {:?} probe {:?} active {:?}",
                    node.name, peer.ident, peer.window, peer.in_flight, peer.probe, peer.active
                );
                for (priority, queue) in &peer.queues {
                    text += &format!(
                        "\n  queue {priority}: acked {} cursor {} prev {:?} spill {:?} loading {} behind {}",
                        queue.acked,
                        queue.cursor,
                        queue.prev,
                        queue.spill,
                        queue.loading,
                        queue.behind.len()
                    );
                    for entry in queue.entries.iter().take(8) {
                        text += &format!(
                            "\n    {} {:?} sent {} flying {} held {} settled {}",
                            entry.number,
                            entry.kept,
                            entry.sent,
                            entry.flying,
                            entry.held,
                            entry.settled
                        );
                    }
                }
                for stream in &peer.streams {
                    for (priority, class) in &stream.classes {
                        text += &format!(
                            "\n  class {priority}: next {} acked {} early {:?} pending {} early sum {:?} granted {:?}",
                            class.next,
                            class.acked,
                            class
                                .early
                                .iter()
                                .map(|(n, d)| (*n, d.back))
                                .collect::<Vec<_>>(),
                            class.pending.len(),
                            stream.early,
                            peer.granted,
                        );
                    }
                }
            }
        }
        text
    }
}
