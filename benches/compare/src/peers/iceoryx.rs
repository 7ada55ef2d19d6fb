//! iceoryx2, publish-subscribe: samples loaned from shared memory, written and read in place.
//!
//! Its publish-subscribe has no wake-up (events are a service of their own), so the receivers spin; see `spin.rs`.
//! Nothing is dropped: no overflow, and a publisher that retries until delivered. A round trip is two services, and
//! sharing is one for each far end in turn. Its files have a prefix and a folder of this run, which
//! [`Threaded::clean`] removes.

use std::fs;
use std::path::Path as StdPath;

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::port::update_connections::UpdateConnections;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::PortFactory as _;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use super::{About, Part, locked};
use crate::Outcome;
use crate::cells::{Cell, Course, Transport};
use crate::drive::{End, Threaded};
use crate::job::Job;
use crate::payload::{Got, read};
use crate::spin::Spin;

pub struct Iceoryx;

type Channel = PortFactory<ipc::Service, [u8], ()>;
type Out = Publisher<ipc::Service, [u8], ()>;
type In = Subscriber<ipc::Service, [u8], ()>;

pub struct Ports {
    outs: Vec<Out>,
    input: Option<In>,
    turn: usize,
    /// What the far ends publish on, if they do.
    gathers: Option<Channel>,
    _node: Node<ipc::Service>,
}

impl End for Ports {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let out = self.outs.get(self.turn).ok_or("nothing to publish on")?;
        // The compiler makes one fill of it.
        let sample = out.loan_slice_uninit(len)?.write_from_fn(|_| tag);
        sample.send()?;
        self.turn += 1;
        if self.turn == self.outs.len() {
            self.turn = 0;
        }
        Ok(())
    }

    #[inline]
    fn recv(&mut self) -> Outcome<Got> {
        let input = self.input.as_ref().ok_or("this end does not receive")?;
        let mut spin = Spin::new();
        loop {
            if let Some(sample) = input.receive()? {
                return Ok(read(sample.payload()));
            }
            spin.again();
        }
    }

    /// A publisher that fills its buffer before the subscriber knows of it waits for ever.
    fn settle(&mut self, fars: usize) -> Outcome<()> {
        if let (Some(channel), Some(input)) = (&self.gathers, &self.input) {
            let mut spin = Spin::new();
            while channel.dynamic_config().number_of_publishers() < fars {
                spin.again();
            }
            input.update_connections()?;
        }
        Ok(())
    }
}

fn folder(run: u32) -> String {
    format!("/tmp/taipan-compare-{run}")
}

fn prefix(run: u32) -> String {
    format!("taipan-compare-{run}_")
}

/// A node, with everything of it under the run's names.
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
    let (publishers, subscribers) = match job.cell.course() {
        Course::Out => (1, job.cell.far_ends()),
        Course::Gather => (job.cell.far_ends(), 1),
        Course::Share | Course::Ask(_) => (1, 1),
    };
    Ok(node
        .service_builder(&name.as_str().try_into()?)
        .publish_subscribe::<[u8]>()
        .enable_safe_overflow(false)
        .history_size(0)
        .subscriber_max_buffer_size(job.cell.window())
        .subscriber_max_borrowed_samples(1)
        .max_publishers(publishers)
        .max_subscribers(subscribers)
        .max_nodes(publishers + subscribers)
        .open_or_create()?)
}

fn publish(channel: &Channel, job: &Job) -> Outcome<Out> {
    Ok(channel
        .publisher_builder()
        .initial_max_slice_len(job.cell.size)
        .max_loaned_samples(1)
        .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
        .create()?)
}

fn subscribe(channel: &Channel) -> Outcome<In> {
    Ok(channel.subscriber_builder().create()?)
}

impl Threaded for Iceoryx {
    type End = Ports;

    fn about(&self) -> About {
        About {
            id: "iceoryx2".to_owned(),
            version: format!("iceoryx2 {}", locked("iceoryx2")),
            manner: "publish-subscribe, loaned samples, receivers spin (then yield): no wake-up"
                .to_owned(),
            part: Part::Other,
            quick: true,
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        (cell.transport != Transport::Ipc).then_some("measured between processes of one machine")
    }

    fn near(&self, job: &Job) -> Outcome<(Ports, String)> {
        let node = node(job)?;
        let mut ports = Ports {
            outs: Vec::new(),
            input: None,
            turn: 0,
            gathers: None,
            _node: node,
        };
        let node = &ports._node;
        match job.cell.course() {
            Course::Share => {
                let names = (0..job.cell.far_ends()).map(|index| index.to_string());
                let outs = names.map(|name| publish(&channel(node, &name, job)?, job));
                ports.outs = outs.collect::<Outcome<_>>()?;
            }
            Course::Gather => {
                let there = channel(node, "there", job)?;
                ports.input = Some(subscribe(&there)?);
                ports.gathers = Some(there);
            }
            course => {
                let there = channel(node, "there", job)?;
                if let Course::Ask(_) = course {
                    ports.input = Some(subscribe(&channel(node, "back", job)?)?);
                }
                ports.outs = vec![publish(&there, job)?];
            }
        }
        Ok((ports, String::new()))
    }

    fn far(&self, job: &Job, index: usize) -> Outcome<Ports> {
        let node = node(job)?;
        let (out, input) = match job.cell.course() {
            Course::Out => (None, Some("there".to_owned())),
            Course::Share => (None, Some(index.to_string())),
            Course::Gather => (Some("there"), None),
            Course::Ask(_) => (Some("back"), Some("there".to_owned())),
        };
        // A far end is ready once it subscribed: the next sample goes to it.
        let outs = out
            .iter()
            .map(|way| publish(&channel(&node, way, job)?, job));
        let outs = outs.collect::<Outcome<_>>()?;
        let input = input.map(|way| subscribe(&channel(&node, &way, job)?));
        Ok(Ports {
            outs,
            input: input.transpose()?,
            turn: 0,
            gathers: None,
            _node: node,
        })
    }

    fn clean(&self, run: u32) {
        // What is not there need not be removed, and what cannot be removed is somebody else's.
        let _ = fs::remove_dir_all(folder(run));
        let Ok(entries) = fs::read_dir(StdPath::new("/dev/shm")) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(&prefix(run)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
