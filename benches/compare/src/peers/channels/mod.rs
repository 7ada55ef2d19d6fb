//! Channels between threads or tasks of one process: how they are laid out for each shape, and what goes through them.
//!
//! A channel is not a messaging library: it knows no names, no processes and no patterns. It is here for what inproc
//! is compared with. Small messages travel in the channel's own memory, larger ones are vectors that are handed over,
//! and what is published to several is shared.
//!
//! ```text
//!   out      near -> 0..n                    share    one channel with n receivers, or n in turn
//!   ask      near -> far, far -> near        gather   one channel with n senders, or n looked at in turn
//! ```

mod tasks;
mod threads;

use std::sync::{Arc, Mutex, PoisonError};

pub use tasks::{KanalAsync, TokioMpsc, WiredTasks};
pub use threads::{Crossbeam, Flume, Kanal, Rtrb, WiredThreads};

use crate::Outcome;
use crate::cells::Course;
use crate::job::Job;
use crate::payload::{Got, read};

const INLINE: usize = 64;

/// A message.
#[derive(Clone)]
pub enum Parcel {
    Small(u8, [u8; INLINE]),
    Owned(Vec<u8>),
    Shared(Arc<[u8]>),
}

impl Parcel {
    #[inline]
    fn new(len: usize, tag: u8, readers: usize) -> Parcel {
        if len <= INLINE {
            Parcel::Small(len as u8, [tag; INLINE])
        } else if readers == 1 {
            Parcel::Owned(vec![tag; len])
        } else {
            Parcel::Shared(vec![tag; len].into())
        }
    }

    #[inline]
    fn read(&self) -> Got {
        match self {
            Parcel::Small(len, bytes) => read(&bytes[..usize::from(*len)]),
            Parcel::Owned(bytes) => read(bytes),
            Parcel::Shared(bytes) => read(bytes),
        }
    }
}

/// One kind of channel.
pub trait Channel: Send + Sync + 'static {
    type Tx: Send;
    type Rx: Send;

    fn pair(window: usize) -> (Self::Tx, Self::Rx);

    /// A second sender, if there can be.
    fn second_tx(_tx: &Self::Tx) -> Option<Self::Tx> {
        None
    }

    /// A second receiver, if there can be.
    fn second_rx(_rx: &Self::Rx) -> Option<Self::Rx> {
        None
    }
}

/// What an end has of the channels.
pub struct Ends<C: Channel> {
    outs: Vec<C::Tx>,
    ins: Vec<C::Rx>,
    /// Whether each message goes into all of `outs`.
    publishes: bool,
    turn: usize,
}

impl<C: Channel> Ends<C> {
    fn new(outs: Vec<C::Tx>, ins: Vec<C::Rx>) -> Self {
        Ends {
            outs,
            ins,
            publishes: false,
            turn: 0,
        }
    }

    /// Which of `outs` is next.
    #[inline]
    fn take_turn(&mut self) -> usize {
        let turn = self.turn;
        self.turn += 1;
        if self.turn == self.outs.len() {
            self.turn = 0;
        }
        turn
    }
}

/// The near end and the far ends of a run.
fn wire<C: Channel>(job: &Job) -> (Ends<C>, Vec<Ends<C>>) {
    let window = job.cell.window();
    let ends = job.cell.far_ends();
    let (tx, rx) = C::pair(window);
    match job.cell.course() {
        Course::Ask(_) => {
            let (back_tx, back_rx) = C::pair(window);
            let far = Ends::new(vec![back_tx], vec![rx]);
            (Ends::new(vec![tx], vec![back_rx]), vec![far])
        }
        Course::Share if C::second_rx(&rx).is_some() => {
            let far = |_| Ends::new(Vec::new(), C::second_rx(&rx).into_iter().collect());
            let fars = (0..ends).map(far).collect();
            (Ends::new(vec![tx], Vec::new()), fars)
        }
        Course::Out | Course::Share => {
            let (outs, ins): (Vec<_>, Vec<_>) = (0..ends).map(|_| C::pair(window)).unzip();
            let mut near = Ends::new(outs, Vec::new());
            near.publishes = job.cell.course() == Course::Out;
            let far = |rx| Ends::new(Vec::new(), vec![rx]);
            (near, ins.into_iter().map(far).collect())
        }
        Course::Gather if C::second_tx(&tx).is_some() => {
            let far = |_| Ends::new(C::second_tx(&tx).into_iter().collect(), Vec::new());
            let fars = (0..ends).map(far).collect();
            (Ends::new(Vec::new(), vec![rx]), fars)
        }
        Course::Gather => {
            let (outs, ins): (Vec<_>, Vec<_>) = (0..ends).map(|_| C::pair(window)).unzip();
            let far = |tx| Ends::new(vec![tx], Vec::new());
            let fars = outs.into_iter().map(far).collect();
            (Ends::new(Vec::new(), ins), fars)
        }
    }
}

/// The far ends of a run until they are asked for.
pub struct Kept<C: Channel>(Mutex<Vec<Option<Ends<C>>>>);

impl<C: Channel> Default for Kept<C> {
    fn default() -> Self {
        Kept(Mutex::new(Vec::new()))
    }
}

impl<C: Channel> Kept<C> {
    /// The near end of a new run.
    fn near(&self, job: &Job) -> Ends<C> {
        let (near, fars) = wire(job);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = fars.into_iter().map(Some).collect();
        near
    }

    fn far(&self, index: usize) -> Outcome<Ends<C>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = kept.get_mut(index).and_then(Option::take);
        end.ok_or_else(|| "no such far end".into())
    }
}
