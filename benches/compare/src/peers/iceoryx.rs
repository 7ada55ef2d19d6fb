//! iceoryx2, publish-subscribe: samples loaned from shared memory, written and read in place.
//!
//! Its publish-subscribe has no wake-up (events are a service of their own), so the receivers spin; see `spin.rs`.
//! Nothing is dropped: no overflow, and a publisher that retries until delivered. Round trips are two services.
//! Its files have a prefix and a folder of this run, which [`Peer::clean`] removes.

use std::fs;
use std::path::Path as StdPath;

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use super::{Peer, locked};
use crate::Outcome;
use crate::cells::{Cell, Shape};
use crate::drive::{self, Receives, Sends};
use crate::job::Job;
use crate::lines::Fars;
use crate::meter::Sample;
use crate::payload::read;
use crate::spin::Spin;

pub struct Iceoryx;

type Channel = PortFactory<ipc::Service, [u8], ()>;

struct Out(Publisher<ipc::Service, [u8], ()>);
struct In(Subscriber<ipc::Service, [u8], ()>);
struct Both(Out, In);

impl Sends for Out {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        // The compiler makes one fill of it.
        let sample = self.0.loan_slice_uninit(len)?.write_from_fn(|_| tag);
        sample.send()?;
        Ok(())
    }
}

impl Receives for In {
    #[inline]
    fn recv(&mut self) -> Outcome<(usize, u64)> {
        let mut spin = Spin::new();
        loop {
            if let Some(sample) = self.0.receive()? {
                return Ok((sample.payload().len(), read(sample.payload())));
            }
            spin.again();
        }
    }
}

impl Sends for Both {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        self.0.send(len, tag)
    }
}

impl Receives for Both {
    #[inline]
    fn recv(&mut self) -> Outcome<(usize, u64)> {
        self.1.recv()
    }
}

fn folder(run: u32) -> String {
    format!("/tmp/taipan-compare-{run}")
}

fn prefix(run: u32) -> String {
    format!("taipan-compare-{run}_")
}

/// This process's node, with everything of it under the run's names.
fn node(job: &Job) -> Outcome<Node<ipc::Service>> {
    set_log_level(LogLevel::Error);
    let mut config = Config::default();
    config.global.prefix = FileName::new(prefix(job.run).as_bytes())?;
    config
        .global
        .set_root_path(&Path::new(folder(job.run).as_bytes())?);
    Ok(NodeBuilder::new()
        .config(&config)
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .create::<ipc::Service>()?)
}

fn channel(node: &Node<ipc::Service>, way: &str, job: &Job) -> Outcome<Channel> {
    let name = format!("{}-{way}", job.name());
    Ok(node
        .service_builder(&name.as_str().try_into()?)
        .publish_subscribe::<[u8]>()
        .enable_safe_overflow(false)
        .history_size(0)
        .subscriber_max_buffer_size(job.cell.window())
        .subscriber_max_borrowed_samples(1)
        .max_publishers(1)
        .max_subscribers(job.cell.far_ends())
        .max_nodes(job.cell.far_ends() + 1)
        .open_or_create()?)
}

fn publish(channel: &Channel, job: &Job) -> Outcome<Out> {
    Ok(Out(channel
        .publisher_builder()
        .initial_max_slice_len(job.cell.size)
        .max_loaned_samples(1)
        .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
        .create()?))
}

fn subscribe(channel: &Channel) -> Outcome<In> {
    Ok(In(channel.subscriber_builder().create()?))
}

impl Peer for Iceoryx {
    fn id(&self) -> &'static str {
        "iceoryx2"
    }

    fn version(&self) -> String {
        format!("iceoryx2 {}", locked("iceoryx2"))
    }

    fn manner(&self) -> &'static str {
        "loaned samples, receivers spin (then yield): publish-subscribe has no wake-up"
    }

    fn lacks(&self, _cell: &Cell) -> Option<&'static str> {
        None
    }

    fn near(&self, job: &Job) -> Outcome<Sample> {
        let node = node(job)?;
        let there = channel(&node, "there", job)?;
        let mut out = publish(&there, job)?;
        if job.cell.shape == Shape::RoundTrip {
            let back = channel(&node, "back", job)?;
            let mut both = Both(out, subscribe(&back)?);
            let fars = Fars::launch(job, String::new())?;
            return drive::ask(&mut both, fars, job);
        }
        // A far end is ready once it subscribed, and the next sample goes to it.
        let fars = Fars::launch(job, String::new())?;
        drive::send_all(&mut out, fars, job)
    }

    fn far(&self, job: &Job) -> Outcome<()> {
        let node = node(job)?;
        let mut input = subscribe(&channel(&node, "there", job)?)?;
        if job.cell.shape == Shape::RoundTrip {
            let back = channel(&node, "back", job)?;
            return drive::answer(&mut Both(publish(&back, job)?, input), job);
        }
        drive::receive_all(&mut input, job)
    }

    fn clean(&self, run: u32) {
        // What is not there need not be removed, and what cannot be removed is somebody else's.
        let _ = fs::remove_dir_all(folder(run));
        let Ok(entries) = fs::read_dir(StdPath::new("/dev/shm")) else {
            return;
        };
        for entry in entries.flatten() {
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(&prefix(run))
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
