//! Channels between tasks: tokio's mpsc and kanal, on a current-thread runtime or on two workers.

use std::marker::PhantomData;

use super::{Channel, Ends, Kept, Parcel};
use crate::Outcome;
use crate::cells::{Cell, Transport};
use crate::drive::{TaskEnd, Tasked};
use crate::job::Job;
use crate::payload::Got;
use crate::peers::{About, Part, locked};

/// A channel that is awaited.
pub trait Awaits: Channel {
    const NAME: &'static str;
    const PACKAGE: &'static str;

    fn send(tx: &mut Self::Tx, parcel: Parcel) -> impl Future<Output = Outcome<()>> + Send;
    fn recv(rx: &mut Self::Rx) -> impl Future<Output = Outcome<Parcel>> + Send;
}

/// A channel as a peer.
pub struct WiredTasks<C: Channel> {
    workers: bool,
    kept: Kept<C>,
    channel: PhantomData<C>,
}

impl<C: Channel> WiredTasks<C> {
    /// To be run on a current-thread runtime, or on workers.
    pub fn new(workers: bool) -> Self {
        WiredTasks {
            workers,
            kept: Kept::default(),
            channel: PhantomData,
        }
    }
}

impl<C: Awaits> TaskEnd for Ends<C> {
    #[inline]
    async fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let readers = if self.publishes { self.outs.len() } else { 1 };
        let parcel = Parcel::new(len, tag, readers);
        if readers == 1 {
            let turn = self.take_turn();
            return C::send(&mut self.outs[turn], parcel).await;
        }
        for out in &mut self.outs {
            C::send(out, parcel.clone()).await?;
        }
        Ok(())
    }

    #[inline]
    async fn recv(&mut self) -> Outcome<Got> {
        let rx = self.ins.first_mut().ok_or("this end does not receive")?;
        Ok(C::recv(rx).await?.read())
    }
}

impl<C: Awaits> Tasked for WiredTasks<C> {
    type End = Ends<C>;

    fn about(&self) -> About {
        let (id, manner) = if self.workers {
            (
                format!("{}-mt", C::NAME),
                "async calls in tasks, two workers",
            )
        } else {
            (C::NAME.to_owned(), "async calls, current-thread runtime")
        };
        About {
            id,
            version: format!("{} {}", C::PACKAGE, locked(C::PACKAGE)),
            manner: manner.to_owned(),
            part: Part::Other,
            quick: C::PACKAGE == "tokio",
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        let inproc = cell.transport == Transport::Inproc;
        (!inproc).then_some("a channel stays within a process")
    }

    async fn near(&self, job: &Job) -> Outcome<(Ends<C>, String)> {
        Ok((self.kept.near(job), String::new()))
    }

    async fn far(&self, _job: &Job, index: usize) -> Outcome<Ends<C>> {
        self.kept.far(index)
    }
}

pub struct TokioMpsc;

impl Channel for TokioMpsc {
    type Tx = tokio::sync::mpsc::Sender<Parcel>;
    type Rx = tokio::sync::mpsc::Receiver<Parcel>;

    fn pair(window: usize) -> (Self::Tx, Self::Rx) {
        tokio::sync::mpsc::channel(window)
    }

    fn second_tx(tx: &Self::Tx) -> Option<Self::Tx> {
        Some(tx.clone())
    }
}

impl Awaits for TokioMpsc {
    const NAME: &'static str = "tokio-mpsc";
    const PACKAGE: &'static str = "tokio";

    #[inline]
    async fn send(tx: &mut Self::Tx, parcel: Parcel) -> Outcome<()> {
        Ok(tx.send(parcel).await.map_err(|_| "nobody receives")?)
    }

    #[inline]
    async fn recv(rx: &mut Self::Rx) -> Outcome<Parcel> {
        Ok(rx.recv().await.ok_or("nobody sends")?)
    }
}

pub struct KanalAsync;

impl Channel for KanalAsync {
    type Tx = kanal::AsyncSender<Parcel>;
    type Rx = kanal::AsyncReceiver<Parcel>;

    fn pair(window: usize) -> (Self::Tx, Self::Rx) {
        kanal::bounded_async(window)
    }

    fn second_tx(tx: &Self::Tx) -> Option<Self::Tx> {
        Some(tx.clone())
    }

    fn second_rx(rx: &Self::Rx) -> Option<Self::Rx> {
        Some(rx.clone())
    }
}

impl Awaits for KanalAsync {
    const NAME: &'static str = "kanal-async";
    const PACKAGE: &'static str = "kanal";

    #[inline]
    async fn send(tx: &mut Self::Tx, parcel: Parcel) -> Outcome<()> {
        Ok(tx.send(parcel).await?)
    }

    #[inline]
    async fn recv(rx: &mut Self::Rx) -> Outcome<Parcel> {
        Ok(rx.recv().await?)
    }
}
