# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     cell_metadata_filter: tags,-all
#     notebook_metadata_filter: jupytext,kernelspec,-all
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Claims ledger
#
# Which claims of the paper hold on our records?
#
# The checkable claims of the paper's abstract, text and tables, each with its place, a check as code, and a verdict:
# **held**, **did not hold**, or **not tested in this profile**.

# %% tags=["parameters"]
profile = "demo"
seeds = None

# %%
from csqcfs.paper.claims import judge
from csqcfs.paper.pages import page

ledger = page.open("claims", profile, seeds)

# %% [markdown]
# ## How to read it
#
# - A verdict is about *our* records in *this* profile. In the profile `demo`, handwritten digits stand in for both
#   CIFAR data sets and the networks are narrow: there a verdict shows that the check works, and says little about
#   CIFAR.
# - Each finding says what it rests on: data set, n seeds, test images. Orders are judged by means; where a difference
#   is smaller than two standard errors from the number of test images, the finding counts it as "within the noise",
#   and the verdict could turn with another seed.
# - Levels ("95.86 %") are only judged where data and training are the paper's.
# - Words have numbers here: "comparable", "similar", "marginal" are 1 percentage point; others are given in the
#   claim.
# - A claim about all time-steps or all networks fails with its first exception, which the finding names.

# %% tags=["nbval-check-output"]
frame = judge.judge(ledger)
ledger.table(judge.by_section(frame), "Claims by the part of the paper and by verdict", "claims-count")

# %% [markdown]
# ## The ledger

# %% tags=["nbval-check-output"]
ledger.table(frame, "The claims of the paper on our records")

# %% [markdown]
# ## Ours beside the paper's
#
# The numbers behind each verdict stand beside the paper's in the notebook of the table or figure that the claim
# names. Claims that contradict the paper's *own* printed numbers are in *Audit of the paper*; here only our records
# count.

# %% [markdown]
# ## What deviates
#
# - The paper tells no seeds, no spread and no ρ. Where it says "outperforms", we ask for a better mean at each of the
#   cells it speaks of.
# - "With only 1 time-step" is judged by the steps that the method takes, see *What T = 1 costs*.

# %%
ledger.provenance()
