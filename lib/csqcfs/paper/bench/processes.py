"""What needs a process of its own: peak memory of a large simulation, and the time of the import."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from ...engine.paths import REPOSITORY
from .epoch import quartiles
from .turns import Line, line, once

SIMULATE = """
import json, sys, time, torch
from csqcfs.conversion import snn
from csqcfs.paper.bench.processes import peak_memory
from csqcfs.paper.bench.simulation import networks
name, steps, number, compared = sys.argv[1], *map(int, sys.argv[2:])
network = networks(name)[1]
x = torch.randn(number, 3, 32, 32)
network(x, steps)
peak = peak_memory()
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
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=REPOSITORY / "lib", check=True, capture_output=True, text=True
    )
    return done.stdout.strip().splitlines()[-1]


def peak_memory() -> int:
    """Largest resident size of this process in bytes.

    Linux hands a parent's ``ru_maxrss`` on to its children; VmHWM belongs to the process itself.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def memory(quick: bool) -> list[Line]:
    """Peak memory of the whole process, Python and weights included, and whether larger pieces are faster."""
    name, steps, number, compared = ("resnet20", 2, 8, 8) if quick else ("vgg16", 32, 1000, 32)
    peak, seconds = json.loads(child(SIMULATE, name, str(steps), str(number), str(compared)))
    return [
        Line("peak memory of a simulation", f"{name}, T = {steps}, {number} images", once(peak / 2**30), 2, unit="GiB"),
        line(
            "simulation: default pieces / pieces four times as large",
            f"{name}, T = {steps}, {compared} images",
            seconds,
            "default",
            "larger",
            1.0,
        ),
    ]


def imported(quick: bool) -> list[Line]:
    """Seconds of a new Python that imports csqcfs."""
    values = []
    for _ in range(2 if quick else 5):
        begin = time.perf_counter()
        child("import csqcfs; print('done')")
        values.append(time.perf_counter() - begin)
    return [Line("import csqcfs, in a new Python", "", quartiles(values), 3, unit="s")]
