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
# # What T = 1 costs
#
# What do accuracies cost in real steps, operations and energy?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import costs, page
from csqcfs.paper.plots import costs as plots

latency = page.open("latency", profile, seeds)
latency.found()

# %% [markdown]
# [Tables 1](table1.ipynb) and [2](table2.ipynb) compare methods at the same T. But T does not count all steps. **SRP** first runs τ = 4 steps of the
# whole network to find out which neurons should be silent. **COS**, and with it the paper's **Ours**, first looks at
# ρ = 4 steps of the input *of every layer* to shift the initial membrane potential. Plain **QCFS** and plain
# **CS-QCFS** need nothing of the kind. No published table counts these steps; here is the comparison that does.

# %% [markdown]
# ## How latency is counted
#
# - **Steps of each layer**: how many steps every layer computes until the score at T is known. Plain neurons: T. SRP:
#   τ + T. A layer of COS looks at ρ steps of its input before it answers, and the layer after it looks at ρ of its
#   answers, so that no run is shorter than ρ: ρ + max(T, ρ). *T = 1, 2, 3 and 4 take the same time.*
# - **Steps on one clock**: until the answer, where all layers work at the same time, as on a neuromorphic chip. A
#   spike of a plain network passes all layers within its step. Each layer of COS holds its first answer back for ρ
#   steps, so that a network of S layers answers after S ρ + T.
# - **Additions** and **energy**: synaptic operations as in [Table 7](table7.ipynb) (θ folded, first layer once), those of the extra
#   steps included. A layer of COS sees its first ρ inputs twice; storing its sums would save the second time, at ρ
#   times the memory.

# %% [markdown]
# ## What the column "T = 1" takes
#
# The last two columns are the fair comparison: what plain CS-QCFS, with no correction at all, reaches in as many steps of each
# layer, and what the method has over that.

# %% tags=["nbval-check-output"]
latency.table(costs.first_step_frame(latency), "What T = 1 takes", "latency-first-step")

# %% [markdown]
# ## Accuracy against each cost
#
# Each line goes through T = 1, 2, 4, ..., 32 of one method. Rings mark the points that no other beats (the Pareto
# front), with their T beside them where there is room; the table below has them all. The vertical axis is logarithmic
# in the error. Energies are in the table below.

# %%
latency.figure(
    plots.pareto(latency), "Accuracy against steps and additions; T of the points on each front; bands: 95 % intervals"
)

# %% [markdown]
# ## The front
#
# All points that are on a front of accuracy against steps of each layer, steps on one clock, additions or energy. COS and
# *CS-QCFS + offset* need few steps of each layer and many on one clock. Costs include the steps before the first one counts.

# %% tags=["nbval-check-output"]
latency.table(costs.front_frame(latency), "Points on a Pareto front of accuracy against steps, additions or energy")

# %% [markdown]
# ## Ours beside the paper's
#
# The paper has no such table. Its claim "ultra-low latency, e.g. 1 time-step" is a statement about the column T = 1
# of "Ours", whose real place on the axes above is that of the first point of *CS-QCFS + offset*.

# %% [markdown]
# ## What deviates
#
# - Accuracies are of few seeds, and a front knows no intervals: a point on it may owe its place to chance. In `quick` three seeds leave
#   the first step of plain neurons open by ten points either way; the bars of the figure say how much elsewhere.
# - Latency on one clock assumes that layers hand on what they have in the same step, the best case for every method.
# - Operations are counted on fewer images than accuracies (the record says how many); they vary little between
#   images.

# %%
latency.provenance()
