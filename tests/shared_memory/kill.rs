//! Children that are killed with SIGKILL at any moment, while messages go both ways: what the survivor has got is an
//! exact prefix, what it holds stays readable, nothing is left over, and the same socket goes on with the next child.

use std::thread;
use std::time::{Duration, Instant};

use taipan::{
    AnySocket, Context, Loan, Message, Monitor, MonitorError, MonitorKind, SendErrorKind,
    SocketKind,
};

use crate::census::{at_rest, settles};
use crate::children::Follower;
use crate::common::*;
use crate::process::{Child, alone};
use crate::rig::*;
use crate::script::{Random, Script, pool_is_free, seed};

/// A socket that outlives its peers.
struct Survivor {
    socket: AnySocket,
    monitor: Monitor,
    kind: SocketKind,
    script: Script,
    random: Random,
    follower: Follower,
    sent: u64,
    /// Links that came and went.
    ups: u32,
    downs: u32,
    held: Vec<(u64, u64, Message)>,
    loans: Vec<Loan>,
}

impl Survivor {
    fn new(context: &Context, kind: SocketKind, seed: u64) -> Survivor {
        let socket = AnySocket::of(
            context,
            kind,
            waiting(|o| {
                o.send_hwm = 50;
                o.linger = Some(Duration::ZERO);
            }),
        )
        .expect("options");
        Survivor {
            monitor: socket.monitor(),
            socket,
            kind,
            script: Script {
                seed,
                most: 300_000,
            },
            random: Random::new(seed),
            follower: Follower::default(),
            sent: 0,
            ups: 0,
            downs: 0,
            held: Vec::new(),
            loans: Vec::new(),
        }
    }

    /// Receives and sends a little; `true` if anything was received.
    fn step(&mut self, stream: u64) -> bool {
        if self.kind != SocketKind::Pull {
            self.send();
        }
        self.kind != SocketKind::Push && self.receive(stream)
    }

    fn send(&mut self) {
        if self.random.one_in(4) {
            self.loans
                .extend(self.socket.loan(self.random.below(50_000)));
            self.loans.truncate(4);
        }
        let message = match self.random.one_in(2) {
            true => self.script.loaned(&self.socket, 0, self.sent),
            false => self.script.message(0, self.sent),
        };
        match self.socket.try_send(message) {
            Ok(()) => self.sent += 1,
            Err(error) => assert_eq!(error.kind(), SendErrorKind::WouldBlock),
        }
    }

    fn receive(&mut self, stream: u64) -> bool {
        let Ok(message) = self.socket.try_recv() else {
            return false;
        };
        let (from, number) = self.follower.follow(self.script, &message);
        assert!(from <= stream && (number > 0 || self.follower.next(from) == 1));
        self.held.push((from, number, message));
        if self.held.len() > 8 {
            let (from, number, view) = self.held.swap_remove(self.random.below(8));
            self.script.check(from, number, &view);
        }
        true
    }

    /// Takes note of what the monitor tells; `true` if no link is up.
    fn all_down(&mut self) -> bool {
        loop {
            match self.monitor.try_recv().map(|event| event.kind) {
                Ok(MonitorKind::HandshakeSucceeded) => self.ups += 1,
                Ok(MonitorKind::SharedMemory { outcome }) => outcome.expect("shared memory"),
                Ok(MonitorKind::Disconnected { reason }) => {
                    assert_eq!(reason, "the peer closed the connection");
                    self.downs += 1;
                }
                Ok(_) => {}
                Err(MonitorError::Empty) => return self.ups == self.downs,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// One child's life.
    fn round(&mut self, stream: u64, how: &str, address: &str) {
        let peer = match self.kind {
            SocketKind::Push => "pull",
            SocketKind::Pull => "push",
            _ => "dealer",
        };
        let seed = self.script.seed.to_string();
        let child = Child::start("talk", &[peer, how, address, &stream.to_string(), &seed]);
        // Mostly amid the traffic, now and then while the link comes about.
        let early = self.random.one_in(8);
        let (ups, moment) = (
            self.ups,
            Duration::from_micros(self.random.below(8_000) as u64),
        );
        let mut since = early.then(Instant::now);
        while since.is_none_or(|since| since.elapsed() < moment) {
            self.all_down();
            if since.is_none() && self.ups > ups {
                since = Some(Instant::now());
            }
            if !self.step(stream) {
                thread::yield_now();
            }
        }
        let said = child.kill();
        while !self.all_down() {
            self.receive_if_able(stream);
        }
        while self.receive_if_able(stream) {}
        if let Some(last) = said.last()
            && self.kind != SocketKind::Push
        {
            let last: u64 = last.parse().expect("a number");
            assert!(
                self.follower.next(stream) > last,
                "what was published is lost"
            );
        }
    }

    fn receive_if_able(&mut self, stream: u64) -> bool {
        self.kind != SocketKind::Push && self.receive(stream)
    }

    /// Lets go of all that is held, which has to be what it was.
    fn let_go(&mut self) {
        for (stream, number, view) in self.held.drain(..) {
            self.script.check(stream, number, &view);
        }
        self.loans.clear();
    }
}

fn survives(kind: SocketKind, binds: bool, rounds: u64) {
    if !alone() {
        return;
    }
    let _dog = watchdog(120);
    let (dir, context) = (Dir::new(), context());
    let address = dir.address("socket");
    let mut survivor = Survivor::new(&context, kind, seed());
    let how = if binds {
        survivor.socket.bind(address.as_str()).expect("bind");
        "connect"
    } else {
        survivor.socket.connect(address.as_str()).expect("connect");
        "bind"
    };
    let mut before = None;
    for stream in 1..=rounds {
        survivor.round(stream, how, &address);
        if stream == 5 {
            survivor.let_go();
            before = Some(at_rest());
        }
    }
    survivor.let_go();
    settles(before.expect("more rounds than that"));
    assert!(
        survivor.ups >= rounds as u32 / 2,
        "{} links in {rounds} rounds",
        survivor.ups
    );
    assert_eq!(dir.names(), ["socket"]);
    if kind != SocketKind::Pull && binds {
        // What waits for a peer may lie in the pool as well; here nothing does.
        until(|| pool_is_free(&survivor.socket, POOL));
    }
    drop(survivor);
    context.shutdown();
}

#[test]
fn a_killed_sender_leaves_an_exact_prefix_to_a_receiver_that_binds() {
    survives(SocketKind::Pull, true, 60);
}

#[test]
fn a_killed_sender_leaves_an_exact_prefix_to_a_receiver_that_connects() {
    survives(SocketKind::Pull, false, 60);
}

#[test]
fn a_killed_receiver_costs_a_sender_that_binds_nothing() {
    survives(SocketKind::Push, true, 60);
}

#[test]
fn a_killed_receiver_costs_a_sender_that_connects_nothing() {
    survives(SocketKind::Push, false, 60);
}

#[test]
fn a_peer_killed_amid_traffic_both_ways_is_survived_by_who_binds() {
    survives(SocketKind::Dealer, true, 60);
}

#[test]
fn a_peer_killed_amid_traffic_both_ways_is_survived_by_who_connects() {
    survives(SocketKind::Dealer, false, 60);
}
