"""Why a forward cannot be traced, in one line: what it calls that takes no symbolic values, and a remedy."""

from __future__ import annotations

import traceback
from types import CodeType
from typing import Any

from torch import nn

from .errors import InputError, reason

CONTROL_FLOW = "take data-dependent Python control flow out of its forward"
REMEDIES = {  # by what an error says
    "but instead found type": "a function of torch.jit takes no symbolic values; call the Python that it was made from",
    "parameter is not a member": (
        "a lambda or a hook that closes over self calls layers of the original, which no copy has; make it a method"
    ),
    "cannot vmap": "torch.vmap takes no symbolic values; let the function run over dimension 0 itself",
}
FUNCTIONAL_CALL = "torch.func.functional_call takes no symbolic weights; call the operation, as F.linear, with them"


def untraceable(root: nn.Module, error: Exception, place: str, more: str) -> InputError:
    """The error for what ``root`` raised at ``place`` on symbolic values; ``more`` could be done about control flow."""
    frames = [(frame.f_code, frame.f_code.co_filename) for frame, _ in traceback.walk_tb(error.__traceback__)]
    hooks = _hooks(root)
    hook = next((hooks[code] for code, _ in frames if code in hooks), None)
    if hook is not None:
        remedy = (
            f"a hook that only looks must take no values to Python while the network is traced; remove {hook} first"
        )
    elif any(code.co_name == "functional_call" for code, _ in frames):
        remedy = FUNCTIONAL_CALL
    else:
        known = (remedy for sign, remedy in REMEDIES.items() if sign in str(error))
        remedy = next(known, f"{CONTROL_FLOW}{more}")
    where = f" at {place}" if place else ""
    return InputError(f"{type(root).__name__} cannot be traced by torch.fx{where} ({reason(error)}); {remedy}")


def _hooks(root: nn.Module) -> dict[CodeType, str]:
    """By their code what to call the hooks on modules."""
    found: dict[CodeType, str] = {}
    for path, module in root.named_modules():
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values()):
            called: Any = hook if hasattr(hook, "__code__") else type(hook).__call__
            if hasattr(called, "__code__"):
                found[called.__code__] = f"the hook {getattr(hook, '__name__', type(hook).__name__)} on {path}"
    return found
