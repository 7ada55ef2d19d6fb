//! Every compatible pair of kinds, one end taipan and one end libzmq: either one binds, over tcp and ipc.

mod common;

use common::LibzmqPeer;
use taipan::{HandshakeFault, MonitorKind, ProtocolError, SocketKind};
use taipan_interop::{
    End, Peer, PeerOptions, TaipanPeer, Watchdog, Wire, exchange, fresh_endpoint,
};

/// Both bind directions over a wire, with and without routing ids.
fn pair(ours: SocketKind, theirs: SocketKind) {
    let _watchdog = Watchdog::for_test();
    for wire in Wire::ALL {
        for taipan_binds in [true, false] {
            for named in [true, false] {
                // Two routers can only talk if they know a name.
                if named || (ours, theirs) != (SocketKind::Router, SocketKind::Router) {
                    meet(ours, theirs, wire, taipan_binds, named);
                }
            }
        }
    }
}

fn meet(ours: SocketKind, theirs: SocketKind, wire: Wire, taipan_binds: bool, named: bool) {
    // Shown if the test fails.
    println!("{ours} and {theirs}, {wire:?}, taipan binds: {taipan_binds}, named: {named}");
    let [our_name, their_name]: [&[u8]; 2] = if named {
        [b"our end", &[0xFF; 255]]
    } else {
        [b""; 2]
    };
    let mut taipan = TaipanPeer::new(&PeerOptions::named(ours, our_name));
    let mut libzmq = LibzmqPeer::new(&PeerOptions::named(theirs, their_name));
    if taipan_binds {
        let endpoint = taipan.bind(&fresh_endpoint(wire));
        libzmq.connect(&endpoint);
    } else {
        let endpoint = libzmq.bind(&fresh_endpoint(wire));
        taipan.connect(&endpoint);
    }
    exchange(
        End {
            kind: ours,
            routing_id: our_name,
            peer: &mut taipan,
        },
        End {
            kind: theirs,
            routing_id: their_name,
            peer: &mut libzmq,
        },
    );
}

macro_rules! pairs {
    ($($name:ident: $ours:ident $theirs:ident;)*) => {
        const COVERED: &[(SocketKind, SocketKind)] = &[$((SocketKind::$ours, SocketKind::$theirs)),*];
        $(#[test] fn $name() { pair(SocketKind::$ours, SocketKind::$theirs); })*
    };
}

pairs! {
    pair_and_pair: Pair Pair;
    pub_and_sub: Pub Sub;
    pub_and_xsub: Pub XSub;
    xpub_and_sub: XPub Sub;
    xpub_and_xsub: XPub XSub;
    sub_and_pub: Sub Pub;
    sub_and_xpub: Sub XPub;
    xsub_and_pub: XSub Pub;
    xsub_and_xpub: XSub XPub;
    req_and_rep: Req Rep;
    req_and_router: Req Router;
    rep_and_req: Rep Req;
    rep_and_dealer: Rep Dealer;
    dealer_and_rep: Dealer Rep;
    dealer_and_dealer: Dealer Dealer;
    dealer_and_router: Dealer Router;
    router_and_req: Router Req;
    router_and_dealer: Router Dealer;
    router_and_router: Router Router;
    push_and_pull: Push Pull;
    pull_and_push: Pull Push;
}

#[test]
fn no_compatible_pair_is_left_out() {
    for ours in SocketKind::ALL {
        for theirs in SocketKind::ALL {
            let covered = COVERED.contains(&(ours, theirs));
            assert_eq!(covered, ours.accepts(theirs), "{ours} and {theirs}");
        }
    }
}

/// What does not fit together is told apart from what breaks.
#[test]
fn incompatible_kinds_are_refused_with_the_cause() {
    let _watchdog = Watchdog::for_test();
    for (ours, theirs) in [
        (SocketKind::Push, SocketKind::Push),
        (SocketKind::Pub, SocketKind::Pull),
    ] {
        let mut taipan = TaipanPeer::new(&PeerOptions::new(ours));
        let mut monitor = taipan.socket().monitor();
        let mut libzmq = LibzmqPeer::new(&PeerOptions::new(theirs));
        let endpoint = taipan.bind(&fresh_endpoint(Wire::Tcp));
        libzmq.connect(&endpoint);
        let fault = loop {
            if let MonitorKind::HandshakeFailed { fault } =
                monitor.blocking_recv().expect("an event").kind
            {
                break fault;
            }
        };
        let expected = HandshakeFault::Protocol(ProtocolError::IncompatibleSocket {
            ours: ours.name(),
            theirs: theirs.name().into(),
        });
        // libzmq may see it first, and then closes before it has said what it is.
        let closed = HandshakeFault::NoDetail("the peer closed during the handshake".into());
        assert!([expected, closed].contains(&fault), "{fault:?}");
    }
}
