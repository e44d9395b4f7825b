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
# ## Sliders
#
# Blue is the activation, purple the neuron's mean output and, in the middle, its membrane potential; the dot is the
# output at the input z that the slider chooses, the ticks are its spikes. Scales stay as they are, so that what moves
# was moved by a slider; a potential may leave its frame. The buttons are starting points. Without a running kernel a
# still picture stands in for the sliders: *Run*, *Run All Cells* brings them.

# %%
playground.show_sliders()

# %% [markdown]
# **Try this** (the answers are below each; guess first).
#
# 1. Press *T = L* and move z: why does the dot never leave the blue curve? Now set T to 5.
#    <details><summary>Answer</summary>With a constant input and T = L the neuron counts just as QCFS rounds (Eq. 11);
#    T = 5 has steps of a fifth of θ where the activation has quarters.</details>
# 2. Press *starts empty*: on which side of 0 is the error at the right, and by how much on average?
#    <details><summary>Answer</summary>Below: without v(0) = θ/2 the neuron rounds down instead of to the nearest
#    level, half a step too low on average.</details>
# 3. Press *negative threshold* and move z through 0: when does the neuron fire, and what is a spike worth?
#    <details><summary>Answer</summary>It fires at every step once z is above θ/2, and each spike is worth θ, which is
#    negative: [Fig. 2](figure2.ipynb), panel (e).</details>

# %% [markdown]
# ## A few settings
#
# The same views as a still picture. Columns: T below, equal to and above L, and a neuron that starts empty. Rows:
# activation and mean output over the input, with the chosen input marked; the membrane potential and spikes for it; the
# error over the input.

# %%
play.figure(playground.grid(), "Activation, neuron and error for θ = 1 and an input of 0.6")

# %% [markdown]
# The same in numbers, at the input that is marked:

# %% tags=["nbval-check-output"]
play.table(playground.table(), "Outputs for an input of 0.6 and threshold 1", digits=4)

# %% [markdown]
# ## Where to go from here
#
# - [Fig. 1](figure1.ipynb) and [Fig. 2](figure2.ipynb) are two still pictures of this page.
# - [Where conversion error lives](conversion_error.ipynb) does the same for every layer of a trained network, whose
#   inputs are not constant.

# %%
play.provenance()
