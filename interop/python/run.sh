#!/bin/sh
# Runs every compatible pair between taipan and pyzmq, in an environment of its own, and calls in both directions between
# taipan and the Python programs in examples/python.
#
# Usage: interop/python/run.sh [version of pyzmq]
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
venv=$target/pyzmq-venv

cargo build --quiet --manifest-path "$root/Cargo.toml" --package taipan-interop --bin taipan-peer
cargo build --quiet --manifest-path "$root/Cargo.toml" --package taipan-cli
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "pyzmq${1:+==$1}" msgpack
"$venv/bin/python" "$root/interop/python/rpc_interop.py" "$target/debug/taipan" "$root/examples/python"
exec "$venv/bin/python" "$root/interop/python/pyzmq_interop.py" "$target/debug/taipan-peer"
