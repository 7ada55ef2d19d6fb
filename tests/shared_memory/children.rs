//! The roles of child processes, and the one test by which they are started.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use taipan::{
    AnySocket, Context, LingerReport, Message, Options, Pair, Pull, Push, SocketKind, Spin, Sub,
};

use crate::process::{hear, play, role, say};
use crate::rig::{small, waiting};
use crate::script::{Random, Script, noise, tag_of};

/// No test by itself: here a child learns its role.
#[test]
fn child() {
    let Some((role, args)) = role() else { return };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    play(|| match &*role {
        "talk" => talk(&args),
        "pour" => pour(&args),
        "echo" => echo(&args),
        "lend" => lend(&args),
        "borrow" => borrow(&args),
        "come_and_go" => come_and_go(&args),
        "subscribe" => subscribe(&args),
        "limited" => crate::limits::limited(&args),
        other => panic!("no such role: {other}"),
    });
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn kind(name: &str) -> SocketKind {
    match name {
        "push" => SocketKind::Push,
        "pull" => SocketKind::Pull,
        "dealer" => SocketKind::Dealer,
        "pair" => SocketKind::Pair,
        other => panic!("no such kind: {other}"),
    }
}

fn enter(socket: &AnySocket, how: &str, address: &str) {
    match how {
        "bind" => socket.bind(address).map(drop).expect("bind"),
        _ => socket.connect(address).map(drop).expect("connect"),
    }
}

/// Checks that what arrives of each stream has no gaps, and what is in it.
#[derive(Default)]
pub struct Follower {
    next: HashMap<u64, u64>,
}

impl Follower {
    /// Where a stream begins is not known if one of its receivers has died.
    #[track_caller]
    pub fn follow(&mut self, script: Script, message: &Message) -> (u64, u64) {
        let (stream, number) = tag_of(message);
        let next = self.next.entry(stream).or_insert(number);
        script.check(stream, *next, message);
        *next += 1;
        (stream, number)
    }

    /// The number that comes next in a stream.
    pub fn next(&self, stream: u64) -> u64 {
        self.next.get(&stream).copied().unwrap_or(0)
    }
}

/// Sends a stream without end, receives what comes, and says how far it is, until it is killed.
fn talk(args: &[&str]) {
    let [kind_name, how, address, stream, seed] = args else {
        panic!("{args:?}")
    };
    let (stream, seed) = (number(stream), number(seed));
    let script = Script {
        seed,
        most: 300_000,
    };
    let context = Context::new();
    let kind = kind(kind_name);
    let socket = AnySocket::of(&context, kind, small(|_| ())).expect("options");
    enter(&socket, how, address);
    let receiving = (kind != SocketKind::Push).then(|| {
        let socket = socket.clone();
        thread::spawn(move || follow_for_ever(&socket, script, seed ^ stream))
    });
    if kind == SocketKind::Pull {
        receiving
            .expect("it receives")
            .join()
            .expect("it is killed");
        return;
    }
    for number in 0.. {
        let message = match number % 3 {
            0 => script.loaned(&socket, stream, number),
            _ => script.message(stream, number),
        };
        socket.blocking_send(message).expect("send");
        if number % 4 == 3 && socket.flush() == 0 {
            say(&number.to_string());
        }
    }
}

fn follow_for_ever(socket: &AnySocket, script: Script, seed: u64) {
    let mut random = Random::new(seed);
    let mut follower = Follower::default();
    let mut held = Vec::new();
    loop {
        let message = socket.blocking_recv().expect("recv");
        let (stream, number) = follower.follow(script, &message);
        held.push((stream, number, message));
        if held.len() > 6 {
            let (stream, number, message) = held.swap_remove(random.below(6));
            script.check(stream, number, &message);
        }
    }
}

/// Sends so many messages in each of so many streams, each from a thread (or task) of its own, and ends.
fn pour(args: &[&str]) {
    let [kind_name, address, streams, count, seed, most, style] = args else {
        panic!("{args:?}")
    };
    let (count, script) = (
        number(count),
        Script {
            seed: number(seed),
            most: number(most) as usize,
        },
    );
    let context = Context::new();
    let change = |o: &mut Options| {
        if style.contains("still") {
            o.spin = Spin::Never;
        }
    };
    let options = if style.contains("wait") {
        waiting(change)
    } else {
        small(change)
    };
    let socket = AnySocket::of(&context, kind(kind_name), options).expect("options");
    socket.connect(*address).expect("connect");
    let in_tasks = style.contains("async");
    let runtime = Arc::new(
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(2)
            .build()
            .expect("a runtime"),
    );
    let threads = (0..number(streams)).map(|stream| {
        let (socket, runtime) = (socket.clone(), runtime.clone());
        thread::spawn(move || {
            for number in 0..count {
                let message = match number % 2 {
                    0 => script.loaned(&socket, stream, number),
                    _ => script.message(stream, number),
                };
                match in_tasks {
                    true => runtime.block_on(socket.send(message)).expect("send"),
                    false => socket.blocking_send(message).expect("send"),
                }
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("sent"));
    drop(socket);
    assert_eq!(context.terminate(), LingerReport::default());
}

/// Sends back whatever comes, until the parent says so.
fn echo(args: &[&str]) {
    let [kind_name, address] = args else {
        panic!("{args:?}")
    };
    let context = Context::new();
    let options = small(|o| o.routing_id = "echo".into());
    let socket = AnySocket::of(&context, kind(kind_name), options).expect("options");
    socket.connect(*address).expect("connect");
    let echoing = {
        let socket = socket.clone();
        thread::spawn(move || {
            while let Ok(message) = socket.blocking_recv() {
                if socket.blocking_send(message).is_err() {
                    return;
                }
            }
        })
    };
    hear();
    socket.close();
    echoing.join().expect("echoed");
}

/// Sends what the parent asks for: a line is the length of a message of noise. Ends when the parent says `end`.
fn lend(args: &[&str]) {
    let [address] = args else { panic!("{args:?}") };
    let context = Context::new();
    let push = Push::with_options(&context, small(|_| ())).expect("options");
    push.connect(*address).expect("connect");
    while let Some(line) = hear().filter(|line| line != "end") {
        let (len, at) = line.split_once(' ').expect("two numbers");
        push.blocking_send(noise(number(len) as usize, number(at) as usize))
            .expect("send");
        push.flush();
        say("sent");
    }
}

/// Receives a message each time the parent says `take` and keeps it, lets all go at `drop`, disconnects at `leave`.
fn borrow(args: &[&str]) {
    let [address] = args else { panic!("{args:?}") };
    let context = Context::new();
    let pull = Pull::with_options(&context, small(|o| o.recv_hwm = 1)).expect("options");
    let endpoint = pull.connect(*address).expect("connect");
    let mut held: Vec<(Message, Vec<u8>)> = Vec::new();
    while let Some(line) = hear() {
        match &*line {
            "take" => {
                let message = pull.blocking_recv().expect("recv");
                let copy = message.first().to_vec();
                held.push((message, copy));
            }
            "leave" => pull.disconnect(&endpoint).expect("it was connected"),
            "drop" => held.clear(),
            "look" => {}
            _ => return,
        }
        assert!(
            held.iter().all(|(view, copy)| view.first() == copy),
            "a view has changed"
        );
        say("done");
    }
}

/// Connects, exchanges a large message and a small one, and goes, so many times.
fn come_and_go(args: &[&str]) {
    let [address, count] = args else {
        panic!("{args:?}")
    };
    for _ in 0..number(count) {
        let context = Context::new();
        let pair = Pair::with_options(&context, small(|_| ())).expect("options");
        pair.connect(*address).expect("connect");
        pair.blocking_send(noise(20_000, 3)).expect("send");
        assert_eq!(pair.blocking_recv().expect("recv"), "thanks");
        drop(pair);
        context.terminate();
    }
}

/// Subscribes to all, and says for each message whether it lies in shared memory, and how long it is.
fn subscribe(args: &[&str]) {
    let [address] = args else { panic!("{args:?}") };
    let context = Context::new();
    let sub = Sub::with_options(&context, small(|_| ())).expect("options");
    sub.subscribe("").expect("subscribe");
    sub.connect(*address).expect("connect");
    loop {
        let message = sub.blocking_recv().expect("recv");
        if message == "end" {
            return;
        }
        let is_view = crate::census::is_shared(message.first());
        say(&format!("{is_view} {}", message.byte_len()));
        assert!(crate::script::same(message.first(), 5), "damaged");
    }
}
