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
# # Algorithm 1: the whole method on one page
#
# How does a ReLU network become a spiking one?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.claims import audit
from csqcfs.paper.experiments import registry
from csqcfs.paper.pages import algorithm, page
from csqcfs.paper.plots import spikes

algorithm1 = page.open("algorithm1", profile, seeds)
found = algorithm1.metrics(("csqcfs",))
algorithm1.found()

# %% [markdown]
# Twenty lines of the paper turn one into the other: quantize the activations, train, switch to thresholds per channel,
# fine-tune, convert. Here each line stands beside the call that does it, and then a network made in this way is at work.

# %% [markdown]
# ## Line by line

# %% tags=["nbval-check-output"]
algorithm1.table(
    algorithm.table(),
    "Algorithm 1 and the calls of this package",
    "algorithm1-lines",
    source="the paper's text and this package, no data",
)

# %% [markdown]
# ## Neurons at work
#
# One test image, the first in the order in which this package keeps them (by class), on the ResNet-20 of this profile after both
# stages. Two neurons each of the first, a middle
# and the last layer, at the median and at the 90th percentile of the active ones. The membrane potential rises by the input
# of each step; at or above the threshold the neuron fires and loses θ, not everything: what is left over
# stays (soft reset). In the first layer the input is the same at every step, further in it is not.

# %%
algorithm1.figure(spikes.membranes(found), "Membrane potentials and spikes of six neurons of ResNet-20, one test image")

# %% [markdown]
# **Try this.** (1) In which of the panels does the potential climb without end? Why does that do no harm to the rate?
# (2) Find a neuron whose potential is above the threshold after a spike: what would be lost if the reset went to 0?
#
# <details><summary>Answers</summary>
#
# (1) Where the SNN's mean input is above θ: the neuron fires at (almost) every step, which is the highest rate there is, and what is
# left over never comes out. In the first layer, where the ANN has the same input, that is its clipping; further in the SNN's mean input may lie above
# θ where the ANN's does not, and the rate is too high. (2) The part of v above θ: soft reset subtracts θ, so that no input is lost.
#
# </details>
#
# ## A layer's spikes
#
# Forty neurons of the middle layer, sorted by the activation of the ANN: what the ANN says in one number, the SNN says in a
# rate. Neurons of the same target rate do not fire in step, since their inputs arrive unevenly.

# %%
algorithm1.figure(spikes.raster(found), "Spikes of one layer, and their rates beside the ANN's", "algorithm1-raster")

# %% [markdown]
# ## From spikes to the ANN's number
#
# The mean output over steps 1..t, the level f(z) of CS-QCFS (dashed) and the ANN's input z itself, clipped to the threshold
# (dotted). In the first layer, where the input is constant, the mean is f(z) exactly after T = L steps (grey line) and tends
# to the dotted line after that: the longer run is finer than the activation it stands for. Deeper neurons follow with
# errors, since their inputs arrive unevenly and their mean is not the ANN's.

# %%
algorithm1.figure(spikes.means(found), "Mean output of the same six neurons over time", "algorithm1-means")

# %% [markdown]
# **Try this.** Read off each panel at the grey line T = L: which means lie on the dashed line? In your own copy,
# `found[0]["neurons"][0]["input"]` is the input of panel (a) at each step: is it constant?
#
# ## The corrections in numbers
#
# What lines 9, 16 and 17 do as printed (from the [Audit of the paper](audit.ipynb)).

# %% tags=["nbval-check-output"]
algorithm1.table(
    audit.shown(audit.select("alg1-line9", "alg1-negative-start", "alg1-line16", "half-threshold")),
    "Algorithm 1: claims recomputed",
    "algorithm1-claims",
    source=registry.EQUATIONS,
)

# %% [markdown]
# ## What deviates from the paper
#
# - **Line 9** hands the layer's threshold λ to CS-QCFS as raw parameter, which would change it to Softplus(λ). We start from
#   the inverse of Softplus: network and outputs are the same before and after the switch.
# - **Line 16** sets the SNN's threshold to λ; it must be Softplus(λ).
# - Offset spikes, which "Ours" of the paper's tables uses, are absent from Algorithm 1; this page shows it as printed.

# %%
algorithm1.provenance()
