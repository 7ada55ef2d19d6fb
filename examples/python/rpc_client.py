#!/usr/bin/env python3
"""Calls a taipan server with nothing but pyzmq and msgpack: rpc_client.py tcp://127.0.0.1:5555 Calculator.add 2 3"""

import itertools
import json
import sys

import msgpack
import zmq


class Client:
    def __init__(self, address, timeout=10.0):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.rcvtimeo = int(timeout * 1000)
        self.socket.connect(address)
        self.ids = itertools.count()

    def call(self, method, *arguments):
        number = next(self.ids)
        self.socket.send(msgpack.packb([0, number, method, arguments]))
        while True:
            kind, *rest = msgpack.unpackb(self.socket.recv_multipart()[0])
            if kind == 1 and rest[0] == number:
                _, failure, result = rest
                if failure is not None:
                    raise RuntimeError(failure)
                return result

    def signal(self, method, *arguments):
        self.socket.send(msgpack.packb([2, method, arguments]))


if __name__ == "__main__":
    address, method, *arguments = sys.argv[1:]
    print(json.dumps(Client(address).call(method, *map(json.loads, arguments))))
