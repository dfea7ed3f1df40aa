"""Ping app of the transport suite: the two functions that know the library. app.py does all the rest.

Both are called in the process's main thread and may take as long as they need: time limits, signals and exit
codes are not their business. They may raise whatever they like; the process then ends with 1.
"""

from __future__ import annotations

from app import Dialing, Listening, main, not_written

# What this version can do, in the words of its row in versions.yaml.
TRANSPORTS = ("tcp",)
SECURE_CHANNELS = ("noise",)
MUXERS = ("yamux",)


@not_written
def listen(task: Listening) -> None:
    """Serve pings to as many dialers as come, and never return.

    1. Build a node with a key of its own that offers `task.stack` and nothing else, with identify and ping.
    2. Listen on `task.ip`, on any free port.
    3. `task.publish("/ip4/<task.reachable_ip>/…/p2p/<own peer id>")`, once.
    4. For every connection `task.negotiated(…)`, with the words the live connection was negotiated to be.
    """


@not_written
def dial(task: Dialing) -> None:
    """Ping the listener at the multiaddr `task.address` once, and report how long it took.

    1. Build a node as above, without listening. Take the time.
    2. Connect to `task.address`; `task.negotiated(…)`.
    3. Open a stream of /ipfs/ping/1.0.0. Take the time, send 32 random bytes, read the same back, take the time.
    4. `task.report(handshake_plus_one_rtt=…, ping_rtt=…)`, in seconds by a monotonic clock.
    """


if __name__ == "__main__":
    main(listen, dial, transports=TRANSPORTS, secure_channels=SECURE_CHANNELS, muxers=MUXERS)
