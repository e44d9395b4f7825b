"""Points, fronts and tables of costs on counts made up by hand; the benchmark of training steps."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from csqcfs.engine.errors import InputError
from csqcfs.paper import published
from csqcfs.paper.bench import epoch
from csqcfs.paper.experiments import profiles, registry
from csqcfs.paper.experiments.rows import COMPARED
from csqcfs.paper.pages import costs, index, timing
from csqcfs.paper.pages.costs import Point, front
from csqcfs.paper.plots import costs as plots
from csqcfs.paper.plots import style
from csqcfs.paper.runs.records import RUN, Record
from hypothesis import given
from hypothesis import strategies as st

METHODS = {"plain": 0, "srp": 4, "cos": 4}


def counts(method: str, each: float = 100.0) -> dict:
    presteps = METHODS[method]
    return {
        "method": method,
        "presteps": presteps,
        "T": 32,
        "images": 1,
        "sites": 3,
        "neurons": 10,
        "layers": [
            {"name": "stem", "kind": "analog", "macs": 1000},
            {
                "name": "conv",
                "kind": "spikes",
                "macs": 1000,
                "ac": [each * t for t in range(1, 33)],
                "pre": each * presteps,
            },
        ],
    }


class Shown(SimpleNamespace):
    """A page with the metrics of its rows, of seeds 0, 1, ..."""

    def metrics(self, key):
        return self.rows.get(key, [])

    def results(self, key):
        return [
            Record({"training": {"dataset": "digits", "seed": seed}}, metrics, {}, RUN)
            for seed, metrics in enumerate(self.metrics(key))
            if metrics
        ]


def shown(rows: dict) -> Shown:
    return Shown(rows=rows, profile=profiles.get("demo"))


@pytest.fixture
def latency():
    rows = {}
    for name, (end, method) in COMPARED.items():
        curve = [50.0 + t + len(name) for t in range(1, 33)]
        rows["resnet20", end, method, "snn"] = [{"snn": curve}]
        rows["resnet20", end, method, "operations"] = [counts(method)]
    return shown(rows)


def point(cost: float, accuracy: float) -> Point:
    return Point("qcfs", 1, accuracy, int(cost), int(cost), cost, cost, (accuracy, accuracy), 1)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=30))
def test_the_front_is_what_no_other_beats(pairs):
    candidates = [point(*pair) for pair in pairs]
    best = front(candidates, costs.COSTS["operations"])
    accuracies = [one.accuracy for one in best]
    assert accuracies == sorted(accuracies)  # paying more always brings more
    assert {one.accuracy for one in best} >= {max(one.accuracy for one in candidates)}
    for other in candidates:
        assert other in best or any(one.ac <= other.ac and one.accuracy >= other.accuracy for one in best)


def test_points_count_the_steps_before_the_first(latency):
    first = {name: costs.points(latency, "resnet20", name)[0] for name in COMPARED}
    assert {name: one.latency for name, one in first.items()} == {"qcfs": 1, "csqcfs": 1, "srp": 5, "cos": 8, "ours": 8}
    assert first["ours"].clock == 4 * 3 + 1
    assert {name: one.ac for name, one in first.items()} == {
        "qcfs": 100,
        "csqcfs": 100,
        "srp": 500,
        "cos": 800,
        "ours": 800,
    }
    frame = costs.first_step_frame(latency)
    assert frame.loc[("ResNet-20", "COS"), "plain CS-QCFS in as many steps (%)"] == 50 + 8 + len("csqcfs")
    assert costs.points(latency, "vgg16", "qcfs") == []


def test_seeds_meet_themselves_in_costs_and_differences(latency):
    """The second seed of CS-QCFS has no counts, the first of Table 7's base was refused."""
    key = ("resnet20", "csqcfs", "plain")
    latency.rows[*key, "snn"] = [{"snn": [60.0] * 32}, {"snn": [90.0] * 32}]
    assert {point.accuracy for point in costs.points(latency, "resnet20", "csqcfs")} == {60.0}
    rows = {("resnet50", "qcfs"): [None, counts("plain", 100.0)], ("resnet50", "csqcfs"): [counts("plain", 500.0)] * 2}
    rows["resnet50", "csqcfs"][1] = counts("plain", 110.0)
    row = costs.ours7(shown(rows), "resnet50", "csqcfs", 4)
    energy = {each: 4 * each * 0.9 + 1000 * 4.6 for each in (100, 110)}
    assert row["more than QCFS (%)"] == [pytest.approx(100 * (energy[110] / energy[100] - 1))]


def test_the_first_step_against_as_many_of_plain_has_an_interval(latency):
    for rows in latency.rows.values():
        if "snn" in rows[0]:
            rows[0]["images"] = 1000
    frame = costs.first_step_frame(latency)
    gap = frame.loc[("ResNet-20", "COS"), costs.FIRST_STEP["gap"]]
    assert gap.startswith(f"{51 + len('cos') - 58 - len('csqcfs'):+.2f} ± ")  # at T = 8, without bits here
    assert frame.loc[("ResNet-20", "CS-QCFS"), costs.FIRST_STEP["gap"]] == ""


def test_table7_beside_the_paper():
    page = shown({("resnet50", "qcfs"): [counts("plain")], ("resnet50", "csqcfs"): [counts("plain", 110.0)]})
    frame = costs.table7_frame(page, T=4)
    ours = frame.loc[("ResNet-50", "SNN, CS-QCFS", "ours (demo, n = 1)")]
    energy = {each: 4 * each * 0.9 + 1000 * 4.6 for each in (100, 110)}
    assert ours["more than QCFS (%)"] == f"{100 * (energy[110] / energy[100] - 1):.3f}"
    assert frame.loc[("ResNet-50", "ANN", "paper"), "energy (mJ)"] == "6.02600"
    shares = costs.conventions_frame(page)
    assert shares["T = 1"].iloc[0] == f"{100 * (90 + 4600) / 9200:.1f}"
    wanted = published.TABLE7["qcfs"].acs / (1310 - 1.769472)
    assert costs.matching_frame(page).iloc[0, 2] == f"{10 * wanted:.2f}"


def test_every_figure_and_table_has_its_place_without_records():
    empty = shown({})
    for draw in (plots.pareto, plots.energy_over_time, plots.epoch_time, plots.speed):
        assert draw(empty) is None
    for table in (costs.front_frame, costs.first_step_frame, costs.conventions_frame, costs.matching_frame):
        assert len(table(empty)) == 0
    assert timing.timed(empty) == "not run in this profile"
    assert {source for *_, source in timing.table6_frame(empty).index} == {"paper"}
    assert len(timing.speed_frame(empty)) == 0


def test_figures_have_a_panel_for_each_cost(latency):
    style.use()
    fig = plots.pareto(latency)
    assert [ax.get_xlabel() for ax in fig.axes] == [label for label, _ in plots.AXES.values()]
    seven = shown({("resnet50", "qcfs"): [counts("plain")], ("resnet50", "csqcfs"): [counts("plain")]})
    both = plots.energy_over_time(seven)
    assert len(both.axes) == 2
    assert all(made.axes[0].get_title("left").endswith(" (n = 1)") for made in (fig, both))
    rows = {("resnet20", "qcfs"): [counts("plain")], ("resnet50", "qcfs"): [counts("plain")]}
    more = plots.energy_over_time(shown(rows | {("resnet50", "csqcfs"): [counts("plain")]}))
    assert {text.get_text() for text in more.legends[0].get_texts()} >= {"QCFS", "CS-QCFS", "ANN"}
    alone = plots.energy_over_time(shown({("resnet50", "qcfs"): [counts("plain")]}))
    assert [len(ax.get_lines()) for ax in alone.axes] == [len(ax.get_lines()) - n for ax, n in zip(both.axes, (1, 4))]


def test_steps_take_turns_and_each_starts_a_round_equally_often():
    order: list[str] = []
    steps = {name: (lambda name=name: order.append(name)) for name in "abc"}
    seconds = epoch.take_turns(steps, 6)
    assert {name: len(values) for name, values in seconds.items()} == {"a": 6, "b": 6, "c": 6}
    assert [order[i] for i in range(0, 18, 3)] == list("abcabc")
    assert epoch.quartiles([1, 2, 3, 4, 5]) == {"median": 3, "low": 2, "high": 4}


def test_the_benchmark_trains_the_three_networks():
    size = {"dataset": "digits", "network": "resnet20", "width": 0.5, "batch_size": 4}
    found = epoch.epoch_time(3, **size)
    assert set(found["seconds"]) == set(found["against_qcfs"]) == {"relu", "qcfs", "csqcfs"}
    assert found["ratios"]["qcfs"] == [1, 1, 1] and found["seconds"]["relu"]["median"] > 0
    page = shown({("step",): [found]})
    assert len(plots.epoch_time(page).axes) == 1
    assert timing.table6_frame(page).loc[("CS-QCFS", "ours (demo, n = 1)"), "step (ms)"]
    assert timing.timed(page).startswith("ResNet-20, width 0.5, images 1x8x8, batch 4, float32, on cpu, 3 rounds")
    with pytest.raises(InputError, match="^dataset = 'mine': the time of an epoch is measured for digits, "):
        epoch.epoch_time(**size | {"dataset": "mine"})


@pytest.mark.parametrize("name", list(profiles.PROFILES))
def test_table_6_times_a_step_of_the_profiles_own_training(name):
    profile = profiles.get(name)
    (run,) = registry.get("table6").rows(profile, profile.seeds)["step",]
    size = epoch.Size(**dict(run.options))
    training = profile.training("cifar100", size.network)
    assert (size.batch_size, size.precision, size.width) == (training.batch_size, training.precision, training.width)
    assert size.network == ("resnet50" if "resnet50" in profile.networks else "resnet20")
    assert size.dataset == training.dataset


def test_the_index_has_every_artefact(tmp_path, monkeypatch):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    frame = index.table("paper")
    assert len(frame) == len(registry.ARTEFACTS)
    assert [line.partition("](")[2] for line in frame["Notebook"]] == [f"{id}.ipynb)" for id in registry.IDS]


def test_the_table_of_speed_is_drawn_as_parts_of_the_targets():
    below = {
        "what": "a / b",
        "size": "small",
        "outcome": {"median": 0.6, "low": 0.5, "high": 0.8},
        "target": 1.2,
        "above": False,
        "unit": "x",
        "met": True,
    }
    above = {
        **below,
        "what": "b / a",
        "outcome": {"median": 1.5, "low": 1.2, "high": 2.0},
        "target": 3,
        "above": True,
        "met": False,
    }
    missing = {**below, "what": "peer", "outcome": None, "met": None}
    page = shown({("bench",): [{"lines": [below, above, missing]}]})
    (ax,) = plots.speed(page).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a / b, small", "b / a, small"]
    medians = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    assert medians == pytest.approx([0.5, 2.0])
    frame = timing.speed_frame(page)
    assert frame["measured"].tolist() == ["0.6", "1.5", "not measured"]
    assert frame["target"].tolist() == ["≤ 1.2", "≥ 3", "≤ 1.2"] and frame["met"].tolist() == ["yes", "no", ""]
