"""A network is tried in both modes before anything of it changes; what it cannot do is one line."""

from __future__ import annotations

import pytest
import torch
from csqcfs import ImageSet, evaluate, fit
from csqcfs.engine.errors import InputError
from csqcfs.training.trial import check_training
from torch import nn

IMAGES = ImageSet(
    torch.randint(256, (12, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)),
    torch.arange(12) % 4,
    tuple("abcd"),
    (0.5,) * 3,
    (0.2,) * 3,
)
SETTINGS = {"epochs": 1, "batch_size": 6, "augment": None, "progress": False}


class Net(nn.Module):
    """A network that does ``other`` with its maps in training mode."""

    def __init__(self, other=None):
        super().__init__()
        self.conv, self.norm, self.drop, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Linear(4, 4)
        self.other = other

    def forward(self, x):
        h = self.norm(self.conv(x))
        return self.other(self, h) if self.other and self.training else self.head(h)

    def head(self, h):
        return self.fc(self.drop(torch.relu(h).mean((2, 3))))


def fails(self, h):
    raise KeyError("targets")


def unreached(self, h):
    with torch.no_grad():
        return self.head(h)


def overwritten(self, h):
    h = h.exp()
    out = self.head(h)
    h.zero_()
    return out


UNUSUAL = {
    "two results": (lambda self, h: (self.head(h),) * 2, "gives a tuple: expected one tensor of logits"),
    "by name": (lambda self, h: {"logits": self.head(h)}, "gives a dict: expected one tensor of logits"),
    "fewer classes": (lambda self, h: self.head(h)[:, :2], r"gives an output of shape \[6, 2\] and labels go up to 3"),
    "maps": (lambda self, h: h, r"gives an output of shape \[6, 4, 6, 6\]"),
    "one row": (lambda self, h: self.head(h)[:1], "gives 1 rows of logits for 6 images: expected one for each"),
    "an error": (fails, r"does not run on images of shape \[3, 8, 8\] \('targets'\); fit calls it with images alone"),
    "no gradient": (unreached, "gives logits without a gradient"),
    "decisions": (lambda self, h: self.head(h).argsort(1), "gives logits without a gradient"),
    "probabilities": (lambda self, h: self.head(h).softmax(1), "gives probabilities: expected logits"),
    "overwritten": (overwritten, "does not run on images of shape .*modified by an inplace operation"),
    "complex": (lambda self, h: torch.fft.fft(self.head(h)), "gives an output of torch.complex64: expected real"),
    "sparse": (lambda self, h: self.head(h).to_sparse(), "of layout torch.sparse_coo: expected a dense tensor"),
}


def state(model: nn.Module) -> list:
    tensors = [*model.parameters(), *model.buffers()]
    return [[m.training for m in model.modules()], [t.stride() for t in tensors], [id(t) for t in tensors]]


@pytest.mark.parametrize("name", UNUSUAL)
@pytest.mark.parametrize("training", [True, False])
def test_what_a_network_does_in_training_alone_is_tried_first(name, training):
    other, words = UNUSUAL[name]
    model = Net(other).train(training)
    model.fc.weight.grad = gradient = torch.ones(4, 4)
    before, values = state(model), [t.clone() for t in model.state_dict().values()]
    random = torch.get_rng_state()
    with pytest.raises(InputError, match=f"Net in training mode .*{words}") as caught:
        fit(model, IMAGES, **SETTINGS)
    assert "\n" not in str(caught.value)
    assert state(model) == before and all(map(torch.equal, model.state_dict().values(), values))
    assert model.fc.weight.grad is gradient and bool((gradient == 1).all()) and model.conv.weight.grad is None
    assert torch.equal(torch.get_rng_state(), random)


def renewed(self, h):
    """Makes buffers anew and in place, of another shape too, and clips a weight: all of that is undone."""
    self.mean = self.mean + h.detach().mean((0, 2, 3))
    self.seen.resize_(len(h)).fill_(1)
    self.fc.weight.data.clamp_(-0.01, 0.01)
    return self.head(h)


def test_a_trial_leaves_no_trace():
    model = Net(renewed)
    model.register_buffer("mean", torch.full((4,), torch.nan))
    model.register_buffer("seen", torch.zeros(2))
    model.register_buffer("wide", torch.ones(1).expand(8))
    before, values = state(model), [t.clone() for t in model.state_dict().values()]
    check_training(model, IMAGES, 6, "float32", torch.channels_last)
    assert state(model) == before and int(model.norm.num_batches_tracked) == 0
    for value, old in zip(model.state_dict().values(), values):
        torch.testing.assert_close(value, old, rtol=0, atol=0, equal_nan=True)
    assert all(p.grad is None for p in model.parameters())


def test_a_lack_of_memory_is_not_the_networks_fault():
    def large(self, h):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes")

    with pytest.raises(RuntimeError, match="^DefaultCPUAllocator"):
        fit(Net(large), IMAGES, **SETTINGS)


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda net: torch.compile(net, backend="eager"), torch.jit.script])
def test_networks_in_wrappers_train_as_those_inside(wrap):
    losses = []
    for outer in (wrap, nn.Identity):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4))
        model = outer(net) if outer is wrap else net
        losses.append(fit(model, IMAGES, **SETTINGS)[0]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda out: torch.fft.fft(out), "^Odd gives an output of torch.complex64: expected real numbers"),
        (lambda out: out > 0, "^Odd gives an output of torch.bool: expected real numbers"),
        (lambda out: out.to("meta"), "^the output of Odd on the device meta"),
        (
            lambda out: {}["logits"],
            r"^Odd does not run on images of shape \[3, 8, 8\] \('logits'\); build it for these",
        ),
        (lambda out: out.logits, "^Odd does not run on images .*has no attribute 'logits'"),
        (lambda out: torch._assert(len(out) == 0, "none"), r"^Odd does not run on images .*\(none\)"),
    ],
)
def test_what_is_no_score_in_evaluation_is_one_line(end, words):
    class Odd(Net):
        def forward(self, x):
            return end(super().forward(x))

    for call in (evaluate, lambda model, images: fit(model, images, **SETTINGS)):
        with pytest.raises(InputError, match=words) as caught:
            call(Odd(), IMAGES)
        assert "\n" not in str(caught.value)
