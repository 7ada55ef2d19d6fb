//! The ways between two sockets, the budgets of these tests, and random content.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use taipan::throttle::{Budget, Limits, Throttled};
use taipan::{Message, Options, SharedMemory};

use crate::common::{inproc, unique};

/// A fresh address, and the options of both ends.
pub struct Way {
    pub address: String,
    pub options: Options,
    pub shared: bool,
}

/// In process, over tcp, and over ipc with and without shared memory.
pub fn ways() -> Vec<Way> {
    let ipc = || format!("ipc://@taipan-throttle-{}-{}", std::process::id(), unique());
    let way = |address, shared: bool| {
        let mut options = Options::default();
        if !shared {
            options.shared_memory = SharedMemory::off();
        }
        Way {
            address,
            options,
            shared,
        }
    };
    vec![
        way(inproc(), false),
        way("tcp://127.0.0.1:*".to_owned(), false),
        way(ipc(), false),
        way(ipc(), cfg!(target_os = "linux")),
    ]
}

impl Way {
    pub fn options(&self, change: impl FnOnce(&mut Options)) -> Options {
        let mut options = self.options.clone();
        change(&mut options);
        options
    }
}

/// A budget of so many messages a second, `burst` of them at once.
pub fn messages(rate: u64, burst: u64) -> Budget {
    let mut limits = Limits::messages(rate);
    limits.burst_messages = Some(burst);
    Budget::new(limits).expect("limits")
}

/// A budget of so many bytes a second, `burst` of them at once.
pub fn bytes(rate: u64, burst: u64) -> Budget {
    let mut limits = Limits::bytes(rate);
    limits.burst_bytes = Some(burst);
    Budget::new(limits).expect("limits")
}

/// Lets nothing pass for an hour. It has let one message pass, which is being paid off: 4,000 bytes.
pub fn stopped() -> Budget {
    let budget = bytes(1, 1);
    let context = taipan::Context::new();
    let (pull, push) = (taipan::Pull::new(&context), taipan::Push::new(&context));
    pull.bind("inproc://debt").expect("bind");
    push.connect("inproc://debt").expect("connect");
    let push = Throttled::new(&push).sending(&budget);
    push.try_send(vec![0; 4000]).expect("send");
    budget
}

/// The hash of a message: its frames and their borders.
pub fn hash(message: &Message) -> u64 {
    let mut hasher = DefaultHasher::new();
    for frame in message.frames() {
        frame.as_slice().hash(&mut hasher);
    }
    hasher.finish()
}

/// Messages of all sizes around the borders that code has, of one and of several frames, with bytes that do not repeat.
pub fn assorted() -> Vec<Message> {
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |len: usize| -> Vec<u8> {
        let words = (0..len.div_ceil(8)).flat_map(|_| {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            word.to_le_bytes()
        });
        words.take(len).collect()
    };
    let sizes = [
        0, 1, 64, 65, 1000, 4096, 16_384, 65_535, 65_536, 65_537, 200_000,
    ];
    let mut all: Vec<Message> = sizes.iter().map(|size| random(*size).into()).collect();
    all.push(Message::from_frames([
        random(10),
        random(70_000),
        random(0),
        random(300),
    ]));
    all.extend((0..100).map(|_| Message::from(random(1000))));
    all
}

/// That no more time than this has passed would be too fast.
#[track_caller]
pub fn at_least(start: Instant, seconds: f64) {
    let passed = start.elapsed();
    assert!(
        passed >= Duration::from_secs_f64(seconds),
        "too fast: {passed:?} instead of {seconds} s"
    );
}
