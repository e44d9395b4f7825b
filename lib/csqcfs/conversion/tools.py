"""What a plain SNN must be for other tools, and what its neurons do that NIR's IF does not say."""

from __future__ import annotations

from torch import fx

from ..engine import layers
from ..engine.errors import InputError
from ..engine.folding import refuse_hooks
from ..methods import Plain
from .snn import SNN
from .spiking import neurons_of

STATED = {
    "neuron": "IF, soft reset: v = v - 1 after a spike",
    "comparison": "v >= v_threshold",
    "v0": "0.5",
    "dt": "1",
    "output": "mean over steps 1..t",
    "pooling": "zeros of the padding count",
}


def require_plain(snn: SNN, tool: str) -> None:
    """Refuse what another tool's neurons do not do.

    Raises:
        InputError: no SNN, another method, several inputs or outputs, a softmax at its end, a threshold <= 0, a hook on
            neurons or the whole.
    """
    if not isinstance(snn, SNN):
        raise InputError(f"a {type(snn).__name__}: expected the SNN that csqcfs.convert makes")
    if type(snn.method) is not Plain:  # its subclasses start elsewhere
        raise InputError(f'method "{snn.method.name}" has no counterpart in {tool}: expected "plain"; convert so')
    if snn.end is not None:
        score = next(layers.describe(n, snn.end) for n in snn.end.graph.nodes if layers.is_score(n, snn.end))
        raise InputError(f"{score} at the end has no counterpart in {tool}: leave it out and apply it to the scores")
    nodes = list(snn.graph.graph.nodes)
    if sum(node.op == "placeholder" for node in nodes) != 1 or not isinstance(nodes[-1].args[0], fx.Node):
        raise InputError(f"several inputs or outputs have no counterpart in {tool}: expected one tensor each")
    for name, module in {"the SNN": snn, "its graph": snn.graph, **neurons_of(snn.graph)}.items():
        refuse_hooks(name, module, f"written with neurons of {tool}")
    for name, theta in snn.thresholds.items():
        if not bool((theta > 0).all()):
            raise InputError(f"threshold {float(theta.min()):.4g} of {name}: expected positive ones in {tool}")


def require_nir():
    try:
        import nir
    except ImportError as error:
        raise InputError(f"nir is not there ({error}): pip install nir") from error
    return nir
