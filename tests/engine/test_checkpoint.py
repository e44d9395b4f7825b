"""Saved states: exact round trips, damage noticed, no code run."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from csqcfs.engine.checkpoint import fill, load_metadata, load_state, save_state
from csqcfs.engine.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

VALUES = {
    "weight": torch.randn(3, 4, 2, 2).to(memory_format=torch.channels_last),
    "steps": torch.tensor(7),
    "half": torch.randn(5).bfloat16(),
    "mask": torch.tensor([True, False]),
    "empty": torch.zeros(0, 3),
    "odd": torch.tensor([torch.nan, torch.inf, -0.0]),
}


@pytest.fixture
def state(tmp_path):
    return save_state(tmp_path / "state.safetensors", VALUES, {"epoch": 3, "history": [{"loss": 0.1}]})


def test_round_trip_is_exact_for_every_type_and_shape(state):
    tensors, metadata = load_state(state)
    assert tensors.keys() == VALUES.keys()
    for name, value in VALUES.items():
        assert tensors[name].dtype == value.dtype and tensors[name].shape == value.shape
        assert torch.equal(tensors[name].nan_to_num(), value.nan_to_num())
    assert metadata == {"epoch": 3, "history": [{"loss": 0.1}]}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
@settings(max_examples=30, deadline=None)
def test_metadata_round_trip(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("state") / "s.safetensors"
    save_state(path, {"x": torch.ones(1)}, {"value": value})
    assert load_state(path)[1] == {"value": value}


def test_tied_weights_are_saved_under_both_names(tmp_path):
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    save_state(tmp_path / "tied", nn.Sequential(first, second).state_dict(), {})
    tensors, _ = load_state(tmp_path / "tied")
    assert torch.equal(tensors["0.weight"], first.weight) and torch.equal(tensors["1.weight"], first.weight)


def test_a_loaded_state_outlives_its_file(state):
    tensors, _ = load_state(state)
    state.unlink()
    save_state(state, {"weight": torch.zeros(3, 4, 2, 2)}, {})
    assert torch.equal(tensors["weight"], VALUES["weight"])


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated_file_is_refused(state, keep):
    state.write_bytes(state.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"state\.safetensors is truncated.*delete it"):
        load_state(state)


def test_every_flipped_bit_is_noticed(tmp_path):
    path = save_state(tmp_path / "state.safetensors", {"x": torch.arange(3.0), "y": torch.zeros(0)}, {"epoch": [3]})
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        for read in (load_state, load_metadata):
            with pytest.raises(InputError, match="delete it") as caught:
                read(path)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, "3", "null", "{", '{"x": ' + "9" * 5000 + "}", ""])
def test_a_header_with_a_right_checksum_but_odd_json(state, monkeypatch, text):
    monkeypatch.setattr("csqcfs.engine.checkpoint.json.dumps", lambda value: text)
    save_state(state, VALUES, {})
    with pytest.raises(InputError, match="not a checkpoint of this version") as caught:
        load_state(state)
    assert "\n" not in str(caught.value)


def test_a_false_size_takes_no_memory(tmp_path):
    path = tmp_path / "huge"
    with open(path, "wb") as file:
        file.truncate(1 << 40)  # a sparse file of zeros
    with pytest.raises(InputError, match="not a checkpoint"):
        load_state(path)
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    with pytest.raises(InputError, match="not a checkpoint"):
        load_state(path)


def test_names_shapes_types_and_values_are_compared_before_anything_is_set():
    layer = nn.Linear(3, 2)
    good = {name: torch.ones_like(value) for name, value in layer.state_dict().items()}
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    for change, message in (
        ({"weight": torch.ones(3, 2)}, r"^it has weight of shape \[3, 2\] of float32: expected \[2, 3\] of float32"),
        ({"weight": torch.ones(2, 3).half()}, "of float16: expected"),
        ({"more": torch.ones(1)}, "^it has, unlike the network, more"),
        ({"bias": torch.tensor([1, torch.nan])}, "^it has values in bias that are not finite"),
    ):
        with pytest.raises(InputError, match=message):
            fill(layer, good | change, "it")
    with pytest.raises(InputError, match="^it lacks bias"):
        fill(layer, {"weight": good["weight"]}, "it")
    assert all(map(torch.equal, layer.state_dict().values(), before.values()))
    fill(layer, good, "it")
    assert bool((layer.weight == 1).all())


class Twice(nn.Module):
    """Two layers of the same weights, in one of the ways there are."""

    def __init__(self, how: str):
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        if how == "parameters":
            self.b.weight, self.b.bias = self.a.weight, self.a.bias
        elif how == "modules":
            self.b = self.a
        else:
            self.b.weight.data = self.a.weight.data
        self.register_buffer("c", torch.zeros(2))
        self.register_buffer("d", self.c if how == "parameters" else torch.zeros(2))


def test_what_is_tied_in_the_network_and_not_in_the_file_is_untied():
    model, apart = Twice("parameters"), {**nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)}).state_dict()}
    tensors = apart | {"c": torch.ones(2), "d": torch.zeros(2), "b.weight": apart["a.weight"]}
    model.a.bias.requires_grad_(False)
    fill(model, tensors, "the file")
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in model.state_dict().items())
    assert model.a.weight is model.b.weight  # alike in the file, so still one
    assert model.a.bias is not model.b.bias and not model.b.bias.requires_grad
    fill(model, tensors | {"b.bias": apart["a.bias"]}, "the file")  # no way back


@pytest.mark.parametrize("how", ["modules", "memory"])
def test_what_cannot_be_untied_is_refused(how):
    tensors = {key: torch.randn_like(value) for key, value in Twice(how).state_dict().items()}
    with pytest.raises(
        InputError, match="^the file has other values in [ab].(weight|bias) than in a tensor that is the"
    ):
        fill(Twice(how), tensors, "the file")


def test_pickle_is_never_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, ("raise SystemExit('code from a checkpoint ran')",))

    (tmp_path / "raw").write_bytes(pickle.dumps(Trap()))
    torch.save({"model": Trap()}, tmp_path / "torch")
    for name in ("raw", "torch"):
        with pytest.raises(InputError, match="not a checkpoint"):
            load_state(tmp_path / name)


def test_other_safetensors_missing_and_unreadable_files_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"x": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="not a checkpoint"):
        load_state(tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="does not exist"):
        load_state(tmp_path / "nothing")


def test_a_failing_write_keeps_the_old_file(state, monkeypatch):
    before = state.read_bytes()

    def fail(file, content):
        file.open("wb").write(content[:4])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(KeyboardInterrupt):
        save_state(state, VALUES, {})
    assert state.read_bytes() == before and list(state.parent.iterdir()) == [state]


def test_full_disk_and_values_that_are_no_tensors_are_input_errors(state, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="extra is a dict"):
        save_state(state, {"extra": {}}, {})
    with pytest.raises(InputError, match="is not JSON"):
        save_state(state, VALUES, {"extra": torch.ones(1)})
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        save_state(state, VALUES, {})
