"""What the library notes of a network, in its attribute ``meta``: an example, what built it, the file it came from.

A network of one's own may have an attribute of that name, which means nothing here and is left alone.
"""

from __future__ import annotations

import keyword

from torch import fx, nn

from .errors import InputError


class Notes(dict):
    """The library's own, told by its type from anything else that ``meta`` may be."""


def notes(model: nn.Module) -> Notes:
    """What is noted of ``model``; to note more, write into those of a traced network, or use `note`."""
    meta = getattr(model, "meta", None)
    return meta if type(meta) is Notes else Notes()


def note(model: nn.Module, **facts: object) -> None:
    """Note ``facts`` of ``model``, unless ``meta`` is its own."""
    meta = getattr(model, "meta", {})
    if type(meta) is Notes or meta == {}:  # which torch.fx gives to every graph
        model.meta = Notes(notes(model) | facts)


def require_free_names(graph: fx.Graph, name: str) -> None:
    """Refuse parts of the network ``name`` under names that torch.fx, or the Python that it writes, has itself.

    Raises:
        InputError: a layer, parameter or buffer of such a name.
    """
    needed = {*dir(fx.GraphModule(nn.Module(), fx.Graph())), "self"} - {*dir(nn.Module())}
    for node in graph.nodes:
        first, *inner = node.target.split(".") if node.op in ("call_module", "get_attr") else [""]
        for part in (first, *inner):
            if (part == first and part in needed) or keyword.iskeyword(part):
                raise InputError(
                    f"{name} has a part called {part}, a name that the code of its graph needs itself: expected "
                    "another; rename it"
                )
