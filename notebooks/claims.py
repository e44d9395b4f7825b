# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Claims ledger
#
# Which claims of the paper hold on our records?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.claims import judge
from csqcfs.paper.pages import page

ledger = page.open("claims", profile, seeds)
ledger.found()

# %% [markdown]
# The checkable claims of the paper's abstract, text and tables, each with its place, a check as code, and a verdict:
# **held**, **did not hold**, **undecided** (our records cannot tell), or **not tested** in this profile; the first two may stand
# on one seed alone, and say so.

# %% [markdown]
# ## How to read it
#
# - A verdict is about *our* records in *this* profile. In the profile `demo`, handwritten digits stand in for both
#   CIFAR data sets and the networks are narrow: there the checks run and are **shown, not judged**.
# - Networks are compared on the same test images, image by image, and seed by seed where there are several. A claim
#   **held** where the 95 % interval of each of its differences lies where the claim says; it **did not hold** where one
#   interval lies outside, widened for the number of places it was looked for; else it is **undecided**. One seed says
#   nothing about others: with n = 1 the interval is about the test images alone, and the verdict is **held on one seed**
#   or **did not hold on one seed**. Where the paper says *every*, one exception is enough, of one seed, too.
# - A claim about several networks or data sets cannot hold before all of them were run. Where a seed was refused, for a
#   threshold that is not positive, those that are left are no fair sample: nothing is decided.
# - Records from before which images were right was kept have an interval as of independent samples: "unpaired".
# - Levels ("95.86 %") are only judged where data and training are the paper's.
# - Words have numbers here: "comparable", "similar", "marginal" are 1 percentage point either way; others are given in
#   the claim.
# - A **remark** can come out only one way by construction, and is no verdict.

# %% tags=["nbval-check-output"]
frame = judge.judge(ledger)
ledger.table(judge.by_section(frame), "Claims by the part of the paper and by verdict", "claims-count")

# %% [markdown]
# ## The ledger
#
# One part for each verdict; a click on its heading folds or unfolds it. The table in one piece, to sort and filter, is
# `frame` here, and `claims.csv` beside the figures that a run makes.

# %% tags=["nbval-check-output"]
ledger.table(frame, "The claims of the paper on our records", fold="claim")

# %% [markdown]
# ## Ours beside the paper's
#
# The numbers behind each verdict stand beside the paper's in the notebook of the table or figure that the claim
# names. Claims that contradict the paper's *own* printed numbers are in [Audit of the paper](audit.ipynb); here only our records
# count.

# %% [markdown]
# ## What deviates
#
# - The paper tells no seeds, no spread and no ρ. Where it says "outperforms", we ask for a lead beyond the noise in
#   each of the cells it speaks of.
# - "With only 1 time-step" is judged by the steps that the method takes, see [What T = 1 costs](latency.ipynb).

# %%
ledger.provenance()
