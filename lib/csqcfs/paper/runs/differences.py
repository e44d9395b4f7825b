"""What a run on this machine gave otherwise than the reference records of the repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...engine import paths
from ..experiments import profiles, registry
from ..experiments.configs import Run
from ..names import count
from . import records, results

SHOWN = 3  # numbers of a run
# Results of the demo equal to the reference, which is of an EPYC without AVX-512: of an EPYC with it 4 of 91, with
# these variables 93 of 93; of an Intel Xeon (Skylake) with them 4 of 93.
ROUNDING = (
    "  Training magnifies rounding, which follows the processor and PyTorch's version. An AMD EPYC with AVX-512 rounds "
    "as the reference did with ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 in its environment; an Intel Xeon "
    "does not."
)


def differences(profile: str, most: int = 10) -> list[str]:
    """Lines to read: how many of this machine's records equal their reference, then those that do not, and why.

    Runs whose accuracy differs most come first, ``most`` of them; empty where no record of this machine has a
    reference. Records of times are left out.

    Raises:
        InputError: an unknown profile, or a damaged record.
    """
    chosen = profiles.get(profile)
    runs = dict.fromkeys(run for a in registry.ARTEFACTS for run in a.runs(chosen, chosen.seeds))
    found: dict[Run, Mapping[str, tuple[Any, Any]]] = {}
    for run in runs:
        reference = paths.reference_records(profile) / f"{run.name}.json"
        if run.kind not in results.TIMED and reference.exists() and (mine := records.here(run)) is not None:
            found[run] = results.different(run.kind, mine.metrics, records.read(reference, run).metrics)
    if not found:
        return []
    differ = sorted((run for run in found if found[run]), key=lambda run: _size(found[run]), reverse=True)
    lines = [
        f"{len(found) - len(differ)} of {count(len(found), 'result')} equal to the repository's reference ({profile})"
    ]
    lines += [f"  {run}: {_shown(found[run])}" for run in differ[:most]]
    if len(differ) > most:
        lines.append(f"  and {len(differ) - most} more that differ less")
    return [*lines, ROUNDING] if differ else lines


def _accuracies(gaps: Mapping[str, tuple[Any, Any]]) -> dict[str, float]:
    """Absolute differences of accuracies in percentage points."""
    return {
        name: abs(mine - theirs)
        for name, (mine, theirs) in gaps.items()
        if name.partition(".")[0] in ("ann", "snn") and None not in (mine, theirs)
    }


def _size(gaps: Mapping[str, tuple[Any, Any]]) -> tuple[float, int]:
    return max(_accuracies(gaps).values(), default=0.0), len(gaps)


def _shown(gaps: Mapping[str, tuple[Any, Any]]) -> str:
    """The largest differences of accuracies, else the first numbers that differ, and how many there are."""
    accuracies = _accuracies(gaps)
    names = sorted(accuracies, key=accuracies.get, reverse=True)[:SHOWN] or list(gaps)[:SHOWN]
    text = ", ".join(f"{_name(name)} {_text(gaps[name][0])} here, {_text(gaps[name][1])} there" for name in names)
    return text + (f"; {len(gaps)} numbers differ" if len(gaps) > len(names) else "")


def _name(name: str) -> str:
    """As a table calls it: "snn.1" is T = 1."""
    first, _, rest = name.partition(".")
    return {"ann": "ANN", "snn": f"T = {rest}"}.get(first, name)


def _text(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
