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
# # Algorithm 1: the whole method on one page
#
# How does a ReLU network become a spiking one?
#
# | line of Algorithm 1 | what happens | our call |
# |---|---|---|
# | 1-5 | QCFS at every ReLU, one threshold per layer | `ann = csqcfs.quantize_activations(network, L=4, threshold=4.0, example=x)` |
# | 6 | train | `csqcfs.fit(ann, train_set, epochs=300, lr=0.1)` |
# | 7-11 | switch to CS-QCFS, one threshold per channel | `fine = csqcfs.to_channelwise(ann)` |
# | 12 | fine-tune at a tenth of the rate | `csqcfs.fit(fine, train_set, epochs=100, lr=0.01)` |
# | 13-19 | copy weights; thresholds; v(0) = θ/2 | `snn = csqcfs.convert(fine)` |
# | 20 | use it | `scores = snn(x, T=8)` |

# %% tags=["parameters"]
profile = "demo"
seeds = None

# %%
from csqcfs import page
from csqcfs.plots import spikes

algorithm1 = page.open("algorithm1", profile, seeds)
found = algorithm1.metrics(("csqcfs",))

# %% [markdown]
# ## Neurons at work
#
# One test image, the first one, on the ResNet-20 of this profile after both stages. Two neurons each of the first, a middle
# and the last layer: the membrane potential after each step (line), its threshold (dashed), and spikes (ticks).

# %%
algorithm1.figure(spikes.membranes(found))

# %% [markdown]
# ## A layer's spikes
#
# Forty neurons of the middle layer, sorted by the activation of the ANN: what the ANN says in one number, the SNN says in a
# rate. Neurons of the same target rate do not fire in step, since their inputs arrive unevenly.

# %%
algorithm1.figure(spikes.raster(found), "algorithm1-raster")

# %% [markdown]
# ## From spikes to the ANN's number
#
# The mean output over steps 1..t approaches the level of CS-QCFS (dashed), from either side.

# %%
algorithm1.figure(spikes.means(found), "algorithm1-means")

# %% [markdown]
# ## What deviates from the paper
#
# - **Line 9** hands the layer's threshold λ to CS-QCFS as raw parameter, which would change it to Softplus(λ). We start from
#   the inverse of Softplus: network and outputs are the same before and after the switch.
# - **Line 16** sets the SNN's threshold to λ; it must be Softplus(λ).
# - Offset spikes, which "Ours" of the paper's tables uses, are absent from Algorithm 1; this page shows it as printed.

# %%
algorithm1.provenance()
