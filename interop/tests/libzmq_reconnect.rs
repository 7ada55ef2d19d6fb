//! One end is killed without a word (SIGKILL) and started again: messages flow again, whole and in order, whoever
//! was killed, whoever listens, and whoever sends.

mod common;

use std::time::Duration;

use common::{LibzmqPeer, libzmq_process, serve_if_child, taipan_process};
use taipan::{Monitor, MonitorKind, SocketKind};
use taipan_interop::{
    Frames, PATIENCE, Peer, PeerOptions, RemotePeer, TaipanPeer, Watchdog, Wire, frames,
    fresh_endpoint,
};

/// Not a test: the body of the child processes of the others.
#[test]
fn libzmq_peer_process() {
    serve_if_child();
}

/// A survivor, and how it learns that its peer is gone.
trait Survivor: Peer {
    fn watch(&mut self);
    fn wait_for_the_loss(&mut self);
}

struct Taipan(TaipanPeer, Option<Monitor>);
struct Libzmq(LibzmqPeer, Option<zmq::Socket>);

macro_rules! delegate {
    ($($name:ident)*) => {$(
        impl Peer for $name {
            fn bind(&mut self, endpoint: &str) -> String { self.0.bind(endpoint) }
            fn connect(&mut self, endpoint: &str) { self.0.connect(endpoint) }
            fn subscribe(&mut self, topic: &[u8]) { self.0.subscribe(topic) }
            fn unsubscribe(&mut self, topic: &[u8]) { self.0.unsubscribe(topic) }
            fn send(&mut self, message: &[Vec<u8>]) -> Result<(), taipan_interop::Refusal> { self.0.send(message) }
            fn recv(&mut self, timeout: Duration) -> Option<Frames> { self.0.recv(timeout) }
        }
    )*};
}
delegate!(Taipan Libzmq);

impl Survivor for Taipan {
    fn watch(&mut self) {
        self.1 = Some(self.0.socket().monitor());
    }

    fn wait_for_the_loss(&mut self) {
        let monitor = self.1.as_mut().expect("watched");
        while !matches!(
            monitor.blocking_recv().expect("an event").kind,
            MonitorKind::Disconnected { .. }
        ) {}
    }
}

impl Survivor for Libzmq {
    fn watch(&mut self) {
        self.0
            .socket
            .monitor("inproc://events", zmq::SocketEvent::DISCONNECTED as i32)
            .expect("a monitor");
        let events = self.0.context.socket(zmq::PAIR).expect("a socket");
        events.connect("inproc://events").expect("connected");
        events
            .set_rcvtimeo(PATIENCE.as_millis() as i32)
            .expect("a timeout");
        self.1 = Some(events);
    }

    fn wait_for_the_loss(&mut self) {
        let event = self
            .1
            .as_ref()
            .expect("watched")
            .recv_multipart(0)
            .expect("an event");
        assert_eq!(
            u16::from_ne_bytes([event[0][0], event[0][1]]),
            zmq::SocketEvent::DISCONNECTED.to_raw()
        );
    }
}

/// Which of the two implementations survives; the other one is killed.
#[derive(Clone, Copy, Debug)]
enum Survives {
    Taipan,
    Libzmq,
}

impl Survives {
    const ALL: [Survives; 2] = [Survives::Taipan, Survives::Libzmq];

    fn survivor(self, options: &PeerOptions) -> Box<dyn Survivor> {
        let mut survivor: Box<dyn Survivor> = match self {
            Survives::Taipan => Box::new(Taipan(TaipanPeer::new(options), None)),
            Survives::Libzmq => Box::new(Libzmq(LibzmqPeer::new(options), None)),
        };
        survivor.watch();
        survivor
    }

    fn victim(self, options: &PeerOptions) -> RemotePeer {
        match self {
            Survives::Taipan => libzmq_process(options),
            Survives::Libzmq => taipan_process(options),
        }
    }
}

const LIVES: usize = 3;
const COUNT: usize = 100;

fn message(life: usize, number: usize) -> Frames {
    frames([format!("life {life}"), format!("message {number}")])
}

/// A pipeline whose other end is killed and started again.
fn pipeline(survives: Survives, survivor_sends: bool, survivor_binds: bool, wire: Wire) {
    let (push, pull) = (
        PeerOptions::new(SocketKind::Push),
        PeerOptions::new(SocketKind::Pull),
    );
    let (ours, theirs) = if survivor_sends {
        (push, pull)
    } else {
        (pull, push)
    };
    let mut survivor = survives.survivor(&ours);
    let mut endpoint = fresh_endpoint(wire);
    if survivor_binds {
        endpoint = survivor.bind(&endpoint);
    }
    for life in 0..LIVES {
        let queue = |survivor: &mut dyn Survivor| {
            (0..COUNT).for_each(|number| assert_eq!(survivor.send(&message(life, number)), Ok(())));
        };
        // The end that connects keeps a queue for a peer that is gone; it is filled before the peer is back.
        let queued = survivor_sends && !survivor_binds && life > 0;
        if queued {
            queue(survivor.as_mut());
        }
        let mut victim = survives.victim(&theirs);
        if survivor_binds {
            victim.connect(&endpoint);
        } else {
            endpoint = victim.bind(&endpoint);
            if life == 0 {
                survivor.connect(&endpoint);
            }
        }
        if survivor_sends {
            if !queued {
                queue(survivor.as_mut());
            }
            for number in 0..COUNT {
                assert_eq!(
                    victim.recv(PATIENCE),
                    Some(message(life, number)),
                    "{survives:?}"
                );
            }
        } else {
            (0..COUNT).for_each(|number| assert_eq!(victim.send(&message(life, number)), Ok(())));
            for number in 0..COUNT {
                assert_eq!(
                    survivor.recv(PATIENCE),
                    Some(message(life, number)),
                    "{survives:?}"
                );
            }
        }
        victim.kill();
        survivor.wait_for_the_loss();
    }
}

fn pipelines(survives: Survives, survivor_sends: bool) {
    let _watchdog = Watchdog::for_test();
    for wire in Wire::ALL {
        for survivor_binds in [true, false] {
            pipeline(survives, survivor_sends, survivor_binds, wire);
        }
    }
}

#[test]
fn taipan_goes_on_sending_when_libzmq_was_killed() {
    pipelines(Survives::Taipan, true);
}

#[test]
fn taipan_goes_on_receiving_when_libzmq_was_killed() {
    pipelines(Survives::Taipan, false);
}

#[test]
fn libzmq_goes_on_sending_when_taipan_was_killed() {
    pipelines(Survives::Libzmq, true);
}

#[test]
fn libzmq_goes_on_receiving_when_taipan_was_killed() {
    pipelines(Survives::Libzmq, false);
}

/// A subscriber tells its topics to every new life of the publisher.
#[test]
fn subscriptions_are_told_again() {
    let _watchdog = Watchdog::for_test();
    for survives in Survives::ALL {
        for survivor_binds in [true, false] {
            let mut sub = survives.survivor(&PeerOptions::new(SocketKind::Sub));
            sub.subscribe(b"one");
            sub.subscribe(b"two");
            sub.unsubscribe(b"one");
            let mut endpoint = fresh_endpoint(Wire::Tcp);
            if survivor_binds {
                endpoint = sub.bind(&endpoint);
            }
            for life in 0..LIVES {
                let mut xpub = survives.victim(&PeerOptions::new(SocketKind::XPub));
                if survivor_binds {
                    xpub.connect(&endpoint);
                } else {
                    endpoint = xpub.bind(&endpoint);
                    if life == 0 {
                        sub.connect(&endpoint);
                    }
                }
                // libzmq tells its subscriptions to those who connect to it only while it is called.
                let mut told = None;
                while told.is_none() {
                    assert_eq!(sub.recv(Duration::ZERO), None, "nothing was sent yet");
                    told = xpub.recv(Duration::from_millis(20));
                }
                assert_eq!(told, Some(frames(["\x01two"])), "{survives:?}");
                assert_eq!(xpub.send(&frames(["one", "never"])), Ok(()));
                assert_eq!(xpub.send(&frames(["two", &life.to_string()])), Ok(()));
                assert_eq!(sub.recv(PATIENCE), Some(frames(["two", &life.to_string()])));
                xpub.kill();
                sub.wait_for_the_loss();
            }
        }
    }
}

/// A dealer that comes back under its name is the one that the router reaches.
#[test]
fn a_routing_id_belongs_to_the_living() {
    let _watchdog = Watchdog::for_test();
    for survives in Survives::ALL {
        let mut router = survives.survivor(&PeerOptions::new(SocketKind::Router));
        let endpoint = router.bind(&fresh_endpoint(Wire::Tcp));
        for life in 0..LIVES {
            let mut dealer = survives.victim(&PeerOptions::named(SocketKind::Dealer, "worker"));
            dealer.connect(&endpoint);
            let life = life.to_string();
            assert_eq!(dealer.send(&frames(["ready", &life])), Ok(()));
            assert_eq!(
                router.recv(PATIENCE),
                Some(frames(["worker", "ready", &life])),
                "{survives:?}"
            );
            assert_eq!(router.send(&frames(["worker", "work", &life])), Ok(()));
            assert_eq!(dealer.recv(PATIENCE), Some(frames(["work", &life])));
            dealer.kill();
            router.wait_for_the_loss();
            // libzmq forgets the name only while it is called to receive, and ignores who comes with it before that.
            while router.send(&frames(["worker", "gone?"])).is_ok() {
                assert_eq!(router.recv(Duration::from_millis(20)), None);
            }
            assert_eq!(router.recv(Duration::from_millis(20)), None);
        }
    }
}

/// A request whose server died is not answered by its next life; a relaxed client asks again.
#[test]
fn a_request_is_asked_again_after_its_server_died() {
    let _watchdog = Watchdog::for_test();
    let mut req = TaipanPeer::with(&PeerOptions::new(SocketKind::Req), |options| {
        (options.req_relaxed, options.req_correlate) = (true, true);
    });
    let mut monitor = req.socket().monitor();
    let mut server = libzmq_process(&PeerOptions::new(SocketKind::Rep));
    let endpoint = server.bind(&fresh_endpoint(Wire::Tcp));
    req.connect(&endpoint);
    assert_eq!(req.send(&frames(["lost"])), Ok(()));
    assert_eq!(server.recv(PATIENCE), Some(frames(["lost"])));
    server.kill();
    while !matches!(
        monitor.blocking_recv().expect("an event").kind,
        MonitorKind::Disconnected { .. }
    ) {}
    let mut server = libzmq_process(&PeerOptions::new(SocketKind::Rep));
    assert_eq!(server.bind(&endpoint), endpoint);
    assert_eq!(req.send(&frames(["again"])), Ok(()));
    assert_eq!(server.recv(PATIENCE), Some(frames(["again"])));
    assert_eq!(server.send(&frames(["answer"])), Ok(()));
    assert_eq!(req.recv(PATIENCE), Some(frames(["answer"])));
}
