"""Checks of the ablations (Tables 3-4, section 5.4) against each other and against Tables 1-2.

Tables 3 and 4 name their recipes in words only; a finding that takes two of them for one recipe says so.
"""

from __future__ import annotations

from statistics import mean

from .. import published
from ..published import TABLE1, TABLE3, TABLE4, TIMESTEPS
from .audit_tables import gains, listed
from .checks import Checks, Outcome

CHECKS = Checks()
ABLATED = ("vgg16", "resnet20")
NETWORKS = [(dataset, architecture) for dataset in ("cifar10", "cifar100") for architecture in ABLATED]


@CHECKS.add("Section 5.4.1, Table 3", "the full method is best at every time-step")
def table3_full_is_best() -> Outcome:
    margins = [
        margin
        for architecture in ABLATED
        for variant in ("sqcfs", "cqcfs")
        for margin in gains(TABLE3[architecture, "csqcfs"], TABLE3[architecture, variant])
    ]
    found = f"ahead in all {len(margins)} cells by {min(margins):.2f} to {max(margins):.2f}"
    return Outcome(min(margins) > 0, found)


@CHECKS.add("Section 5.4.1, Table 3", "four activations are contrasted, the standard QCFS among them")
def table3_standard_qcfs() -> Outcome:
    variants = sorted({variant for _, variant in TABLE3})
    found = f"the table has {len(variants)} rows for each network, none of them QCFS"
    return Outcome("qcfs" in variants, found)


@CHECKS.add("Tables 1 and 3", '"Full" is "Ours"')
def table3_full_is_ours() -> Outcome:
    same = all(TABLE3[a, "csqcfs"] == TABLE1[a, "ours"] for a in ABLATED)
    return Outcome(same, "the rows of VGG-16 and ResNet-20 are equal in all seven columns")


@CHECKS.add("Tables 3 and 4", "implied: C-QCFS after two stages has one result")
def table3_against_table4() -> Outcome:
    differences = {a: gains(TABLE4["cifar10", a, "channel-wise"], TABLE3[a, "cqcfs"]) for a in ABLATED}
    largest = max(abs(value) for row in differences.values() for value in row)
    return Outcome(
        largest == 0,
        f"Table 4 minus Table 3: VGG-16 {listed(differences['vgg16'])}; ResNet-20"
        f" {listed(differences['resnet20'])}: a spread of up to {largest:.2f} between runs, if they are"
        " one recipe; no seeds are given",
    )


@CHECKS.add("Section 5.4.1, Tables 3-4", "Softplus contributes individually")
def softplus_alone() -> Outcome:
    rows = {a: gains(TABLE3[a, "sqcfs"], TABLE4["cifar10", a, "layer-wise"]) for a in ABLATED}
    values = [value for row in rows.values() for value in row]
    return Outcome(
        min(values) > 0,
        f'"w/o channel" minus Table 4\'s "layer-wise": VGG-16 {listed(rows["vgg16"])}; ResNet-20'
        f" {listed(rows['resnet20'])}; ahead in {sum(value > 0 for value in values)} of {len(values)}"
        " cells, if both have two stages",
    )


@CHECKS.add("Section 5.4.1, Tables 1, 2 and 4", "removing Softplus leads to a subtle reduction in accuracy")
def full_against_table4() -> Outcome:
    rows = {n: gains(published.COMPARISONS[n[0]][n[1], "ours"], TABLE4[(*n, "channel-wise")]) for n in NETWORKS}
    behind = {n: [t for t, value in zip(TIMESTEPS, row) if value < 0] for n, row in rows.items()}
    return Outcome(
        not any(behind.values()),
        f'Ours is behind Table 4\'s "channel-wise" in {sum(map(len, behind.values()))} of 24 cells: '
        + "; ".join(f"{d} {a} at T = {', '.join(map(str, ts))}" for (d, a), ts in behind.items() if ts)
        + f"; at T = 1 {listed([row[0] for row in rows.values()])} (networks in the order of Table 4)",
    )


def two_stage_ann_gain(dataset: str) -> list[float]:
    """Accuracy of the ANN after two layer-wise stages minus that after one, VGG-16 and ResNet-20."""
    rows = ((TABLE4[dataset, a, "layer-wise"], TABLE4[dataset, a, "origin"]) for a in ABLATED)
    return [round(layer_wise.ann - origin.ann, 2) for layer_wise, origin in rows]


@CHECKS.add("Section 5.4.2, Table 4", "CIFAR-10: layer-wise two-stage training improves the ANN")
def two_stage_ann_cifar10() -> Outcome:
    change = two_stage_ann_gain("cifar10")
    return Outcome(min(change) > 0, f"{listed(change)} (VGG-16, ResNet-20)")


@CHECKS.add("Section 5.4.2, Table 4", "CIFAR-10: the improvement of the SNN is only marginal beside that of the ANN")
def two_stage_snn_cifar10() -> Outcome:
    ann = mean(two_stage_ann_gain("cifar10"))
    pairs = [[TABLE4["cifar10", a, strategy] for strategy in ("layer-wise", "origin")] for a in ABLATED]
    snn = mean(value for layer_wise, origin in pairs for value in gains(layer_wise, origin))
    found = f"mean gain {ann:+.2f} for the ANNs, {snn:+.2f} for the SNNs over all time-steps"
    return Outcome(snn < ann / 2, found)


@CHECKS.add("Section 5.4.2, Table 4", "CIFAR-100 is consistent with CIFAR-10: two-stage training improves the ANN")
def two_stage_ann_cifar100() -> Outcome:
    change = two_stage_ann_gain("cifar100")
    return Outcome(min(change) > 0, f"{listed(change)} (VGG-16, ResNet-20): 76.57 falls to 76.46")


def channelwise_gain(timestep: int) -> list[float]:
    """Channel-wise minus layer-wise two-stage training in the four networks of Table 4."""
    rows = ((TABLE4[(*n, "channel-wise")], TABLE4[(*n, "layer-wise")]) for n in NETWORKS)
    return [round(channel.at(timestep) - layer.at(timestep), 2) for channel, layer in rows]


@CHECKS.add("Section 5.4.2, Table 4", "channel-wise thresholds bring more at T = 1 and 2")
def channelwise_low_latency() -> Outcome:
    one, two = channelwise_gain(1), channelwise_gain(2)
    return Outcome(min(one + two) > 0, f"T = 1: {listed(one)}; T = 2: {listed(two)}")


@CHECKS.add("Sections 5.4.2 and 5.5, Table 4", "channel-wise thresholds bring more at T = 4, still ultra-low latency")
def channelwise_four_steps() -> Outcome:
    change = channelwise_gain(4)
    return Outcome(min(change) > 0, f"T = 4: {listed(change)}: less on CIFAR-10")


@CHECKS.add("Section 5.4.2, Table 4", "channel-wise thresholds improve low latency more than high")
def channelwise_few_against_many() -> Outcome:
    few, many = ([value for t in steps for value in channelwise_gain(t)] for steps in ((1, 2), (8, 16, 32)))
    return Outcome(
        mean(few) > mean(many),
        f"mean {mean(few):+.2f} over layer-wise at T = 1 and 2, {mean(many):+.2f} at T = 8 to 32, where"
        f" channel-wise is ahead in {sum(value > 0 for value in many)} of {len(many)} cells",
    )
