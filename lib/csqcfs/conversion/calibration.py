"""Thresholds from the activations of a trained ReLU network: a start without training, or for a short stage 1.

The paper starts every layer at one constant (4 or 8) and lets training find the rest. A network that is already
trained knows better: each site places its threshold by a rule on the pre-activations z of a few images.

| rule            | threshold                                                                                  |
|-----------------|--------------------------------------------------------------------------------------------|
| "least squares" | argmin of mean (QCFS(z) - ReLU(z))^2, which weighs clipping against steps of theta / L     |
| "99.9%"         | that percentile of ReLU(z), as in SpikingJelly's ann2snn; any percentage                   |
| "max"           | the largest z: nothing is clipped                                                          |
| "balance"       | theta += 2 mean(ReLU(z - theta)) from 0, once for each of 32 parts of the images           |

A clipped ReLU gives min(ReLU(z), bound), so that z counts as the bound above it, and no threshold is larger.

"least squares" knows L and is the one to begin with; the others come from conversion without quantized training. Per
channel or for the layer: *Since the paper* has plain SNNs of both, without training; stage 1 trains one for each layer.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, fx

from ..activations import CQCFS, ThresholdActivation, qcfs
from ..data.images import ImageSet
from ..engine.copies import duplicate
from ..engine.errors import InputError, reason
from ..engine.folding import refuse_forward
from ..engine.memory_format import laid_out
from ..engine.modules import as_model, device_of, modes_kept
from .family import sites, switch
from .images import few

CANDIDATES = 64  # thresholds tried for each site, evenly spaced up to the largest activation
SAMPLE = 1 << 18  # pre-activations of each site that a rule looks at, where it does not need them all
STEPS = 32  # of "balance"
Rule = Callable[[Tensor, int], Tensor]


def calibrate(
    model: fx.GraphModule,
    images: Tensor | tuple[Tensor, ...] | ImageSet | Iterable,
    *,
    per_channel: bool | None = None,
    rule: str = "least squares",
) -> fx.GraphModule:
    """A copy of ``model`` with every threshold placed by one pass of ``images``, layer by layer.

    Each site sees its predecessors already quantized.

    Args:
        model: a trained ReLU network after `quantize_activations`. One that was trained on with QCFS relies on its own
            thresholds, and is lost under others.
        images: normalised images [N, C, H, W], or tokens where the network takes them; or an `ImageSet` or a DataLoader
            of such images, with or without labels, of which 512 are taken (at random from a set, the first ones of a
            loader); or the tuple of inputs of a network that takes several.
        per_channel: a threshold for each channel instead of one for the layer; the network becomes channel-wise
            where it is not. By default one for the layer, which a channel-wise network holds in every channel.
        rule: see above.

    Raises:
        InputError: no quantized activation; unknown channels; an unknown rule; images that are not such, or that
            the network does not take; a site that no image activates, that is called twice, or that has a forward or
            a raw threshold of its own, by name.
    """
    place, whole = _rule(rule)
    found = sites(model)
    if not found:
        raise InputError(f"{type(model).__name__} has no quantized activation; call quantize_activations first")
    for name, site in found.items():
        refuse_forward(name, site, ThresholdActivation, "calibrated as a step function")
    if per_channel and not all(isinstance(site, CQCFS) for site in found.values()):
        model = switch(model, "csqcfs" if next(iter(found.values())).positive else "cqcfs")
    else:
        model = duplicate(model)
    for name, site in sites(model).items():
        if "raw" not in site._parameters:
            raise InputError(
                f"raw of {name} is computed from other tensors, so that no threshold can be placed: expected a "
                "parameter; remove the parametrization or pruning first"
            )
    inputs = few(images, model)
    generator, placed = torch.Generator().manual_seed(0), set()

    def run(*given: Tensor) -> None:
        placed.clear()  # a run may be the second one, see `laid_out`
        model.eval()(*given)

    def set_threshold(name: str, site: ThresholdActivation, z: Tensor) -> None:
        if site in placed:
            raise InputError(
                f"{name} is called twice: expected one call, since each needs a threshold of its own; give each call "
                "an activation of its own, as quantize_activations does for ReLUs"
            )
        placed.add(site)
        z = z.float() if z.dtype in (torch.float16, torch.bfloat16) else z  # squares and quantiles of them overflow
        z = z.clamp_max(site.bound)
        layer = z.flatten() if whole else _sample(z.flatten(), SAMPLE, generator)
        try:
            theta = place(layer, site.L)
        except InputError as error:
            raise InputError(f"{name} has {error}") from error
        if per_channel:
            rows = z.movedim(1, -1).flatten(0, -2)  # [n, C]
            rows = rows if whole else _sample(rows, max(CANDIDATES, SAMPLE // rows.shape[1]), generator)
            active = rows.amax(0) > 0  # any threshold would do for a channel that nothing activates
            theta = theta.expand(rows.shape[1]).clone()
            theta[active] = place(rows[:, active], site.L)
        theta = theta.clamp_max(site.bound)  # "balance" may step over it
        site.raw.copy_(site.to_raw(theta).expand_as(site.raw))
        wrong = ~((site.threshold > 0) & site.threshold.isfinite())
        if bool(wrong.any()):
            value = float(theta.expand_as(wrong)[wrong][0])
            raise InputError(
                f"{name} has a threshold of {value:.4g}: expected a finite value above 0 in {site.raw.dtype}; "
                "calibrate the network in float32"
            )

    handles = [
        site.register_forward_pre_hook(lambda site, inputs, name=name: set_threshold(name, site, inputs[0]))
        for name, site in sites(model).items()
    ]
    try:
        with modes_kept(model), torch.no_grad():
            given = [as_model(model, x) if x.is_floating_point() else x.to(device_of(model)) for x in inputs]
            laid_out(run)(given[0]) if len(given) == 1 else run(*given)
    except InputError:
        raise
    except Exception as error:
        shapes = ", ".join(f"{list(x.shape)} and type {x.dtype}" for x in inputs)
        raise InputError(
            f"the network does not run on images of shape {shapes} ({reason(error)}): expected a batch of its inputs, "
            "normalised images as floats where it takes images; an ImageSet normalises"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return model


def nearest_threshold(z: Tensor, L: int) -> Tensor:
    """The threshold of least mean square of QCFS(z) - ReLU(z), on a grid up to the largest ``z``.

    ``z`` is [n] for one threshold [], or [n, C] for one of each channel, [C].

    Raises:
        InputError: no pre-activation above 0, so that any threshold would do.
    """
    largest = _largest(z)
    grid = largest * torch.arange(1, CANDIDATES + 1, device=z.device).view(-1, *[1] * largest.dim()) / CANDIDATES
    target = z.clamp_min(0)
    best = torch.stack([(qcfs(z, theta, L) - target).square().mean(0) for theta in grid]).argmin(0)
    return grid.gather(0, best[None])[0]


def _largest(z: Tensor, L: int = 1) -> Tensor:
    largest = z.amax(0)
    if not bool((largest > 0).all()):
        raise InputError("no pre-activation above 0: expected some to place a threshold; train the network first")
    return largest


def _balanced(z: Tensor, L: int) -> Tensor:
    """Local threshold balancing; a later image counts as much as an early one."""
    theta = torch.zeros_like(_largest(z))
    for part in itertools.islice(itertools.cycle(z.tensor_split(min(STEPS, len(z)))), STEPS):
        theta = theta + 2 * (part - theta).clamp_min(0).mean(0)
    return theta


def _rule(rule: str) -> tuple[Rule, bool]:
    """The function of a rule, and whether it needs all pre-activations in the order of the images.

    Raises:
        InputError: there is none.
    """
    known: dict[str, tuple[Rule, bool]] = {
        "least squares": (nearest_threshold, False),
        "max": (_largest, True),
        "balance": (_balanced, True),
    }
    if rule in known:
        return known[rule]
    try:
        share = float(rule.removesuffix("%")) / 100 if rule.endswith("%") else -1.0
    except (AttributeError, ValueError):
        share = -1.0
    if not 0 < share <= 1:
        raise InputError(f'rule = {rule!r}: expected one of {", ".join(known)}, or a percentile such as "99.9%"')

    def percentile(z: Tensor, L: int) -> Tensor:
        """Of the largest where that many activations are 0."""
        largest, found = _largest(z), z.clamp_min(0).quantile(share, 0)
        return torch.where(found > 0, found, largest)

    return percentile, False


def _sample(z: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """``count`` entries at random: an even stride would divide the width of the maps and see their border alone."""
    if len(z) <= count:
        return z
    return z[torch.randint(len(z), (count,), generator=generator, device="cpu").to(z.device)]
