"""SRP (Hao, Bu, et al. 2023): the residual membrane potential says which neurons should have been silent.

``tau`` steps of the whole network mark the neurons whose membrane potential ends above 1e-3 theta; then all
start again at theta / 2, and in the T steps that count the output of unmarked neurons is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..neurons import along_channels, integrate_and_fire
from .base import Fire, Method, Neurons

RESIDUE = 1e-3  # of theta: a membrane potential above this marks a neuron as active


def residual_mask(v: Tensor, theta: Tensor) -> Tensor:
    """Neurons that may speak: membrane potential ``v`` after ``tau`` steps above 1e-3 theta. Bool, as ``v``."""
    return v / along_channels(theta, v.dim()) > RESIDUE


@dataclass(frozen=True)
class SRP(Method):
    """The steps before are of the whole network at once, so an answer takes tau + T, in every layer and on the clock.

    A mask belongs to one call of a layer: a layer that is called twice has two.
    """

    tau: int = 4

    name = "srp"
    label = "SRP"
    colour = "#CC79A7"
    marker = "v"
    source = "Hao et al., AAAI 2023"
    summary = "τ steps of the whole network first find the neurons that should be silent"

    @property
    def presteps(self) -> int:
        return self.tau

    def neurons(self, work: int) -> tuple[Fire, Fire]:
        masks: dict[str, Tensor] = {}

        def look(site: str, x: Tensor, plus: Tensor | None, layer: Neurons) -> Tensor:
            out, v = integrate_and_fire(x, layer.threshold, None, plus, work)
            masks[site] = residual_mask(v, layer.threshold)
            return out

        def answer(site: str, x: Tensor, plus: Tensor | None, layer: Neurons) -> Tensor:
            return integrate_and_fire(x, layer.threshold, None, plus, work)[0].mul_(masks[site])

        return look, answer
