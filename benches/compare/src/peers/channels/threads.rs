//! Channels between threads: rtrb (which spins, and is the bound), crossbeam-channel, kanal and flume.

use std::marker::PhantomData;

use super::{Channel, Ends, Kept, Parcel};
use crate::Outcome;
use crate::cells::{Cell, Placement, Transport};
use crate::drive::{End, Threaded};
use crate::job::Job;
use crate::payload::Got;
use crate::peers::{About, Part, locked};
use crate::spin::Spin;

/// A channel that blocks.
pub trait Blocks: Channel {
    const NAME: &'static str;
    const MANNER: &'static str;
    const PART: Part = Part::Other;
    const QUICK: bool = false;

    fn send(tx: &mut Self::Tx, parcel: Parcel) -> Outcome<()>;

    /// Waits for a message in one of these.
    fn recv(rx: &mut [Self::Rx]) -> Outcome<Parcel>;
}

/// A channel as a peer.
pub struct WiredThreads<C: Channel> {
    kept: Kept<C>,
    channel: PhantomData<C>,
}

impl<C: Channel> Default for WiredThreads<C> {
    fn default() -> Self {
        WiredThreads {
            kept: Kept::default(),
            channel: PhantomData,
        }
    }
}

impl<C: Blocks> End for Ends<C> {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let readers = if self.publishes { self.outs.len() } else { 1 };
        let parcel = Parcel::new(len, tag, readers);
        if readers == 1 {
            let turn = self.take_turn();
            return C::send(&mut self.outs[turn], parcel);
        }
        let mut outs = self.outs.iter_mut();
        outs.try_for_each(|out| C::send(out, parcel.clone()))
    }

    #[inline]
    fn recv(&mut self) -> Outcome<Got> {
        Ok(C::recv(&mut self.ins)?.read())
    }
}

impl<C: Blocks> Threaded for WiredThreads<C> {
    type End = Ends<C>;

    fn about(&self) -> About {
        About {
            id: C::NAME.to_owned(),
            version: format!("{} {}", C::NAME, locked(C::NAME)),
            manner: C::MANNER.to_owned(),
            part: C::PART,
            quick: C::QUICK,
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        match (cell.transport, cell.placement) {
            (Transport::Ipc | Transport::Tcp, _) => Some("a channel stays within a process"),
            (_, Placement::OneThread) => Some("it blocks its thread"),
            _ => None,
        }
    }

    fn near(&self, job: &Job) -> Outcome<(Ends<C>, String)> {
        Ok((self.kept.near(job), String::new()))
    }

    fn far(&self, _job: &Job, index: usize) -> Outcome<Ends<C>> {
        self.kept.far(index)
    }
}

/// The only one of a list.
fn only<T>(list: &mut [T]) -> Outcome<&mut T> {
    list.first_mut()
        .ok_or_else(|| "this end does not receive".into())
}

pub struct Rtrb;

impl Channel for Rtrb {
    type Tx = rtrb::Producer<Parcel>;
    type Rx = rtrb::Consumer<Parcel>;

    fn pair(window: usize) -> (Self::Tx, Self::Rx) {
        rtrb::RingBuffer::new(window)
    }
}

impl Blocks for Rtrb {
    const NAME: &'static str = "rtrb";
    const MANNER: &'static str = "one sender and one receiver a ring, both spin (then yield)";
    const PART: Part = Part::Bound;
    const QUICK: bool = true;

    #[inline]
    fn send(tx: &mut Self::Tx, mut parcel: Parcel) -> Outcome<()> {
        let mut spin = Spin::new();
        while let Err(rtrb::PushError::Full(back)) = tx.push(parcel) {
            parcel = back;
            spin.again();
        }
        Ok(())
    }

    #[inline]
    fn recv(rx: &mut [Self::Rx]) -> Outcome<Parcel> {
        let mut spin = Spin::new();
        loop {
            for ring in &mut *rx {
                if let Ok(parcel) = ring.pop() {
                    return Ok(parcel);
                }
            }
            spin.again();
        }
    }
}

pub struct Crossbeam;

impl Channel for Crossbeam {
    type Tx = crossbeam_channel::Sender<Parcel>;
    type Rx = crossbeam_channel::Receiver<Parcel>;

    fn pair(window: usize) -> (Self::Tx, Self::Rx) {
        crossbeam_channel::bounded(window)
    }

    fn second_tx(tx: &Self::Tx) -> Option<Self::Tx> {
        Some(tx.clone())
    }

    fn second_rx(rx: &Self::Rx) -> Option<Self::Rx> {
        Some(rx.clone())
    }
}

impl Blocks for Crossbeam {
    const NAME: &'static str = "crossbeam-channel";
    const MANNER: &'static str = "blocking calls, spins for a moment, then sleeps";
    const QUICK: bool = true;

    #[inline]
    fn send(tx: &mut Self::Tx, parcel: Parcel) -> Outcome<()> {
        Ok(tx.send(parcel).map_err(|_| "nobody receives")?)
    }

    #[inline]
    fn recv(rx: &mut [Self::Rx]) -> Outcome<Parcel> {
        Ok(only(rx)?.recv()?)
    }
}

pub struct Kanal;

impl Channel for Kanal {
    type Tx = kanal::Sender<Parcel>;
    type Rx = kanal::Receiver<Parcel>;

    fn pair(window: usize) -> (Self::Tx, Self::Rx) {
        kanal::bounded(window)
    }

    fn second_tx(tx: &Self::Tx) -> Option<Self::Tx> {
        Some(tx.clone())
    }

    fn second_rx(rx: &Self::Rx) -> Option<Self::Rx> {
        Some(rx.clone())
    }
}

impl Blocks for Kanal {
    const NAME: &'static str = "kanal";
    const MANNER: &'static str = "blocking calls, spins for a moment, then sleeps";

    #[inline]
    fn send(tx: &mut Self::Tx, parcel: Parcel) -> Outcome<()> {
        Ok(tx.send(parcel)?)
    }

    #[inline]
    fn recv(rx: &mut [Self::Rx]) -> Outcome<Parcel> {
        Ok(only(rx)?.recv()?)
    }
}

pub struct Flume;

impl Channel for Flume {
    type Tx = flume::Sender<Parcel>;
    type Rx = flume::Receiver<Parcel>;

    fn pair(window: usize) -> (Self::Tx, Self::Rx) {
        flume::bounded(window)
    }

    fn second_tx(tx: &Self::Tx) -> Option<Self::Tx> {
        Some(tx.clone())
    }

    fn second_rx(rx: &Self::Rx) -> Option<Self::Rx> {
        Some(rx.clone())
    }
}

impl Blocks for Flume {
    const NAME: &'static str = "flume";
    const MANNER: &'static str = "blocking calls, sleeps";

    #[inline]
    fn send(tx: &mut Self::Tx, parcel: Parcel) -> Outcome<()> {
        Ok(tx.send(parcel).map_err(|_| "nobody receives")?)
    }

    #[inline]
    fn recv(rx: &mut [Self::Rx]) -> Outcome<Parcel> {
        Ok(only(rx)?.recv()?)
    }
}
