"""What belongs to the whole process stays as the caller has it, with several threads, too."""

from __future__ import annotations

import threading

import csqcfs
import pytest
import torch
from csqcfs.engine.modules import full_float32
from torch import Tensor, nn

X = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """Makes a tensor without a type of its own."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 10)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)) + torch.full((4,), 0.25))


def at_once(*jobs) -> list[BaseException]:
    failed: list[BaseException] = []

    def run(job):
        try:
            job()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not any(thread.is_alive() for thread in threads)
    return failed


def test_images_of_new_sizes_in_several_threads():
    """Each is measured in double precision, which no other thread may notice."""
    snn = csqcfs.convert(csqcfs.quantize_activations(Net(), 4, 1.0, X))
    sizes = range(9, 13)
    wanted = {size: snn(torch.ones(1, 3, size, size), 2) for size in sizes}
    snn = csqcfs.convert(csqcfs.quantize_activations(Net(), 4, 1.0, X))
    found = {}

    def serve(size):
        found[size] = snn(torch.ones(1, 3, size, size), 2)

    assert not at_once(*(lambda size=size: serve(size) for size in sizes))
    assert torch.get_default_dtype() == torch.float32
    assert all(found[size].dtype == torch.float32 and found[size].shape == wanted[size].shape for size in sizes)


def test_networks_are_quantized_in_several_threads():
    before = torch.zeros, Tensor.__dict__.get("repeat")
    assert not at_once(*[lambda: csqcfs.quantize_activations(Net(), 4, 1.0, X)] * 4)
    assert (torch.zeros, Tensor.__dict__.get("repeat")) == before


def test_full_float32_ends_with_the_last_thread(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with full_float32():
        with full_float32():
            pass
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32


def test_a_method_that_the_user_put_on_tensors_stays(monkeypatch):
    def repeat(self, *sizes):
        return torch._C.TensorBase.repeat(self, *sizes)

    monkeypatch.setattr(Tensor, "repeat", repeat, raising=False)
    csqcfs.quantize_activations(Net(), 4, 1.0, X)
    assert Tensor.__dict__["repeat"] is repeat


def test_random_numbers_of_gpus_that_are_not_used_stay(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("seeds every GPU"))
    net, state = Net(), torch.get_rng_state()
    csqcfs.quantize_activations(net, 4, 1.0, X)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_example_that_is_not_finite_is_refused(value):
    """Nothing can be compared with it."""
    example = X.clone()
    example[1, 0, 0, 0] = value
    for use in (csqcfs.quantize_activations, csqcfs.convert):
        with pytest.raises(csqcfs.InputError, match="^example with values that are not finite"):
            use(Net(), example=example)


def test_a_network_keeps_no_more_of_its_example_than_it_needs():
    batch = torch.rand(100, 3, 8, 8)
    (kept,) = csqcfs.quantize_activations(Net(), 4, 1.0, batch).meta["example"]
    assert kept.untyped_storage().nbytes() == 2 * batch[0].nbytes and torch.equal(kept, batch[:2])
