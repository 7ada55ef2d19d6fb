#!/usr/bin/env python3
"""Serves taipan clients with nothing but pyzmq and msgpack: rpc_server.py tcp://127.0.0.1:5555"""

import sys

import msgpack
import zmq

METHODS = {
    "Calculator.add": lambda a, b: a + b,
    "Calculator.join": lambda parts, by: by.join(parts),
}


def answer(method, arguments):
    if method not in METHODS:
        return [3, "", method, []], None
    try:
        return None, METHODS[method](*arguments)
    except Exception as error:
        return [1, type(error).__name__, str(error), []], None


def serve(address):
    socket = zmq.Context.instance().socket(zmq.ROUTER)
    socket.bind(address)
    print(socket.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
    while True:
        caller, envelope, *_ = socket.recv_multipart()
        kind, *rest = msgpack.unpackb(envelope)
        if kind == 0:
            number, method, arguments = rest[:3]
            failure, result = answer(method, arguments)
            socket.send_multipart([caller, msgpack.packb([1, number, failure, result])])
        elif kind == 2:
            answer(*rest[:2])


if __name__ == "__main__":
    serve(sys.argv[1])
