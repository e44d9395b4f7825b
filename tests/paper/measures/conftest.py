"""A network that was trained for a moment, for all measurements; they leave it as it is."""

from __future__ import annotations

import dataclasses

import pytest
from csqcfs.paper.experiments import profiles, trainings
from csqcfs.paper.experiments.profile import of_the_paper
from csqcfs.paper.measures import kinds

NARROW = {"resnet20": of_the_paper("resnet20", 0.25, like="cifar10", learning_rate=0.1)}
SMALL = dataclasses.replace(profiles.get("demo"), epochs=1, finetune_epochs=1, networks=NARROW)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CSQCFS_HOME", str(tmp_path_factory.mktemp("home")))
        return kinds.Trained(*trainings.train(SMALL.training("cifar10", "resnet20"), progress=False))
