"""What needs a process of its own: peak memory of a large simulation, and the time of the import."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from ..paths import REPOSITORY
from .epoch import quartiles
from .turns import Line, line, once

SIMULATE = """
import json, resource, sys, time, torch
from csqcfs import snn
from csqcfs.bench.simulation import networks
name, steps, number, compared = sys.argv[1], *map(int, sys.argv[2:])
_, network, _ = networks(name)
x = torch.randn(number, 3, 32, 32)
network(x, steps)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seconds = {"default": [], "larger": []}
default = snn.PIECE
for _ in range(4):
    for key, factor in (("default", 1), ("larger", 4)):
        snn.PIECE = factor * default
        begin = time.perf_counter()
        network(x[:compared], steps)
        seconds[key].append(time.perf_counter() - begin)
print(json.dumps([peak, {key: values[1:] for key, values in seconds.items()}]))
"""


def child(code: str, *arguments: str) -> str:
    """Last line that ``code`` prints in a new Python."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=REPOSITORY / "lib", check=True,
                          capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1]


def memory(quick: bool) -> list[Line]:
    """Peak memory of the whole process, Python and weights included, and whether larger pieces are faster."""
    name, steps, number, compared = ("resnet20", 2, 8, 8) if quick else ("vgg16", 32, 1000, 32)
    peak, seconds = json.loads(child(SIMULATE, name, str(steps), str(number), str(compared)))
    peak *= 1 if sys.platform == "darwin" else 1024
    return [
        Line("peak memory of a simulation", f"{name}, T = {steps}, {number} images", once(peak / 2**30), 2,
             unit="GiB"),
        line("simulation: default pieces / pieces four times as large", f"{name}, T = {steps}, {compared} images",
             seconds, "default", "larger", 1.0),
    ]


def imported(quick: bool) -> list[Line]:
    """Seconds of a new Python that imports csqcfs."""
    values = []
    for _ in range(2 if quick else 5):
        begin = time.perf_counter()
        child("import csqcfs; print()\nprint('done')")
        values.append(time.perf_counter() - begin)
    return [Line("import csqcfs, in a new Python", "", quartiles(values), 3, unit="s")]
