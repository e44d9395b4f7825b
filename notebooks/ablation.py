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
# # Tables 3 and 4 without pre-simulation
#
# What do a second stage, channels and Softplus bring where no offset spikes help?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import gains, page, tables
from csqcfs.paper.plots import accuracy, spread

ablation = page.open("ablation", profile, seeds)
ablation.found()

# %% [markdown]
# [Tables 3](table3.ipynb) and [4](table4.ipynb) of the paper simulate every network with offset spikes, which cost ρ steps in every layer before the
# first one counts and repair most of the error that better thresholds would avoid. Here are the same networks as plain
# spiking networks: T = 1 is one time-step. All second stages start from the same QCFS network and are equally long.

# %% tags=["nbval-check-output"]
frame = tables.accuracy_beside(ablation, {}, labels=("Dataset", "Architecture", "Training"))
ablation.table(frame, "Accuracy (%) of the ANN and of its plain SNN after T steps")

# %%
fig = accuracy.comparison(ablation, ("qcfs", "qcfs-2", "sqcfs", "cqcfs", "csqcfs"))
ablation.figure(
    fig, "Plain SNNs over time, and at the right their own networks; bands: 95 % intervals", "ablation-curves"
)

# %% [markdown]
# ## One part at a time
#
# "QCFS, two stages − QCFS" is what more epochs bring. Against the network of two stages, S-QCFS adds Softplus, C-QCFS
# adds channels, CS-QCFS both, at equal length of training. A gain of CS-QCFS over QCFS that QCFS of two stages has
# as well is a gain of training longer, not of the method.

# %% tags=["nbval-check-output"]
frame = gains.gains(ablation, {}, gains.PARTS, labels=("Dataset", "Architecture"))
ablation.table(frame, "Differences in percentage points, plain SNNs", "ablation-gains")

# %%
fig = accuracy.gains(ablation, gains.PARTS)
ablation.figure(fig, "The same differences over time-steps, with their 95 % intervals", "ablation-gains")

# %% [markdown]
# Intervals of one seed are over images alone, and seeds lie points apart at plain T = 1. On CIFAR-10 in `quick` the first of three had
# CS-QCFS ahead of QCFS with two stages, and S-QCFS ahead of CS-QCFS, each by more than that interval; neither is so in the second, and
# with three neither is decided. On CIFAR-100 the first of three had CS-QCFS ahead of QCFS, and with three that is not decided either.
# In the table above intervals at T = 1 reach 2.5 to 9 points to either side: a part that brings less cannot be told from none.
#
# ## Thresholds
#
# A neuron fires in its first step if its input reaches half its threshold, so that how high thresholds lie has a part in
# plain accuracy at T = 1; not the only one, and lower thresholds can go with lower accuracy. [What Softplus
# costs](softplus.ipynb) tries decay, the damped step, the level and the spread of thresholds one by one.

# %% tags=["nbval-check-output"]
ablation.table(spread.levels(ablation), "Thresholds and plain accuracy", "ablation-thresholds")

# %% [markdown]
# ## Where to go next
#
# [What T = 1 costs](latency.ipynb) puts these accuracies against operations and energy; [Table 5](table5.ipynb) shows how far the thresholds of one
# layer's channels drift apart in the second stage.

# %%
ablation.provenance()
