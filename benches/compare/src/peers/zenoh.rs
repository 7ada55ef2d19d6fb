//! zenoh: peers that know each other's endpoints, without scouting, over tcp and its Unix sockets; inproc is one
//! session. Called in threads.
//!
//! It publishes on keys, and that is what all shapes here are made of: a stream is one key, questions and answers are
//! two (as in its own ping), sharing is a key for each far end in turn. Nothing is dropped (congestion control
//! `Block`), and received samples wait in a channel of the window. What asks one at a time is sent at once
//! (`express`); all else zenoh may collect.

use std::net::TcpListener;
use std::sync::OnceLock;

use zenoh::bytes::ZBytes;
use zenoh::handlers::{FifoChannel, FifoChannelHandler};
use zenoh::pubsub::{Publisher, Subscriber};
use zenoh::qos::CongestionControl;
use zenoh::sample::Sample;
use zenoh::{Config, Session, Wait};

use super::{About, Part, files, locked};
use crate::Outcome;
use crate::cells::{Cell, Course, Placement, Transport};
use crate::drive::{End, Threaded};
use crate::job::Job;
use crate::payload::{Got, read};

#[derive(Default)]
pub struct Zenoh {
    /// The one of both ends inproc.
    session: OnceLock<Session>,
}

type Samples = FifoChannelHandler<Sample>;

pub struct Wired {
    _session: Session,
    /// One, or one for each far end.
    out: Vec<Publisher<'static>>,
    next: usize,
    input: Option<Subscriber<Samples>>,
    /// Tells of each far end.
    here: Option<Subscriber<Samples>>,
    /// What tells of this one.
    _token: Option<zenoh::liveliness::LivelinessToken>,
}

impl End for Wired {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let out = self.out.get(self.next).ok_or("this end does not send")?;
        self.next += 1;
        if self.next == self.out.len() {
            self.next = 0;
        }
        out.put(ZBytes::from(vec![tag; len])).wait()
    }

    #[inline]
    fn recv(&mut self) -> Outcome<Got> {
        let input = self.input.as_ref().ok_or("this end does not receive")?;
        let sample = input.recv()?;
        // One slice, unless it came in fragments.
        Ok(read(&sample.payload().to_bytes()))
    }

    fn settle(&mut self, fars: usize) -> Outcome<()> {
        if let Some(here) = &self.here {
            for _ in 0..fars {
                here.recv()?;
            }
        }
        Ok(())
    }
}

/// A session of its own for each end between processes: they listen or connect where they are told, and nowhere else.
fn session(listen: &[&str], connect: &[&str]) -> Outcome<Session> {
    let mut config = Config::default();
    let settings = [
        ("mode", "\"peer\"".to_owned()),
        ("listen/endpoints", serde_json::to_string(listen)?),
        ("connect/endpoints", serde_json::to_string(connect)?),
        ("scouting/multicast/enabled", "false".to_owned()),
        ("scouting/gossip/enabled", "false".to_owned()),
    ];
    for (key, value) in settings {
        config.insert_json5(key, &value)?;
    }
    zenoh::open(config).wait()
}

fn publish(session: &Session, key: String, job: &Job) -> Outcome<Publisher<'static>> {
    let publisher = session
        .declare_publisher(key)
        .congestion_control(CongestionControl::Block)
        .express(job.cell.is_latency());
    publisher.wait()
}

fn subscribe(session: &Session, key: String, job: &Job) -> Outcome<Subscriber<Samples>> {
    let subscriber = session
        .declare_subscriber(key)
        .with(FifoChannel::new(job.cell.window()));
    subscriber.wait()
}

/// What the near end sends, to all or to this far end.
fn there(job: &Job, index: usize) -> String {
    match job.cell.course() {
        Course::Share => format!("{}/there/{index}", job.name()),
        _ => format!("{}/there", job.name()),
    }
}

/// What far ends send.
fn back(job: &Job) -> String {
    format!("{}/back", job.name())
}

impl Zenoh {
    fn session(&self, job: &Job, listen: &[&str], connect: &[&str]) -> Outcome<Session> {
        if job.cell.transport != Transport::Inproc {
            return session(listen, connect);
        }
        if let Some(session) = self.session.get() {
            return Ok(session.clone());
        }
        let session = session(&[], &[])?;
        Ok(self.session.get_or_init(|| session).clone())
    }
}

/// A free port, unless somebody is quicker.
fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Threaded for Zenoh {
    type End = Wired;

    fn about(&self) -> About {
        About {
            id: "zenoh".to_owned(),
            version: format!("zenoh {}", locked("zenoh")),
            manner: "blocking calls on its runtime; asks one at a time with express".to_owned(),
            part: Part::Other,
            quick: true,
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        (cell.placement == Placement::OneThread).then_some("it has threads of its own")
    }

    fn near(&self, job: &Job) -> Outcome<(Wired, String)> {
        let place = match job.cell.transport {
            Transport::Inproc => String::new(),
            Transport::Ipc => format!("unixsock-stream/{}", files::path(job, "socket")?),
            Transport::Tcp => format!("tcp/127.0.0.1:{}", free_port()?),
        };
        let session = self.session(job, &[&place], &[])?;
        let course = job.cell.course();
        let keys = match course {
            Course::Out | Course::Ask(_) => 1,
            Course::Share => job.cell.far_ends(),
            Course::Gather => 0,
        };
        let out = (0..keys).map(|index| publish(&session, there(job, index), job));
        let out = out.collect::<Outcome<_>>()?;
        let input = match course {
            Course::Gather | Course::Ask(_) => Some(subscribe(&session, back(job), job)?),
            Course::Out | Course::Share => None,
        };
        let here = session
            .liveliness()
            .declare_subscriber(format!("{}/here/*", job.name()));
        let here = here.with(FifoChannel::new(job.cell.far_ends())).wait()?;
        let wired = Wired {
            out,
            next: 0,
            input,
            here: Some(here),
            _session: session,
            _token: None,
        };
        Ok((wired, place))
    }

    fn far(&self, job: &Job, index: usize) -> Outcome<Wired> {
        let session = self.session(job, &[], &[&job.place])?;
        let course = job.cell.course();
        let out = match course {
            Course::Gather | Course::Ask(_) => vec![publish(&session, back(job), job)?],
            Course::Out | Course::Share => Vec::new(),
        };
        let input = match course {
            Course::Gather => None,
            _ => Some(subscribe(&session, there(job, index), job)?),
        };
        // Told after what was subscribed to.
        let token = session
            .liveliness()
            .declare_token(format!("{}/here/{index}", job.name()));
        let token = Some(token.wait()?);
        Ok(Wired {
            out,
            next: 0,
            input,
            here: None,
            _session: session,
            _token: token,
        })
    }

    fn clean(&self, run: u32) {
        files::clean(run);
    }
}
