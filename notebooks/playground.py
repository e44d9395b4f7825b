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
# # Playground
#
# How do threshold, quantization step L, time-steps T, input and initial membrane potential play together?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import page, playground

play = page.open("playground", profile, seeds)
play.found()

# %% [markdown]
# Move the sliders; activation curve, spike train and error move together. Without a running kernel the picture below shows
# the same three views for a few settings.

# %% [markdown]
# ## A few settings
#
# Columns: T below, equal to and above L, and a neuron that starts empty. Rows: activation and mean output over the input,
# with the chosen input marked; the membrane potential and spikes for it; the error over the input.

# %%
play.figure(playground.grid())

# %% [markdown]
# The same in numbers, at the input that is marked:

# %% tags=["nbval-check-output"]
play.table(playground.table(), "Outputs for an input of 0.6 and threshold 1", digits=4)

# %% [markdown]
# ## Sliders
#
# Things to try: T = L = 4 and any input: the dot lies on the curve. v(0) = 0: the output is too low by half a step on
# average. A negative threshold: see [Fig. 2](figure2.ipynb).

# %%
playground.show_sliders()

# %% [markdown]
# ## Where to go from here
#
# - [Fig. 1](figure1.ipynb) and [Fig. 2](figure2.ipynb) are two still pictures of this page.
# - [Where conversion error lives](conversion_error.ipynb) does the same for every layer of a trained network, whose inputs are not constant.

# %%
play.provenance()
