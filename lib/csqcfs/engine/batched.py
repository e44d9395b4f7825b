"""A graph run operation by operation, where the batch stays what it is, of whatever size and memory order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

# channels_last images have strides of which a view may not exist
COPYING = {"view": "reshape", "view_as": "reshape_as"}


def copying(target: str, args: tuple, kwargs: dict) -> tuple[str, tuple, dict]:
    """The call of a method that does what ``target`` does in every memory order; a view as another type stays."""
    if target not in COPYING or "dtype" in kwargs or any(isinstance(value, torch.dtype) for value in args):
        return target, args, kwargs
    renamed = {"shape" if name == "size" else name: value for name, value in kwargs.items()}  # view has another word
    return COPYING[target], args, renamed


class Batched(fx.Interpreter):
    """Runs ``graph``; ``squeeze()`` leaves the batch, of one image too, and a view may copy."""

    def __init__(self, graph: fx.GraphModule):
        super().__init__(graph)
        self.extra_traceback = False

    def run(self, *args: Any) -> Any:
        """As `fx.Interpreter.run`, without its progress bar, which takes a lock even where it is not shown: a Ctrl-C
        there leaves it taken, and every other thread waits for ever."""
        self.env, self.args_iter = {}, iter(self.graph.process_inputs(*args))
        for node in self.graph.nodes:
            self.env[node] = self.run_node(node)
            for read in self.user_to_last_uses.get(node, ()):
                del self.env[read]
            if node.op == "output":
                return self.graph.process_outputs(self.env[node])

    def call_function(self, target: Any, args: tuple, kwargs: dict) -> Any:
        if target is torch.squeeze and len(args) == 1 and not kwargs:
            return _squeezed(args[0])
        return super().call_function(target, args, kwargs)

    def call_method(self, target: str, args: tuple, kwargs: dict) -> Any:
        if target == "squeeze" and len(args) == 1 and not kwargs:
            return _squeezed(args[0])
        return super().call_method(*copying(target, args, kwargs))


def _squeezed(x: Tensor) -> Tensor:
    """``x.squeeze()`` that leaves the batch, of one image at one step too."""
    return x.squeeze([d for d in range(1, x.dim()) if x.shape[d] == 1])
