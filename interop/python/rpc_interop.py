"""The Python client and server of examples/python against ours, over tcp and ipc. Usage: rpc_interop.py taipan examples/python"""

import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, sys.argv[2])
from rpc_client import Client  # noqa: E402

TAIPAN, EXAMPLES = sys.argv[1:3]
passed = 0


def check(what, got, expected):
    global passed
    if got != expected:
        sys.exit(f"{what}: {got!r} instead of {expected!r}")
    passed += 1


def taipan(*arguments):
    ended = subprocess.run([TAIPAN, "rpc", *arguments], capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout.strip(), ended.stderr.strip()


def python_calls_taipan(address):
    command = 'python3 -c \'import json, os, sys; print(json.dumps([os.environ["TAIPAN_METHOD"], json.load(sys.stdin)]))\''
    server = subprocess.Popen([TAIPAN, "rpc", "serve", address, "--command", command], stderr=subprocess.PIPE, text=True)
    try:
        line = server.stderr.readline().strip()
        address = line.removeprefix("taipan: listening at ")
        client = Client(address, 60)
        check("echo", client.call("Any.thing", 1, "two", [3.5, None]), ["Any.thing", [1, "two", [3.5, None]]])
        check("health", client.call("taipan.rpc.health"), "ok")
        names = [service["name"] for service in client.call("taipan.rpc.list")]
        check("list", names, ["*", "taipan.rpc"])
        try:
            client.call("taipan.rpc.nothing")
            sys.exit("no failure")
        except RuntimeError as failure:
            check("no such method", failure.args[0][0], 3)
        client.signal("Any.signal", 1)
        check("after a signal", client.call("Any.again"), ["Any.again", []])
    finally:
        server.terminate()
        server.wait()


def taipan_calls_python(address):
    server = subprocess.Popen(
        [sys.executable, os.path.join(EXAMPLES, "rpc_server.py"), address], stdout=subprocess.PIPE, text=True
    )
    try:
        address = server.stdout.readline().strip()
        check("add", taipan("call", address, "Calculator.add", "2", "3"), (0, "5", ""))
        check("join", taipan("call", address, "Calculator.join", '["a","b"]', '"-"'), (0, '"a-b"', ""))
        code, _, words = taipan("call", address, "Calculator.add", "1", '"x"')
        check("an error", (code, "TypeError" in words), (1, True))
        code, _, words = taipan("call", address, "Calculator.divide", "1", "2")
        check("no such method", (code, "no such method" in words), (1, True))
        check("a signal", taipan("call", address, "Calculator.add", "1", "2", "--signal"), (0, "", ""))
    finally:
        server.terminate()
        server.wait()


with tempfile.TemporaryDirectory() as folder:
    for name, address in [("tcp", "tcp://127.0.0.1:*"), ("ipc", f"ipc://{folder}/rpc")]:
        python_calls_taipan(address + ("-a" if name == "ipc" else ""))
        taipan_calls_python(address + ("-b" if name == "ipc" else ""))
print(json.dumps({"rpc": "ok", "passed": passed}))
