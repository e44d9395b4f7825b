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
# # What the gradient's window changes
#
# What changes where the gradient passes as the paper says instead of as public code has it?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import page
from csqcfs.paper.pages import windows as tables
from csqcfs.paper.plots import windows as plots

windows = page.open("windows", profile, seeds)
windows.found()

# %% [markdown]
# The steps of QCFS have no gradient of their own: training passes one on where a *window* says. The paper's Eq. 19 prints
# −θ/2L < z < θ − θ/2L; no public code has this one ([Gradients of CS-QCFS](gradients.ipynb) draws those in use). With L = 4
# the paper's closes at 0.875 θ and opens at −0.125 θ. That of the newer public code, which clamps first, passes between 0 and θ;
# that of the first, which floors first, passes between −0.125 θ and 1.125 θ. What the network computes is the same with all of them.
#
# Each network below begins at the same random weights and the paper's initial threshold, and sees the same images in the same order,
# seed by seed: QCFS (L = 4) for 12 epochs. ReLU over the 12 epochs says what quantization costs. CS-QCFS for 4 more epochs with the same
# window is declared and not run.

# %%
scratch = windows.ending("plain", "training")
fig = plots.figure(scratch)
scratch.figure(
    fig, "ResNet-20 trained with each window; bars: 95 % intervals, with n = 1 over images alone; dashes: each seed"
)

# %% tags=["nbval-check-output"]
scratch.table(tables.frame(scratch), "Accuracy (%) of plain neurons, and the thresholds")

# %% [markdown]
# ## Against the paper's window
#
# Compared image by image; ± is half of the 95 % interval.

# %% tags=["nbval-check-output"]
scratch.table(tables.gains(scratch), "Differences in percentage points", "windows-gains")

# %% [markdown]
# ## With the schedule of the tables
#
# The schedule that the profile has for [Table 1](table1.ipynb), with the window of the newer public code; and one with half as many
# epochs of QCFS, with that window and with the paper's. The shorter one was simulated on 5,000 of the test images.

# %% tags=["nbval-check-output"]
own = windows.ending("schedule", "shorter")
own.table(tables.own_schedule(own), "Accuracy (%) of plain neurons after a network of ReLU", "windows-schedule")

# %% [markdown]
# ## Which schedule reaches 90 %
#
# Schedules are chosen on training images that are held out, never on test images. These are the three that were tried after
# 30 epochs of ReLU; the one with the paper's window was trained on another processor, with other images held out.

# %% tags=["nbval-check-output"]
tried = windows.ending("held out", "shorter, held out")
tried.table(tables.held_out(tried), "Accuracy (%) of the network itself after each schedule", "windows-held-out")

# %% [markdown]
# ## From low thresholds
#
# The training of Fig. 6a: QCFS with L = 8 from an initial threshold of 1. Does a threshold turn negative, which Softplus is there to
# prevent? Of the windows, those below were run; the others are declared.

# %% tags=["nbval-check-output"]
low = windows.ending("low")
low.table(
    tables.low_start(low),
    "Epoch after which a threshold is not positive, the least of all epochs, and how many layers have one at the end",
    "windows-low",
)

# %% [markdown]
# ## How to read it
#
# - **As an ANN** QCFS ends higher with both windows of public code, in each of three seeds: by 3 points with the newer one, by 2 with
#   the first. The first, floor, then clamp, has the paper's lower end, so that most of it is the upper end: the paper's window closes
#   before the activation reaches its threshold.
# - **As an SNN of few steps** the newer one is lower at T = 1 in each of three seeds, by 3, 8 and 18 points, and higher at T = 8 in
#   each, by 2 to 5. The seeds lie too far apart for either to be decided, and so they do with the first.
# - **After a ReLU network** and 15 epochs of QCFS little of it is left: one seed is undecided as an ANN and in the first steps, and a
#   point ahead at T = 16 and 32. The two networks were trained on different processors, with other held-out images.
# - **Twice as many epochs of QCFS** with the newer window pass 90 % of the held-out images in each of three seeds. As an SNN the first of
#   these is 3 to 4 points above the one with 15 epochs at T = 1 to 4, on twice as many test images. Its own seeds end up to 8 points apart
#   at T = 1, so that this may be the seed's.
# - **The paper's own numbers.** Our record of its schedule lies 2.2 points below its ANN and 1.5 below its T = 2
#   ([Table 1](table1.ipynb)), with the window that it prints. Another window may explain the first. Whether it
#   does is declared and not run: `./run_all.sh --profile paper --only windows`, 400 epochs.
#
# ## What deviates
#
# - 12 epochs (one-cycle, rate 0.1, batch 128, crop and flip) instead of 300. Neither length nor rate was tuned.
# - Which window the authors of the paper trained with is not known: they print Eq. 19, and their code is not public.
# - The window of floor, then clamp under PyTorch 2.14 is not trained here.
#
# ## Where to go next
#
# [Table 1](table1.ipynb) has the networks of the paper's own schedule, trained with the paper's window;
# `csqcfs.quantize_activations(network, window="clamp_floor")` trains your own with another.

# %%
windows.provenance()
