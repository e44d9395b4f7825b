"""Images for `fit` of unusual kinds: each is refused in one line, and the network stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from csqcfs.engine.errors import InputError
from csqcfs.training.inputs import image_set
from csqcfs.training.train import fit
from torch import nn
from torch.utils.data import ChainDataset, DataLoader, Dataset, IterableDataset

PIXELS, LABELS = torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.arange(4)


class Stream(IterableDataset):
    """A stream that knows its length."""

    def __iter__(self):
        return iter(zip(PIXELS, LABELS))

    def __len__(self):
        return 4


class Endless(Dataset):
    """Samples by number, without a length."""

    def __getitem__(self, index):
        return PIXELS[0], 0


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (Stream(), "^images of type Stream: expected an ImageSet, a map-style Dataset, a DataLoader of one"),
        (DataLoader(Stream(), batch_size=2), "^images of type Stream"),
        (DataLoader(ChainDataset([Stream(), Stream()])), "^images of type ChainDataset"),
        (DataLoader(Endless()), "^images of type Endless"),
        (DataLoader(PIXELS), "^images of type Tensor"),
        ({"images": PIXELS, "labels": LABELS}, "^images of type dict: .*columns by name, into one of these"),
        (PIXELS, "^images of type Tensor"),
        ("folder", "^images of type str"),
        ((PIXELS, LABELS.tolist()), "^images of type Tensor and labels of type list: expected two tensors; use"),
        ([PIXELS.numpy(), LABELS], "^images of type ndarray and labels of type Tensor"),
        ((torch.tensor(1), LABELS), r"^images of shape \[\] and labels of shape \[4\]"),
        ((PIXELS, LABELS.to("meta")), "^labels on the device meta"),
        ((PIXELS.float().to_sparse(), LABELS), "^images of layout torch.sparse_coo"),
        ((PIXELS, LABELS - 1), "^label -1 of image 0: .*count the classes from 0"),
        ((PIXELS, LABELS + 1), r"labels go up to 4: expected \[N, 5\] or wider; .*or count labels from 0$"),
    ],
)
def test_images_of_unusual_kinds_are_one_line(given, named):
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    before = model[1].weight.detach().clone()
    with pytest.raises(InputError, match=named) as caught:
        fit(model, given, epochs=1, progress=False)
    assert "\n" not in str(caught.value) and model.training and torch.equal(model[1].weight, before)


def test_names_of_classes_may_be_an_array():
    class Named(Dataset):
        classes = np.array(["a", "b", "c", "d"])

        def __len__(self):
            return 4

        def __getitem__(self, index):
            return PIXELS[index], LABELS[index]

    assert image_set(DataLoader(Named(), batch_size=2)).classes == ("a", "b", "c", "d")
