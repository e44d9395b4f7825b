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
# # Fig. 6: thresholds over training
#
# Do plain thresholds cross zero, and what does that do to the SNN?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import page
from csqcfs.paper.plots import thresholds

figure6 = page.open("figure6", profile, seeds)
figure6.found()

# %% [markdown]
# The paper shows that QCFS thresholds become negative (a) for ResNet-20 from "lower" initial thresholds and (b) for
# VGG-16 from the usual one "under various settings of L" (section 5.6.2), and concludes that Softplus is essential. It
# shows neither the accuracy of these networks nor that of their SNNs; both are here.

# %% [markdown]
# ## Traces
#
# Thin lines: the smallest threshold of each layer (with QCFS it has only one). Thick: the smallest of the network. A
# cross marks the epoch in which it first is not positive. CS-QCFS is used **from the start** here, with thresholds per
# channel, so that the two differ from the first step on. The axis is linear to ±1 and logarithmic beyond, in all panels,
# since a threshold may run away while another hardly moves.

# %%
figure6.figure(thresholds.figure6(figure6), "Smallest threshold of each layer and of the network over training")

# %% [markdown]
# ## What the crossing does to the SNN
#
# A network with a negative threshold still computes: QCFS then passes on negative inputs and blocks positive ones. An IF
# neuron with a negative threshold does something else (Eqs. 12-14): it fires at every step for every positive input, and
# its spikes are worth a negative value. So the layer after it hears less the more it should hear, and the network can
# end *below* guessing. In the figure, rows with such a threshold are bold.

# %%
fig = thresholds.effect_figure(figure6)
figure6.figure(fig, "Accuracy of the network and of its SNN, by its smallest threshold", "figure6-snn")

# %% tags=["nbval-check-output"]
frame = thresholds.effect_table(figure6)
figure6.table(frame, "Thresholds after training, and accuracy (%) of the network and of its SNN", "figure6-snn")

# %% [markdown]
# ## Ours beside the paper's
#
# The paper's claim has two halves. That plain thresholds cross zero is the column "θ ≤ 0 from epoch"; that Softplus
# prevents it holds by construction, and the same column shows it. What the paper does not show: a threshold that stays
# positive is not yet a useful one. Softplus can run towards 0, where the output of its layer vanishes. In the
# profile `demo` it does, from the lowest initial threshold (θ ≈ 0, and the accuracy of guessing); in `quick` it does not.
#
# ## What deviates
#
# - The paper gives neither the low initial thresholds nor the values of L. Ours are in the rows.
# - SNNs are plain IF neurons in the raw form of Eqs. 1-3. The normalised form (input divided by θ, threshold 1) follows
#   the activation also for θ < 0, so this damage belongs to one form of the neuron; see [Fig. 2](figure2.ipynb).
# - One seed: a trace is one training. Where one data set stands in for both, their trainings are the same and are
#   shown once.

# %%
figure6.provenance()
