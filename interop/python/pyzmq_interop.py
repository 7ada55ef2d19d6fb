"""Every compatible pair of kinds between taipan and pyzmq: either one binds, over tcp and ipc.

Usage: pyzmq_interop.py PATH_OF_TAIPAN_PEER

taipan is a child process that obeys lines on stdin (see interop/src/serve.rs). Content, order and counts are checked;
nothing waits without a limit. Prints one line a failure, and `N passed, N failed` in the end.
"""

import os
import subprocess
import sys
import tempfile
import threading
import traceback

import zmq

PATIENCE_MS = 60_000
BEAT_MS = 20
COUNT = 100
PEERS = {
    "PAIR": ["PAIR"],
    "PUB": ["SUB", "XSUB"],
    "XPUB": ["SUB", "XSUB"],
    "SUB": ["PUB", "XPUB"],
    "XSUB": ["PUB", "XPUB"],
    "REQ": ["REP", "ROUTER"],
    "REP": ["REQ", "DEALER"],
    "DEALER": ["REP", "DEALER", "ROUTER"],
    "ROUTER": ["REQ", "DEALER", "ROUTER"],
    "PUSH": ["PULL"],
    "PULL": ["PUSH"],
}


class Unroutable(Exception):
    """A router has no such peer."""


class Taipan:
    """A socket of taipan in a child process."""

    def __init__(self, program, kind, routing_id):
        self.kind, self.routing_id = kind, routing_id
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.order(f"open {kind} {routing_id.hex()}")

    def ask(self, command):
        self.child.stdin.write(command.encode() + b"\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline().decode().rstrip("\n")
        assert answer, f"taipan has ended after {command[:80]!r}"
        return answer

    def order(self, command):
        answer = self.ask(command)
        assert answer == "ok", (command[:80], answer)

    def bind(self, endpoint):
        return self.ask(f"bind {endpoint}").removeprefix("ok ")

    def connect(self, endpoint):
        self.order(f"connect {endpoint}")

    def subscribe(self, topic):
        self.order(f"subscribe {topic.hex()}")

    def unsubscribe(self, topic):
        self.order(f"unsubscribe {topic.hex()}")

    def send(self, frames):
        answer = self.ask("send " + ",".join(frame.hex() for frame in frames))
        if answer == "unroutable":
            raise Unroutable
        assert answer == "ok", answer

    def recv(self, timeout_ms=PATIENCE_MS):
        answer = self.ask(f"recv {timeout_ms}")
        if answer == "timeout":
            return None
        words = answer.removeprefix("message ")
        return [bytes.fromhex(word) for word in words.split(",")]

    def close(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait(30)


class Pyzmq:
    """A socket of libzmq, as pyzmq has it."""

    def __init__(self, context, kind, routing_id):
        self.kind, self.routing_id = kind, routing_id
        self.socket = context.socket(getattr(zmq, kind))
        self.socket.linger = 0
        self.socket.sndtimeo = PATIENCE_MS
        if routing_id:
            self.socket.setsockopt(zmq.ROUTING_ID, routing_id)
        if kind == "ROUTER":
            self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)

    def bind(self, endpoint):
        self.socket.bind(endpoint)
        return self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def connect(self, endpoint):
        self.socket.connect(endpoint)

    def subscribe(self, topic):
        if self.kind == "XSUB":
            self.socket.send(b"\1" + topic)
        else:
            self.socket.subscribe(topic)

    def unsubscribe(self, topic):
        if self.kind == "XSUB":
            self.socket.send(b"\0" + topic)
        else:
            self.socket.unsubscribe(topic)

    def send(self, frames):
        try:
            self.socket.send_multipart(frames)
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                raise Unroutable from error
            raise

    def recv(self, timeout_ms=PATIENCE_MS):
        if not self.socket.poll(timeout_ms):
            return None
        return self.socket.recv_multipart()

    def close(self):
        self.socket.close()


def same(found, expected):
    """Fails with what came and what had to come, cut to a readable length."""
    assert found == expected, f"{str(found)[:200]} instead of {str(expected)[:200]}"


def sample(series, number):
    """Message of a series: one to four frames, the empty one and the limits of short frames among them."""
    sizes = [0, 255, 256][: number % 4]
    return [f"{series} {number}".encode()] + [bytes([number]) * size for size in sizes]


def stream(sender, receiver, series):
    messages = [sample(series, number) for number in range(COUNT)]
    messages += [[b"frame %d" % frame for frame in range(1000)], [b""], [b"", b""], [bytes(range(256)) * 4096]]
    for message in messages:
        sender.send(message)
    for message in messages:
        same(receiver.recv(), message)


def both_ways(one, other):
    stream(one, other, "there")
    stream(other, one, "back")


def hear(publisher, subscriber):
    """What an XPUB is told; libzmq tells it to those who connect to it only while it is called."""
    for _ in range(3000):
        told = publisher.recv(BEAT_MS)
        if told is not None:
            return told
        same(subscriber.recv(0), None)
    raise AssertionError("no subscription came")


def wait_until_heard(publisher, subscriber, topic):
    if publisher.kind == "XPUB":
        same(hear(publisher, subscriber), [b"\1" + topic])
        return
    for knocks in range(1, 3000):
        publisher.send([topic, b"%d" % knocks])
        heard = subscriber.recv(BEAT_MS)
        if heard is not None:
            break
    for number in range(int(heard[1]), knocks + 1):
        same(heard, [topic, b"%d" % number])
        if number < knocks:
            heard = subscriber.recv()


def publish(publisher, subscriber):
    subscriber.subscribe(b"news")
    wait_until_heard(publisher, subscriber, b"news")
    for number in range(COUNT):
        publisher.send([b"other", b"%d" % number])
        publisher.send(sample("news", number))
    for number in range(COUNT):
        same(subscriber.recv(), sample("news", number))
    subscriber.unsubscribe(b"news")
    if publisher.kind == "XPUB":
        same(hear(publisher, subscriber), [b"\0news"])
    subscriber.subscribe(b"end")
    wait_until_heard(publisher, subscriber, b"end")
    publisher.send([b"news", b"never"])
    publisher.send([b"end", b"last"])
    same(subscriber.recv(), [b"end", b"last"])


def check_routing_id(peer, found):
    if peer.routing_id:
        same(found, peer.routing_id)
    else:
        same((len(found), found[0]), (5, 0))


def ask(req, rep):
    for number in range(COUNT):
        req.send(sample("question", number))
        same(rep.recv(), sample("question", number))
        rep.send(sample("answer", number))
        same(req.recv(), sample("answer", number))


def ask_router(req, router):
    for number in range(COUNT):
        req.send(sample("question", number))
        name, empty, *body = router.recv()
        check_routing_id(req, name)
        same([empty, *body], [b"", *sample("question", number)])
        router.send([name, b"", *sample("answer", number)])
        same(req.recv(), sample("answer", number))


def deal_to_rep(dealer, rep):
    for number in range(COUNT):
        dealer.send([b"trace", b"", *sample("question", number)])
    for number in range(COUNT):
        same(rep.recv(), sample("question", number))
        rep.send(sample("answer", number))
    for number in range(COUNT):
        same(dealer.recv(), [b"trace", b"", *sample("answer", number)])


def deal_to_router(dealer, router):
    for number in range(COUNT):
        dealer.send(sample("question", number))
    for number in range(COUNT):
        name, *body = router.recv()
        check_routing_id(dealer, name)
        same(body, sample("question", number))
        router.send([name, *sample("answer", number)])
    for number in range(COUNT):
        same(dealer.recv(), sample("answer", number))


def route(one, other):
    for _ in range(3000):
        try:
            one.send([other.routing_id, b"hello"])
            break
        except Unroutable:
            same(other.recv(BEAT_MS), None)
    same(other.recv(), [one.routing_id, b"hello"])
    for number in range(COUNT):
        one.send([other.routing_id, *sample("there", number)])
        other.send([one.routing_id, *sample("back", number)])
    for number in range(COUNT):
        same(other.recv(), [one.routing_id, *sample("there", number)])
        same(one.recv(), [other.routing_id, *sample("back", number)])


SCRIPTS = {
    ("PUSH", "PULL"): lambda push, pull: stream(push, pull, "down"),
    ("PAIR", "PAIR"): both_ways,
    ("DEALER", "DEALER"): both_ways,
    ("PUB", "SUB"): publish,
    ("PUB", "XSUB"): publish,
    ("XPUB", "SUB"): publish,
    ("XPUB", "XSUB"): publish,
    ("REQ", "REP"): ask,
    ("REQ", "ROUTER"): ask_router,
    ("DEALER", "REP"): deal_to_rep,
    ("DEALER", "ROUTER"): deal_to_router,
    ("ROUTER", "ROUTER"): route,
}


def exchange(one, other):
    script = SCRIPTS.get((one.kind, other.kind))
    if script:
        script(one, other)
    else:
        SCRIPTS[other.kind, one.kind](other, one)


def meet(program, context, ours, theirs, endpoint, taipan_binds, named):
    names = (b"our end", b"\xff" * 255) if named else (b"", b"")
    taipan = Taipan(program, ours, names[0])
    pyzmq = Pyzmq(context, theirs, names[1])
    # A test that hangs is ended by ending taipan, which every test needs.
    watchdog = threading.Timer(120, taipan.child.kill)
    watchdog.start()
    try:
        if taipan_binds:
            pyzmq.connect(taipan.bind(endpoint))
        else:
            taipan.connect(pyzmq.bind(endpoint))
        exchange(taipan, pyzmq)
    finally:
        watchdog.cancel()
        pyzmq.close()
        taipan.close()


def main():
    program = sys.argv[1]
    print(f"pyzmq {zmq.__version__}, libzmq {zmq.zmq_version()}")
    context = zmq.Context()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for ours, peers in PEERS.items():
            for theirs in peers:
                for wire in ("tcp", "ipc"):
                    for taipan_binds in (True, False):
                        named = (ours, theirs) == ("ROUTER", "ROUTER") or taipan_binds
                        path = os.path.join(folder, str(passed + failed))
                        endpoint = "tcp://127.0.0.1:*" if wire == "tcp" else f"ipc://{path}"
                        try:
                            meet(program, context, ours, theirs, endpoint, taipan_binds, named)
                            passed += 1
                        except Exception:  # Whatever it is, it is a failure of this pair only.
                            failed += 1
                            who = "taipan" if taipan_binds else "pyzmq"
                            print(f"FAILED: {ours} and {theirs} over {wire}, {who} binds")
                            traceback.print_exc()
    context.term()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
