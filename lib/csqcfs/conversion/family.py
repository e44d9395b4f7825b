"""The family of quantized activations: where a network has them, and from one member to another.

A *site* is one call of an activation in a network, with a threshold of its own; Algorithm 1, lines 6-11 go from one
member to the next.
"""

from __future__ import annotations

from torch import fx, nn

from ..activations import CEQCFS, CQCFS, CSQCFS, CTQCFS, QCFS, SQCFS, ThresholdActivation
from ..engine.copies import duplicate
from ..engine.errors import InputError, NonpositiveThreshold
from ..engine.folding import refuse_forward, refuse_hooks
from ..engine.modules import require_network
from ..engine.notes import notes

ACTIVATIONS: dict[str, type[ThresholdActivation]] = {
    "qcfs": QCFS,
    "sqcfs": SQCFS,
    "cqcfs": CQCFS,
    "csqcfs": CSQCFS,
    "ctqcfs": CTQCFS,
    "ceqcfs": CEQCFS,
}


def sites(model: nn.Module) -> dict[str, ThresholdActivation]:
    """The quantized activations of ``model`` by name, in the order in which they run."""
    require_network(model)
    if not isinstance(model, fx.GraphModule):
        return {name: m for name, m in model.named_modules() if isinstance(m, ThresholdActivation)}
    called = [node.target for node in model.graph.nodes if node.op == "call_module"]
    modules = {name: model.get_submodule(name) for name in called}
    return {name: m for name, m in modules.items() if isinstance(m, ThresholdActivation)}


def switch(model: fx.GraphModule, activation: str) -> fx.GraphModule:
    """A copy of ``model`` whose sites use another member of the family, computing the same function.

    Raw parameters are set from effective thresholds, so that Softplus starts from its inverse; Algorithm 1,
    line 9 hands the threshold over as the raw parameter, which would change it.

    Raises:
        InputError: unknown activation; no quantized activation; a threshold that is not positive, which
            no activation starts from and Softplus does not reach, or that it does not reach in its type; unknown
            channels; a hook on a site, or another forward there.
    """
    if activation not in ACTIVATIONS:
        raise InputError(f"activation = {activation!r}: expected one of {', '.join(ACTIVATIONS)}")
    kind = ACTIVATIONS[activation]
    model = duplicate(model)
    found = sites(model)
    if not found:
        raise InputError(f"{type(model).__name__} has no quantized activation; call quantize_activations first")
    for name, old in found.items():
        refuse_hooks(name, old, f"replaced by {kind.__name__}")
        refuse_forward(name, old, ThresholdActivation, f"replaced by {kind.__name__}")
        theta = old.threshold.detach()
        if not bool((theta > 0).all()):
            raise NonpositiveThreshold(
                f"threshold {float(theta.min()):.4g} at {name}: expected a positive one, since {activation} starts "
                "from no other; train stage 1 with a higher initial threshold or a lower rate"
            )
        if issubclass(kind, CQCFS):
            if old.channels is None and "example" in notes(model):
                raise InputError(
                    f"{name} has no channels in the example: expected values of [N, channels, ...] there, and not "
                    "features last, as behind a linear layer; keep one threshold for each layer"
                )
            if old.channels is None:
                raise InputError(f"channels of {name} are unknown; pass example=x to quantize_activations")
            new = kind(old.channels, old.L, theta, window=old.window)
        elif old.per_channel:
            raise InputError(f"{name} has {old.channels} thresholds: {activation} holds one for the whole layer")
        else:
            new = kind(old.L, theta, window=old.window, channels=old.channels)  # type: ignore[call-arg]
        reached = new.threshold.detach()
        off = (reached - theta).abs() > 0.1 * theta
        if bool(off.any()):  # more than by rounding: each type has a least one, see `activations.at_least`
            one, other = (float(t.expand_as(off)[off][0]) for t in (theta, reached))
            raise InputError(
                f"threshold {one:.4g} at {name}: expected one that {activation} reaches in {theta.dtype}, where it "
                f"would be {other:.4g}; use float32, or start from a threshold nearer to 1"
            )
        new.bound = old.bound
        new.raw.requires_grad_(old.raw.requires_grad)
        new = new.to(theta).train(old.training)
        for place, module in list(model.named_modules(remove_duplicate=False)):
            if module is old:  # which may stand at several places
                model.set_submodule(place, new)
    return model


def to_channelwise(model: fx.GraphModule, softplus: bool = True) -> fx.GraphModule:
    """Algorithm 1, lines 7-11: a copy with CS-QCFS (Eq. 18), or C-QCFS (Eq. 17) without Softplus.

    Each channel starts at the threshold of its layer, so the copy computes the same function.
    """
    return switch(model, "csqcfs" if softplus else "cqcfs")
