//! Random schedules: every message once, or reported. `TAIPAN_SEEDS` says how many of each kind.

use std::collections::HashMap;
use std::time::Duration;

use rand::Rng;

use super::world::{Weather, World};
use crate::ext::reliable::model::{Amount, DropReason, Letter, MessageId};

/// What a run is like.
#[derive(Debug, Clone, Copy)]
struct Kind {
    stores: bool,
    weather: Weather,
    persistent: f64,
    extras: bool,
}

fn run(seed: u64, kind: Kind) {
    let mut world = World::new(seed, kind.stores);
    world.weather = kind.weather;
    for at in 0..2 {
        let (few, more) = (
            world.random.random_range(1..20),
            world.random.random_range(1..40),
        );
        let settings = &mut world.nodes[at].settings;
        settings.window = Amount::new(few, 4000);
        settings.in_flight = Amount::new(more, 8000);
        settings.inbox = Amount::new(few + 3, 6000);
        world.start(at);
    }
    let mut told = 0;
    for _ in 0..600 {
        for at in 0..2 {
            if world.nodes[at].engine.is_none() && world.random.random_bool(0.1) {
                world.start(at);
            }
        }
        let up = world.nodes.iter().all(|node| node.engine.is_some());
        if world.link.is_none() && up && world.random.random_bool(0.2) {
            world.connect();
        }
        for at in 0..2 {
            if world.nodes[at].engine.is_some() && world.random.random_bool(0.3) {
                told += 1;
                let letter = letter(&mut world, told, kind);
                world.send(at, letter).unwrap();
            }
        }
        if world.random.random_bool(0.01) {
            let at = world.random.random_range(0..2);
            world.nodes[at].taken = !world.nodes[at].taken;
        }
        world.step();
    }
    world.calm();
    check(seed, &mut world, kind);
}

fn letter(world: &mut World, number: u32, kind: Kind) -> Letter {
    let size = world.random.random_range(0..40);
    let mut letter = Letter::new(format!("{number}:{}", "x".repeat(size)));
    letter.persistent = kind.stores && world.random.random_bool(kind.persistent);
    if kind.extras {
        letter.priority = [0, 0, 0, 1, 255][world.random.random_range(0..5)];
        if world.random.random_bool(0.1) {
            letter.ttl = Some(Duration::from_millis(world.random.random_range(0..50)));
        }
        if world.random.random_bool(0.1) {
            letter.delay = Duration::from_millis(world.random.random_range(1..50));
        }
        if world.random.random_bool(0.1) {
            letter = letter.property("number", number.to_string());
        }
    }
    letter
}

fn check(seed: u64, world: &mut World, kind: Kind) {
    for at in 0..2 {
        let (from, to) = (&world.nodes[at], &world.nodes[1 - at]);
        let got: HashMap<MessageId, &Letter> =
            to.log.iter().map(|(id, letter)| (*id, letter)).collect();
        assert_eq!(got.len(), to.log.len());
        for (id, sent) in &from.sent {
            let arrived = got.get(id);
            if let Some(letter) = arrived {
                assert_eq!(letter.content, sent.letter.content, "seed {seed}");
                assert_eq!(letter.properties, sent.letter.properties, "seed {seed}");
            }
            assert!(sent.outcomes.len() <= 1, "seed {seed}: {id} {sent:?}");
            if sent.orphan {
                let kept = sent.letter.persistent && sent.stored == Some(true);
                let ttl = sent.letter.ttl.is_some();
                assert!(
                    !kept || ttl || arrived.is_some(),
                    "seed {seed}: {id} is lost: {sent:?}"
                );
                continue;
            }
            match sent.outcomes.first() {
                Some(Ok(())) => {
                    // What the receiver's process held in memory may have gone with it.
                    let kept = sent.letter.persistent || kind.weather.crashes == 0.0;
                    assert!(
                        !kept || arrived.is_some(),
                        "seed {seed}: {id} is lost: {sent:?}"
                    );
                }
                Some(Err(DropReason::Expired { sent: true })) => {}
                Some(Err(DropReason::Expired { sent: false } | DropReason::NotStored)) => {
                    assert!(
                        arrived.is_none(),
                        "seed {seed}: {id} was reported as dropped"
                    );
                }
                other => panic!("seed {seed}: {id}: {other:?}: {sent:?}"),
            }
        }
        let unknown = got.keys().filter(|id| !from.sent.contains_key(id));
        assert_eq!(unknown.count(), 0, "seed {seed}: from nowhere");
        // Nothing is left in the stores that waits for something.
        for tag in [b'o', b'i', b'd', b'e'] {
            assert_eq!(world.rows(at, tag), 0, "seed {seed}: rows {}", tag as char);
        }
    }
}

fn seeds(kind: Kind) {
    let count = match std::env::var("TAIPAN_SEEDS") {
        Ok(count) => count.parse().unwrap(),
        Err(_) => 60,
    };
    let first = match std::env::var("TAIPAN_SEED") {
        Ok(first) => first.parse().unwrap(),
        Err(_) => 0,
    };
    for seed in first..first + count {
        let run = std::panic::catch_unwind(|| run(seed, kind));
        if let Err(panic) = run {
            eprintln!("seed {seed} of {kind:?}");
            std::panic::resume_unwind(panic);
        }
    }
}

const ROUGH: Weather = Weather {
    loss: 0.05,
    duplicates: 0.05,
    reorder: 0.1,
    cuts: 0.01,
    crashes: 0.0,
    failures: 0.0,
};

#[test]
fn in_memory_over_a_bad_network() {
    seeds(Kind {
        stores: false,
        weather: ROUGH,
        persistent: 0.0,
        extras: false,
    });
}

#[test]
fn in_memory_with_priorities_delays_and_lifetimes() {
    seeds(Kind {
        stores: false,
        weather: ROUGH,
        persistent: 0.0,
        extras: true,
    });
}

#[test]
fn stored_over_a_bad_network() {
    seeds(Kind {
        stores: true,
        weather: ROUGH,
        persistent: 1.0,
        extras: false,
    });
}

#[test]
fn stored_and_not_with_everything_over_a_bad_network() {
    seeds(Kind {
        stores: true,
        weather: ROUGH,
        persistent: 0.5,
        extras: true,
    });
}

#[test]
fn stored_while_processes_crash() {
    seeds(Kind {
        stores: true,
        weather: Weather {
            crashes: 0.005,
            ..ROUGH
        },
        persistent: 1.0,
        extras: false,
    });
}

#[test]
fn everything_while_processes_crash_and_stores_fail() {
    seeds(Kind {
        stores: true,
        weather: Weather {
            crashes: 0.005,
            failures: 0.05,
            ..ROUGH
        },
        persistent: 0.7,
        extras: true,
    });
}

#[test]
fn a_backlog_that_expires_all_at_once_is_reported_message_by_message() {
    let mut world = World::new(0, true);
    world.start(0);
    world.start(1);
    for number in 0..20_000 {
        let letter = Letter::new(number.to_string()).ttl(Duration::from_millis(5));
        world.send(0, letter).unwrap();
    }
    world.now = world.now.after(Duration::from_secs(1));
    world.connect();
    world.calm();
    let expired = Some(&Err(DropReason::Expired { sent: false }));
    let sent = world.nodes[0].sent.values();
    assert_eq!(
        sent.filter(|sent| sent.outcomes.first() == expired).count(),
        20_000
    );
    assert!(world.nodes[1].log.is_empty());
}
