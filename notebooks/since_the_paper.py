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
# # Since the paper
#
# Where do newer methods stand on the same network, by the same clock?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import page, since
from csqcfs.paper.plots import beyond as plots

newer = page.open("since_the_paper", profile, seeds)
newer.found()

# %% [markdown]
# One trained network (QCFS, L = 4, ships with the package) and every method of `csqcfs.convert(network, method=...)`:
#
# | method | what its neurons do | what an answer at T takes |
# |---|---|---|
# | plain | start at θ/2 | T steps |
# | start at 0, start at θ | round down, up | T steps |
# | SRP | τ steps of the network find the neurons that should be silent | τ + T steps |
# | COS | ρ steps of each layer's input shift its start | ρ × layers + T steps on one clock |
# | graded | a spike carries one of L + 1 levels | T steps, ⌈log₂(L + 1)⌉ bits a spike, as many shifted additions |
# | parallel | T spikes from the sum of T inputs | each layer after the first waits T − 1 steps; a run is for one T |
# | signed | a spike of −θ takes back an excess one | T steps, 2 bits a spike |
#
# Each is written from its equations and tested against a loop over single neurons; a method is one class, which declares
# its hidden steps, its clock and its bits. Costs include all steps before the first one that counts.

# %%
fig = plots.methods(newer)
newer.figure(fig, "T = 1, 2, 4, 8 of each method on one network, by three costs; bars: 95 % intervals")

# %% tags=["nbval-check-output"]
newer.table(since.frame(newer), "Accuracy (%) of each method, and what its T = 1 takes")

# %% [markdown]
# ## Thresholds
#
# Without training: the same weights, with thresholds of each channel placed by a rule on 512 training images. Such rules
# are made for a network that was trained with ReLU. This one was trained with QCFS and relies on being clipped at its own
# thresholds, which the rules raise several times: what is left is chance, but for the first step of the 99.9 % quantile. With
# training: channel-wise thresholds were there before this paper (*SNN meets ANN*, TMLR 2025, trains a floor with a
# threshold for each channel), which is C-QCFS by another name. Its lead over CS-QCFS in this table is that of one seed: with three it is undecided ([What
# Softplus costs](softplus.ipynb)).

# %% tags=["nbval-check-output"]
newer.table(since.rules_frame(newer), "Accuracy (%) of plain neurons", "since_the_paper-rules")

# %% [markdown]
# ## What deviates
#
# - One network: its thresholds were trained for θ/2 and plain or graded spikes, not for the other starts.
# - Additions of graded spikes are an upper bound, ⌈log₂(L + 1)⌉ for each; at L = 4 two would do, as no level has more bits
#   set, which takes a third off it. Bits are those of the spikes alone, without
#   the addresses that an event-driven chip sends with them.
# - Operations are counted on 64 test images.
#
# ## Where to go next
#
# [What T = 1 costs](latency.ipynb) does the same for the paper's methods up to T = 32.

# %%
newer.provenance()
