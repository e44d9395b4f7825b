"""Abstract, introduction, section 5.3 and conclusion: accuracies of Tables 1-2."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from ...methods import COS
from .. import published
from ..names import NAMES, signed
from ..published import TABLE1, TABLE2, TIMESTEPS
from .claim import NOT_RUN, Check, Claims, Outcome, Verdict
from .decide import ahead, condition, decide, left_out
from .evidence import OTHERS, TABLES, Evidence, Printed, Recorded, compared, place, where

CLAIMS = Claims()
SAME = tuple((T, T) for T in TIMESTEPS)
TOLERANCE = 0.5  # percentage points by which a printed level may be missed; the paper gives no spread


def leads(id: str, network: str, pairs=SAME, others: tuple[str, ...] = OTHERS) -> Check:
    """Whether "Ours" at T is ahead of the best of ``others`` at T', for all ``pairs`` (T, T')."""

    def check(evidence: Evidence) -> Outcome:
        mine, *rows = ((id, network, name) for name in ("ours", *others))
        absent = [where(evidence, row[-1]) for row in (mine, *rows) if not evidence.known(row)]
        if 0 < len(absent) <= len(others):
            return Outcome(Verdict.NOT_TESTED, f"without {' and '.join(absent)}")
        return decide(evidence, ahead(evidence, mine, rows, pairs))

    return check


def unseen(places: Sequence[tuple[str, str]]) -> str:
    """The networks of Tables 1-2 that ``places`` leave out, as a number."""
    whole = {(id, network) for id, rows in zip(TABLES, (TABLE1, TABLE2), strict=True) for network, _ in rows}
    return left_out(whole, places, "networks of Tables 1-2")


@CLAIMS.printed("Abstract, sections 5.3 and 5.4.2", "accuracies in the text are those of the tables")
def quoted_accuracies(paper: Printed) -> Outcome:
    tables = {"Table 1": TABLE1, "Table 2": TABLE2, "Table 4": published.TABLE4}
    wrong = [q for q in published.QUOTES if tables[q.table][q.key].at(q.timestep) != q.value]
    right, total = len(published.QUOTES) - len(wrong), len(published.QUOTES)
    return Outcome.of(not wrong, f"{right} of {total} quoted accuracies are in their cells")


@CLAIMS.printed("Abstract, introduction", '"for instance", 95.86 and 74.83 % with only one time-step')
def abstract_instances(paper: Printed) -> Outcome:
    ten, hundred = ({k[0]: row.at(1) for k, row in rows.items() if k[1] == "ours"} for rows in (TABLE1, TABLE2))
    return Outcome.of(
        95.86 in ten.values() and 74.83 in hundred.values(),
        f"instances, yet not the best: the tables' best at T = 1 are {max(ten.values())}"
        f" ({NAMES[max(ten, key=ten.get)]}) and {max(hundred.values())} ({NAMES[max(hundred, key=hundred.get)]})",
    )


@CLAIMS.and_on_records("abstract-instances")
def levels(ours: Recorded) -> Outcome:
    """Whether both levels are reached, in a profile that trains as the paper does."""
    conditions = []
    for id, network, level in (("table1", "resnet18", 95.86), ("table2", "vgg16", 74.83)):
        row = (id, network, "ours")
        conditions += condition(ours, place(ours, id, network), (1.0, row, 1), low=-TOLERANCE, offset=-level)
    if ours.full or not conditions:
        lacking = "one of both" if len(conditions) < 2 else ""
        return decide(ours, conditions, f"minus the printed level, of which {TOLERANCE:g} may lack", lacking=lacking)
    found = ", ".join(f"{one.name} {one.found}" for one in conditions)
    return Outcome(Verdict.NOT_TESTED, f"needs the paper's data and training; here, minus the printed level: {found}")


@CLAIMS.printed("Abstract, introduction, section 5.3", "the accuracies at T = 1 need only one time-step")
def one_timestep(paper: Printed) -> Outcome:
    cos = COS()  # rho of the public code; the paper gives none
    return Outcome.of(
        cos.steps(1) == 1,
        "Ours uses offset spikes, which take ρ steps in each layer first; the paper gives no ρ, the"
        f" public code of COS has {cos.rho}: {cos.steps(1)} steps in each layer ({cos.steps(1, last=True)} in the"
        " last), for each image; Algorithm 1 leaves them out",
    )


@CLAIMS.and_on_records("one-timestep")
def steps_taken(ours: Recorded) -> Outcome:
    rows = [(id, *key) for id in TABLES for key in ours.keys(id) if key[1] == "ours"]
    presteps = {record.metrics["presteps"] for row in rows for record in ours.records(*row)}
    if not presteps:
        return NOT_RUN
    steps = ", ".join(str(COS(found).steps(1)) for found in sorted(presteps))
    return Outcome(Verdict.REMARK, f"by construction, each layer computes {steps} steps before the score at T = 1")


@CLAIMS.both("Section 1, contribution 3", "outperforms the existing methods in the same time-steps, on both data sets")
def all_cells(evidence: Evidence) -> Outcome:
    conditions, places = [], compared(evidence)
    for id, network in places:
        rows = [(id, network, name) for name in OTHERS]
        found = ahead(evidence, (id, network, "ours"), rows, SAME)
        conditions += [one._replace(name=f"{place(evidence, id, network)}, {one.name}") for one in found]
    return decide(evidence, conditions, lacking=unseen(places))


ONE, TWO = "Section 5.3, Table 1", "Section 5.3, Table 2"
CLAIMS.both(ONE, "ResNet-18 at T = 1 surpasses all other methods even at T = 32", "resnet18-one-step")(
    leads("table1", "resnet18", [(1, 32)])
)


@CLAIMS.printed(ONE, "ResNet-18 at T = 1 surpasses QCFS at T = 32, as QCFS's authors print it")
def resnet18_one_step_own_publication(paper: Printed) -> Outcome:
    own, printed = published.BASELINES_OWN["cifar10", "resnet18", "qcfs"], TABLE1["resnet18", "qcfs"]
    return Outcome.of(
        TABLE1["resnet18", "ours"].at(1) > own.at(32),
        f"95.86 against {own.at(32)}; ANN {own.ann} there and {printed.ann} here, at T = 2 {own.at(2)} and"
        f" {printed.at(2)}: not the published row, though it is not marked *",
    )


CLAIMS.both(ONE, "VGG-16 consistently outperforms the others", "vgg16-cifar10-leads")(leads("table1", "vgg16"))
CLAIMS.both(ONE, "VGG-16 at T = 4 is better than the others at T = 32", "vgg16-four-steps")(
    leads("table1", "vgg16", [(4, 32)])
)
CLAIMS.both(ONE, "ResNet-20 is ahead of COS and SRP at T = 1 and T = 32", "resnet20-cifar10-ends")(
    leads("table1", "resnet20", [(1, 1), (32, 32)], ("cos", "srp"))
)
CLAIMS.both(ONE, "ResNet-50 consistently leads", "resnet50-cifar10-leads")(leads("table1", "resnet50"))
CLAIMS.both(ONE, "ResNet-101 outperforms QCFS, SRP and COS at every time-step", "resnet101-cifar10-leads")(
    leads("table1", "resnet101")
)
CLAIMS.both(TWO, "VGG-16 consistently outperforms the others across all time-steps", "vgg16-cifar100-leads")(
    leads("table2", "vgg16")
)


@CLAIMS.both(TWO, "VGG-16 at T = 32 is 0.6 better than the nearest competitor, QCFS")
def vgg16_cifar100_margin(evidence: Evidence) -> Outcome:
    mine, qcfs, *rest = (("table2", "vgg16", name) for name in ("ours", *OTHERS))
    least = published.VGG16_LEAD_OVER_QCFS - 0.05  # rounds to what is printed
    conditions = condition(evidence, "over QCFS", (1.0, mine, 32), (-1.0, qcfs, 32), low=least)
    for row in rest:
        name = f"QCFS over {where(evidence, row[-1])}"
        conditions += condition(evidence, name, (1.0, qcfs, 32), (-1.0, row, 32))
    return decide(evidence, conditions)


CLAIMS.both(TWO, "ResNet-20 is superior at T = 1 and the subsequent time-steps", "resnet20-cifar100-leads")(
    leads("table2", "resnet20")
)


@CLAIMS.printed(TWO, "ResNet-20 is superior to QCFS and COS (as their authors print them)")
def resnet20_cifar100_own_publications(paper: Printed) -> Outcome:
    qcfs, cos = (published.BASELINES_OWN["cifar100", "resnet20", m] for m in ("qcfs", "cos"))
    ours = TABLE2["resnet20", "ours"]
    return Outcome.of(
        ours.at(32) > qcfs.at(32) and ours.at(8) > cos.at(8),
        f"QCFS prints {qcfs.at(32)} at T = 32 (Ours {ours.at(32)}) with ANN {qcfs.ann} (Ours {ours.ann}),"
        f" COS {cos.at(8)} at T = 8 (Ours {ours.at(8)}); the starred rows are runs by the paper's authors",
    )


@CLAIMS.both("Section 5.3, Tables 2 and 4", "implied: ResNet-20 on CIFAR-100 is superior to layer-wise QCFS throughout")
def resnet20_cifar100_against_table4(evidence: Evidence) -> Outcome:
    mine, conditions = ("table2", "resnet20", "ours"), []
    for strategy in ("origin", "layer-wise"):
        row = ("table4", "cifar100", "resnet20", strategy)
        for T in TIMESTEPS:
            conditions += condition(evidence, f"{strategy}, T = {T}", (1.0, mine, T), (-1.0, row, T))
    return decide(evidence, conditions, "with offset spikes in both tables")


CLAIMS.both(TWO, "ResNet-50 at T = 1 surpasses QCFS and SRP even at higher time-steps", "resnet50-cifar100-one-step")(
    leads("table2", "resnet50", [(1, T) for T in TIMESTEPS], ("qcfs", "srp"))
)
CLAIMS.both(TWO, "ResNet-50 at T = 32 is the highest of all methods", "resnet50-cifar100-last")(
    leads("table2", "resnet50", [(32, 32)])
)
CLAIMS.both(TWO, "ResNet-101 is ahead of QCFS and SRP at T = 1", "resnet101-cifar100-first")(
    leads("table2", "resnet101", [(1, 1)], ("qcfs", "srp"))
)


@CLAIMS.both(TWO, "implied: ResNet-101: COS is slightly better at T = 32 alone (no other step is named)")
def resnet101_cifar100_cos(evidence: Evidence) -> Outcome:
    mine, cos = (("table2", "resnet101", name) for name in ("ours", "cos"))
    conditions = []
    for T in TIMESTEPS:
        sign, name = (-1.0, "COS over Ours") if T == 32 else (1.0, "Ours over COS")
        conditions += condition(evidence, f"{name}, T = {T}", (sign, mine, T), (-sign, cos, T))
    return decide(evidence, conditions)


@CLAIMS.both("Section 5.3, Tables 1-2", "implied: in every network the lead over COS exceeds that of the ANNs")
def lead_beyond_ann(evidence: Evidence) -> Outcome:
    conditions, leads, places = [], {id: [] for id in TABLES}, compared(evidence, ("cos",))
    for id, network in places:
        mine, cos = (id, network, "ours"), (id, network, "cos")
        lead = evidence.contrast((1.0, mine, TIMESTEPS), (-1.0, cos, TIMESTEPS))
        leads[id] += [lead.points] if lead else []
        terms = (1.0, mine, TIMESTEPS), (-1.0, cos, TIMESTEPS), (-1.0, mine, "ann"), (1.0, cos, "ann")
        conditions += condition(evidence, place(evidence, id, network), *terms)
    means = [f"{id.replace('table', 'Table ')} {signed([mean(found)])}" for id, found in leads.items() if found]
    note = f"mean lead over T and networks: {', '.join(means)}"
    return decide(evidence, conditions, note, lacking=unseen(places))


@CLAIMS.both("Section 2, Tables 1-2", "implied: SRP, made to alleviate the error of QCFS, is above it up to T = 8")
def srp_against_qcfs(evidence: Evidence) -> Outcome:
    conditions, places = [], compared(evidence, ("srp", "qcfs"))
    for id, network in places:
        for T in (1, 2, 4, 8):
            srp, qcfs = (id, network, "srp"), (id, network, "qcfs")
            name = f"{place(evidence, id, network)}, T = {T}"
            conditions += condition(evidence, name, (1.0, srp, T), (-1.0, qcfs, T))
    return decide(evidence, conditions, lacking=unseen(places))


@CLAIMS.printed("Section 5.7, Table 1", "implied: SRP and COS, both based on QCFS, convert its ANN")
def baselines_share_ann(paper: Printed) -> Outcome:
    networks = dict.fromkeys(network for network, _ in TABLE1)
    anns = {a: {TABLE1[a, m].ann for m in OTHERS} for a in networks}
    differ = [f"{NAMES[a]} ({', '.join(map(str, sorted(values)))})" for a, values in anns.items() if len(values) > 1]
    return Outcome.of(not differ, f"the ANN column differs for {', '.join(differ)}: separate runs")


@CLAIMS.both("Conclusion", "narrows the gap between SNN and ANN: at T = 1 it is smaller than that of QCFS and COS")
def gap_to_ann(evidence: Evidence) -> Outcome:
    conditions, places = [], compared(evidence, ("qcfs", "cos"))
    for id, network in places:
        mine = (id, network, "ours")
        for name in ("qcfs", "cos"):
            row = (id, network, name)
            terms = (1.0, row, "ann"), (-1.0, row, 1), (-1.0, mine, "ann"), (1.0, mine, 1)
            conditions += condition(evidence, f"{place(evidence, id, network)}, {where(evidence, name)}", *terms)
    return decide(evidence, conditions, "points that the gap is smaller", lacking=unseen(places))


@CLAIMS.records("Section 5.3", 'implied by "further reduce": CS-QCFS, not offset spikes, brings most at T = 1')
def who_brings_it(ours: Recorded) -> Outcome:
    conditions = []
    for id, network in compared(ours, ("qcfs", "csqcfs")):
        base, plain, mine = ((id, network, name) for name in ("qcfs", "csqcfs", "ours"))
        gain = ours.contrast((1.0, mine, 1), (-1.0, base, 1))
        if gain and gain.interval()[0] > 0:  # half of no gain is no share
            terms = (1.0, plain, 1), (-0.5, base, 1), (-0.5, mine, 1)
            conditions += condition(ours, place(ours, id, network), *terms)
    return decide(
        ours, conditions, "points of plain CS-QCFS over half way from plain QCFS to CS-QCFS with offset spikes"
    )
