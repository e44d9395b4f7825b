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
# # Table 6: training time
#
# What does CS-QCFS cost per epoch?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import page, timing
from csqcfs.paper.plots import costs as plots
from IPython.display import Markdown

table6 = page.open("table6", profile, seeds)
table6.found()

# %% [markdown]
# Section 5.7 measures the mean time of an epoch of ResNet-50 on CIFAR-100: 110 s with QCFS, 111.81 s with CS-QCFS, on
# RTX 2080 Ti GPUs, without saying how often. Seconds depend on the machine; what can be compared is the ratio.

# %% [markdown]
# ## How it is measured
#
# Networks with ReLU, QCFS and CS-QCFS take turns in one process: one training step each (forward, backward, SGD) in
# every round, in an order that rotates. Each step is divided by the QCFS step of the same round, so that a busy
# machine slows both. We report the median of the steps' times, and the median and quartiles of the ratios; a median of ratios need
# not be the ratio of the medians. What was timed here:

# %% tags=["nbval-check-output"]
Markdown(timing.timed(table6))

# %% [markdown]
# ## Ours beside the paper's

# %% tags=["nbval-check-output"]
step = table6.ending("step")
caption = "Table 6. Training time, the paper's seconds of an epoch and our milliseconds of a step"
step.table(timing.table6_frame(step), caption)

# %% [markdown]
# Each dot is a round.

# %%
step.figure(plots.epoch_time(step), "Time of a training step, each round against QCFS")

# %% [markdown]
# ## Speed of the library, beyond the paper
#
# What the ratio of Table 6 rests on: the activation alone, a training step of ResNet-20, its input, and the simulation
# against SpikingJelly, against as many passes of the ANN, and with offset spikes. All ratios are medians over rounds in
# one process; thick lines span the quartiles. `csqcfs bench` measures it. The demo does not, so that its page
# shows the table of the profile "quick".

# %%
speed = page.open("table6", "quick" if profile == "demo" else profile).ending("bench")
speed.figure(plots.speed(speed), "Speed as a part of its target", "table6-speed")

# %% tags=["nbval-check-output"]
speed.table(timing.speed_frame(speed), "Speed of this library against PyTorch and SpikingJelly", "table6-speed")

# %% [markdown]
# ## What deviates
#
# - Ours are steps on images that stay the same, without augmentation; the paper's are whole epochs, so that its ratio
#   contains work that is equal for both. Small networks show overheads that a large one hides.
# - The forward pass of CS-QCFS differs from that of QCFS in one Softplus over the thresholds, the backward pass in a
#   sum for each channel instead of one for the layer.
# - The paper's increase leaves out that CS-QCFS trains 100 epochs more: fine-tuning adds a third to the 300 of QCFS,
#   see [Audit of the paper](audit.ipynb).

# %%
table6.provenance()
