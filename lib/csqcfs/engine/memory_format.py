"""The memory order of a network's images: channels_last, unless it takes views that such images lack, or oneDNN would
write past its buffers in training.

A CPU trains convolutions in channels_last by up to a quarter faster. But oneDNN (3.12, in PyTorch 2.14.1) writes
past its buffers in the weight gradient of a two-dimensional 1x1 convolution with a stride, fewer than 8 channels
and channels_last input, on x86 processors without AVX-512 (primitive jit_1x1:avx2, backward_weights): the process
dies of a corrupted heap, or goes on with wrong weights. A transposed convolution to fewer than 8 channels is hit
alike. Kernels of other sizes, stride 1, grouped, one- and three-dimensional convolutions, the forward pass, the
gradient of the input and contiguous tensors were tried too, under MALLOC_CHECK_=3, and are not hit.

So a network with such a convolution trains on contiguous images, whatever the processor. Its weights alone do not
decide: channels_last images in front of contiguous weights go on as channels_last. Nor does `Tensor.contiguous`:
images with one channel are contiguous in both senses, and oneDNN goes by their strides.

And ``h.view(len(h), -1)``, the oldest way to flatten, has no view of channels_last maps: PyTorch refuses it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch._prims_common import suggest_memory_format
from torch.nn.modules.conv import _ConvNd
from torch.utils._python_dispatch import TorchDispatchMode

from .errors import InputError
from .modules import modes_kept

NARROW = 8  # channels; oneDNN's vectors of 256 bits hold as many
NO_VIEW = "view size is not compatible"  # PyTorch's message, where a view would have to copy


def laid_out(run: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    """``run`` on images as they come, and on contiguous ones once it has met a view that they lack."""
    contiguous = False

    def call(x: Tensor) -> Any:
        nonlocal contiguous
        if not contiguous:
            try:
                return run(x)
            except RuntimeError as error:
                if NO_VIEW not in str(error):
                    raise
                contiguous = True
        return run(x.clone(memory_format=torch.contiguous_format))

    return call


def training_format(model: nn.Module, x: Tensor) -> torch.memory_format:
    """Lay out the weights of ``model`` for training and return the order for its images, which are like ``x``.

    Images are to be cloned into it. An error leaves the weights as they were.

    Raises:
        InputError: the network itself makes channels_last tensors in front of a convolution that is hit.
    """
    with undone(model):
        return _training_format(model, x)


@contextlib.contextmanager
def undone(model: nn.Module) -> Iterator[None]:
    """An error leaves the weights of ``model`` laid out as they were."""
    before = [(tensor, tensor.data) for tensor in _maps(model)]
    try:
        yield
    except BaseException:
        for tensor, data in before:
            tensor.data = data
        raise


def _training_format(model: nn.Module, x: Tensor) -> torch.memory_format:
    safe = x.device.type != "cpu" or not torch.backends.mkldnn.enabled
    try:
        if not _hit(model, x, torch.channels_last) or safe:
            return torch.channels_last
    except RuntimeError:
        pass  # it takes a view that such images or weights lack; any other error comes again
    if (hit := _hit(model, x, torch.contiguous_format)) and not safe:
        raise InputError(
            f"{type(model).__name__} puts tensors into channels_last in front of a 1x1 convolution of shape {hit[0]} "
            "with a stride, in whose weight gradient oneDNN writes past its buffers: remove that from its forward, or "
            "call torch.backends.mkldnn.set_flags(False) first"
        )
    return torch.contiguous_format


def arrange(model: nn.Module, memory_format: torch.memory_format) -> None:
    """Lay the weights of two-dimensional convolutions out so, those too that `nn.Module.to` leaves as they are.

    Back to contiguous, all that might be such a weight: of a contiguous tensor there is every view.
    """
    for tensor in _maps(model) if memory_format == torch.contiguous_format else of_convolutions(model):
        tensor.data = tensor.data.clone(memory_format=memory_format)


def of_convolutions(model: nn.Module) -> list[Tensor]:
    """Weights of two-dimensional convolutions, and what they are computed from.

    Another tensor of four dimensions may be read by a view, as a filter's by `torch.view_as_complex`.
    """
    return [tensor for layer in model.modules() if isinstance(layer, _ConvNd) for tensor in _maps(layer)]


def _maps(model: nn.Module) -> list[Tensor]:
    return [tensor for tensor in (*model.parameters(), *model.buffers()) if tensor.dim() == 4]


def _hit(model: nn.Module, x: Tensor, memory_format: torch.memory_format) -> list[list[int]]:
    """Weight shapes of the convolutions that are hit, where weights and ``x`` are in this order."""
    arrange(model, memory_format)
    watch = _Watch()
    with modes_kept(model), torch.no_grad(), watch:
        model.eval()(x.clone(memory_format=memory_format))
    return watch.hit


class _Watch(TorchDispatchMode):
    """Notes the convolutions that are called, also those that are no module."""

    def __init__(self):
        super().__init__()
        self.hit: list[list[int]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.convolution.default:
            x, weight, _, stride, *_ = args
            narrow = weight.dim() == 4 and weight.shape[1] < NARROW and weight[0, 0].numel() == 1 and max(stride) > 1
            if narrow and any(suggest_memory_format(tensor) == torch.channels_last for tensor in (x, weight)):
                self.hit.append(list(weight.shape))
        return func(*args, **(kwargs or {}))
