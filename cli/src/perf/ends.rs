//! The two ends of a measurement: the loops that send and receive.
//!
//! Each loop exists twice, word for word the same, with async and with blocking calls. A message with one
//! frame more than the others is a mark: the first ends the warm-up, the second the measurement.
//!
//! ```text
//!   thr   far:  warm-up ... mark  payload payload ... payload  mark
//!         near:                   ^ first ─────────── last ^         counted and timed here
//!   lat   near: send, receive: one round trip; timed one by one      far: replies
//! ```
//!
//! Invariants: every received payload is looked at (its first and last byte; with `touch` every byte, which the
//! sender has then written anew), and has to be what was sent; the clock is not asked for every message of a
//! stream.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use taipan::throttle::Throttled;
use taipan::{AnySocket, Frame, LoanExhausted, Message, RecvError, SendError, SocketKind, kind};

use super::cpu::cpu_time;
use super::plan::{Amount, Manner, Spec};
use crate::args::Test;
use crate::failure::Failure;

/// Longest round trip that is told apart, in nanoseconds.
const SLOWEST: u64 = 60_000_000_000;

/// What the near end has measured.
pub struct Near {
    /// Messages, or round trips.
    pub messages: u64,
    /// From the first to the last.
    pub time: Duration,
    /// CPU time of this process meanwhile.
    pub cpu: Duration,
    /// Round trips in nanoseconds.
    pub round_trips: Option<Histogram<u64>>,
}

/// What the far end has seen.
#[derive(Debug, PartialEq, Eq)]
pub struct Far {
    /// Messages sent, or answered.
    pub messages: u64,
    /// Loans that did not lie in shared memory, warm-up included.
    pub ordinary_loans: u64,
    /// CPU time of this process when the measurement began.
    pub cpu_before: Duration,
}

/// The messages of one end, and the check of those that arrive.
struct Traffic {
    payload: Vec<u8>,
    /// The frames of a message that is no mark.
    frames: usize,
    routed: bool,
    manner: Manner,
    written: u64,
    ordinary_loans: u64,
    seen: u64,
    sum: u64,
    damaged: bool,
}

impl Traffic {
    fn new(socket: &AnySocket, spec: Spec) -> Traffic {
        let routed = socket.kind() == SocketKind::Router;
        let payload = (0..spec.size).map(|at| (at % 251) as u8 + 1).collect();
        Traffic {
            payload,
            frames: 1 + usize::from(routed),
            routed,
            manner: spec.manner,
            written: 0,
            ordinary_loans: 0,
            seen: 0,
            sum: 0,
            damaged: false,
        }
    }

    /// The next message that is no mark.
    fn next(&mut self, socket: &AnySocket) -> Result<Message, Failure> {
        if self.manner.loan {
            let mut loan = socket.loan(self.payload.len()).map_err(lent_out)?;
            self.ordinary_loans += u64::from(!loan.is_shared());
            self.written += 1;
            write(&mut loan, self.written);
            return Ok(Message::from(loan));
        }
        self.renew();
        Ok(Message::from(&self.payload[..]))
    }

    /// With `touch`, new bytes.
    fn renew(&mut self) {
        if self.manner.touch {
            self.written += 1;
            write(&mut self.payload, self.written);
        }
    }

    fn is_mark(&self, message: &Message) -> bool {
        message.frame_count() > self.frames
    }

    fn mark(&self) -> Message {
        Message::from_frames([&self.payload[..], b"mark"])
    }

    fn reply(&mut self, request: &Message) -> Message {
        self.renew();
        match self.routed {
            true => Message::from_frames([request.first().clone(), Frame::from(&self.payload[..])]),
            false => Message::from(&self.payload[..]),
        }
    }

    /// Reads the first and the last byte of a payload, or all of them.
    fn look(&mut self, message: &Message) {
        self.seen += 1;
        if self.manner.touch {
            self.damaged |= message.last().len() != self.payload.len() || !is_whole(message.last());
        } else {
            self.sum += ends_of(message.last());
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let whole = match self.manner.touch {
            true => !self.damaged,
            false => self.seen * ends_of(&self.payload) == self.sum,
        };
        match whole {
            true => Ok(()),
            false => Err(Failure::Runtime("messages were damaged on the way".into())),
        }
    }
}

fn ends_of(payload: &[u8]) -> u64 {
    let (first, last) = (payload.first().copied(), payload.last().copied());
    u64::from(first.unwrap_or(0)) + u64::from(last.unwrap_or(0))
}

/// Fills a payload with words that follow from the number of its message.
fn write(payload: &mut [u8], number: u64) {
    let word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    let mut words = payload.chunks_exact_mut(8);
    for part in &mut words {
        part.copy_from_slice(&word);
    }
    let rest = words.into_remainder();
    let len = rest.len();
    rest.copy_from_slice(&word[..len]);
}

/// Reads every byte of a payload: whether it is one that `write` has filled.
fn is_whole(payload: &[u8]) -> bool {
    let (words, rest) = payload.as_chunks::<8>();
    let Some(first) = words.first() else {
        return true;
    };
    let word = u64::from_le_bytes(*first);
    // Without a way out in between, so that the loop is as fast as memory is.
    let differences = words.iter().fold(0, |found, bytes| {
        found | (u64::from_le_bytes(*bytes) ^ word)
    });
    differences == 0 && first.starts_with(rest)
}

/// Says when an amount is reached, asking the clock only now and then.
struct Quota {
    limit: u64,
    deadline: Option<Instant>,
    every: u64,
    done: u64,
}

impl Quota {
    fn new(amount: Amount, size: usize, test: Test) -> Quota {
        // About 64 KiB of payload between two looks at the clock.
        let every = match test {
            Test::Thr => (65536 / size.max(1) as u64).clamp(1, 256),
            Test::Lat => 1,
        };
        match amount {
            Amount::Count(limit) => Quota {
                limit,
                deadline: None,
                every,
                done: 0,
            },
            Amount::For(time) => Quota {
                limit: u64::MAX,
                deadline: Some(Instant::now() + time),
                every,
                done: 0,
            },
        }
    }

    /// Whether one more is to be done; counts it.
    fn more(&mut self) -> bool {
        let over = self.done.is_multiple_of(self.every)
            && self.deadline.is_some_and(|end| Instant::now() >= end);
        let more = self.done < self.limit && !over;
        self.done += u64::from(more);
        more
    }
}

fn lent_out(error: LoanExhausted) -> Failure {
    Failure::because("cannot write a message", error)
}

fn cut(error: SendError) -> Failure {
    Failure::because("sending ended early", error)
}

fn cut_off(error: RecvError) -> Failure {
    Failure::because("receiving ended early", error)
}

/// A socket that is what it is.
fn itself(socket: &AnySocket) -> &AnySocket {
    socket
}

macro_rules! sends {
    ($(#[$doc:meta])* $name:ident, $socket:ty, $plain:path, [$($asyncness:tt)?], [$($wait:tt)*], $send:ident) => {
        $(#[$doc])*
        pub $($asyncness)? fn $name(socket: $socket, spec: Spec) -> Result<Far, Failure> {
            let mut traffic = Traffic::new($plain(&socket), spec);
            let mut warm_up = Quota::new(spec.amount.warm_up(), spec.size, spec.test);
            while warm_up.more() {
                socket.$send(traffic.next($plain(&socket))?)$($wait)*.map_err(cut)?;
            }
            socket.$send(traffic.mark())$($wait)*.map_err(cut)?;
            let cpu_before = cpu_time();
            let mut quota = Quota::new(spec.amount, spec.size, spec.test);
            while quota.more() {
                socket.$send(traffic.next($plain(&socket))?)$($wait)*.map_err(cut)?;
            }
            socket.$send(traffic.mark())$($wait)*.map_err(cut)?;
            let ordinary_loans = traffic.ordinary_loans;
            Ok(Far { messages: quota.done, ordinary_loans, cpu_before })
        }
    };
}

macro_rules! ends {
    ($(#[$doc:meta])* $module:ident, [$($asyncness:tt)?], [$($wait:tt)*], $send:ident, $recv:ident) => {
        $(#[$doc])*
        pub mod $module {
            use super::*;

            sends!(
                /// The far end of `thr`.
                stream, AnySocket, itself, [$($asyncness)?], [$($wait)*], $send
            );
            sends!(
                /// The same, keeping to a rate.
                trickle, Throttled<kind::Any>, Throttled::socket, [$($asyncness)?], [$($wait)*], $send
            );

            /// The near end of `thr`.
            pub $($asyncness)? fn count(socket: AnySocket, spec: Spec, bar: ProgressBar) -> Result<Near, Failure> {
                let mut traffic = Traffic::new(&socket, spec);
                loop {
                    let message = socket.$recv()$($wait)*.map_err(cut_off)?;
                    if traffic.is_mark(&message) {
                        break;
                    }
                    traffic.look(&message);
                }
                traffic.seen = 0;
                traffic.sum = 0;
                let mut message = socket.$recv()$($wait)*.map_err(cut_off)?;
                let (start, cpu) = (Instant::now(), cpu_time());
                while !traffic.is_mark(&message) {
                    traffic.look(&message);
                    if traffic.seen % 4096 == 0 {
                        bar.set_position(traffic.seen);
                    }
                    message = socket.$recv()$($wait)*.map_err(cut_off)?;
                }
                let (time, cpu) = (start.elapsed(), cpu_time() - cpu);
                traffic.check()?;
                Ok(Near { messages: traffic.seen, time, cpu, round_trips: None })
            }

            /// The near end of `lat`.
            pub $($asyncness)? fn ask(socket: AnySocket, spec: Spec, bar: ProgressBar) -> Result<Near, Failure> {
                let mut traffic = Traffic::new(&socket, spec);
                let mut round_trips = Histogram::new_with_bounds(1, SLOWEST, 3)
                    .map_err(|error| Failure::because("histogram", error))?;
                let mut warm_up = Quota::new(spec.amount.warm_up(), spec.size, spec.test);
                while warm_up.more() {
                    socket.$send(traffic.next(&socket)?)$($wait)*.map_err(cut)?;
                    socket.$recv()$($wait)*.map_err(cut_off)?;
                }
                socket.$send(traffic.mark())$($wait)*.map_err(cut)?;
                socket.$recv()$($wait)*.map_err(cut_off)?;
                let mut quota = Quota::new(spec.amount, spec.size, spec.test);
                let (start, cpu) = (Instant::now(), cpu_time());
                while quota.more() {
                    let sent = Instant::now();
                    socket.$send(traffic.next(&socket)?)$($wait)*.map_err(cut)?;
                    let reply = socket.$recv()$($wait)*.map_err(cut_off)?;
                    round_trips.saturating_record(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(SLOWEST));
                    traffic.look(&reply);
                    if traffic.seen % 256 == 0 {
                        bar.set_position(traffic.seen);
                    }
                }
                let (time, cpu) = (start.elapsed(), cpu_time() - cpu);
                socket.$send(traffic.mark())$($wait)*.map_err(cut)?;
                traffic.check()?;
                Ok(Near { messages: traffic.seen, time, cpu, round_trips: Some(round_trips) })
            }

            /// The far end of `lat`.
            pub $($asyncness)? fn answer(socket: AnySocket, spec: Spec) -> Result<Far, Failure> {
                let mut traffic = Traffic::new(&socket, spec);
                let mut began = None;
                loop {
                    let request = socket.$recv()$($wait)*.map_err(cut_off)?;
                    match (traffic.is_mark(&request), began) {
                        (true, Some(cpu_before)) => {
                            traffic.check()?;
                            return Ok(Far { messages: traffic.seen, ordinary_loans: 0, cpu_before });
                        }
                        (true, None) => {
                            began = Some(cpu_time());
                            traffic.seen = 0;
                            traffic.sum = 0;
                        }
                        (false, _) => traffic.look(&request),
                    }
                    socket.$send(traffic.reply(&request))$($wait)*.map_err(cut)?;
                }
            }
        }
    };
}

ends! {
    /// The loops with async calls.
    asynchronous, [async], [.await], send, recv
}
ends! {
    /// The loops with blocking calls.
    blocking, [], [], blocking_send, blocking_recv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_whole_or_it_is_not() {
        for len in [0, 1, 7, 8, 9, 64, 1003] {
            let mut payload = vec![0; len];
            for number in [1, 2, u64::MAX] {
                write(&mut payload, number);
                assert!(is_whole(&payload), "{len}");
            }
            // Shorter than two words, a payload is whatever it is.
            for at in (0..len).filter(|_| len >= 16) {
                let mut damaged = payload.clone();
                damaged[at] ^= 1;
                assert!(!is_whole(&damaged), "{at} of {len}");
            }
        }
    }
}
