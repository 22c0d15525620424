"""Where the time of a request goes: `python -m benchmarks.where guest`.

py-spy looks at the server's stacks 400 times a second while wrk asks. Each look counts for whoever
is innermost of those that are told apart; what the standard library does, for who asked it to.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from benchmarks import loads
from benchmarks.cpu import tree_seconds
from benchmarks.kinds import PEERS, kinds
from benchmarks.servers import Server, started
from benchmarks.world import make_world
from benchmarks.wrk import Shot, fire

LOADS: Final[Mapping[str, Callable[[Server, int], Shot]]] = {
    "config": loads.config_200,
    "guest": loads.guest,
    "user-token": loads.user_token,
    "exchange": loads.exchange,
    "refresh": loads.refresh,
}
PARTS: Final = (
    ("dispatcher.send ", "the kernel: send"),
    ("dispatcher.recv ", "the kernel: receive"),
    ("ECAlgorithm.sign ", "the signature (OpenSSL)"),
    ("ECAlgorithm.verify ", "verifying a signature (OpenSSL)"),
    ("(waitress/", "waitress: parse, environ, header"),
    ("(werkzeug/", "Flask and werkzeug"),
    ("(flask/", "Flask and werkzeug"),
    ("(flask_cors/", "flask-cors"),
    ("(limits/", "rate limits"),
    ("(kataven_flask/throttle", "rate limits"),
    ("(kataven_flask/windows", "rate limits"),
    ("(jwt/", "tokens: claims, JSON, base64, HMAC"),
    ("(itsdangerous/", "tokens: claims, JSON, base64, HMAC"),
    ("(kataven_flask/tokens", "tokens: claims, JSON, base64, HMAC"),
    ("(kataven_flask/signing", "tokens: claims, JSON, base64, HMAC"),
    ("(kataven_flask/store/", "the state store"),
    ("(kataven_flask/channels", "waitress: parse, environ, header"),
    ("(kataven_flask/api", "reading the request, writing the answer"),
    ("(kataven_flask/answers", "reading the request, writing the answer"),
    ("(kataven_flask/cors", "reading the request, writing the answer"),
    ("(kataven_flask/incoming", "reading the request, writing the answer"),
    ("(kataven_flask/body", "reading the request, writing the answer"),
    ("(kataven_flask/", "the checks and the session"),
)
"""How a frame looks, and what it is counted as; the first that fits."""
_WAITING: Final = "wait (threading"
_FRAMES_BELOW: Final = "poll2 (waitress"


def shares(stacks: Iterable[str]) -> dict[str, float]:
    """Tell which share of the time each part took.

    Args:
        stacks: Lines of py-spy's raw format: frames from the outermost on, and a count.

    Returns:
        The shares, the largest first; they add up to 1.
    """
    counts: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        # Only requests: threads that wait, or that watch files, are no part of them.
        if _FRAMES_BELOW in stack and _WAITING not in stack:
            counts[_part(stack.split(";"))] += int(count)
    total = counts.total()
    return {name: count / total for name, count in counts.most_common()}


def _part(frames: list[str]) -> str:
    for frame in reversed(frames):
        for mark, name in PARTS:
            if mark in frame:
                return name
    return "Python itself"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.where", description=__doc__)
    parser.add_argument("load", choices=LOADS, nargs="?", default="guest")
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        kind = next(k for k in kinds(make_world(folder), 4, "") if k.name == "kataven-flask")
        with started(kind, folder / "server") as server:
            cpu_us, stacks = _sampled(server, LOADS[options.load], options.seconds, folder / "raw")
    print(f"| {options.load}, {cpu_us:.0f} µs of CPU | share | µs |\n|---|--:|--:|")
    for name, share in shares(stacks).items():
        print(f"| {name} | {share:.0%} | {share * cpu_us:.0f} |")


def _sampled(
    server: Server, load: Callable[[Server, int], Shot], seconds: int, raw: Path
) -> tuple[float, list[str]]:
    """Measure what a request takes, then look at it while as much is asked again."""
    before = tree_seconds(server.pid)
    measured = fire(load(server, seconds), seconds)
    cpu_us = (tree_seconds(server.pid) - before) / measured.requests * 1e6
    asking = threading.Thread(target=fire, args=(load(server, seconds + 2), seconds + 2))
    asking.start()
    spy = (PEERS / "py-spy", "record", "--pid", str(server.pid), "--duration", str(seconds))
    how = ("--rate", "400", "--format", "raw", "--output", raw)
    subprocess.run([*spy, *how], check=True, capture_output=True)
    asking.join()
    return cpu_us, raw.read_text().splitlines()


if __name__ == "__main__":
    main()
