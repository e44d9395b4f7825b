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
# # Table 5: spread of the channel thresholds
#
# How different are the thresholds of one layer's channels?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import page
from csqcfs.paper.plots import spread

table5 = page.open("table5", profile, seeds)
table5.found()

# %% [markdown]
# For each layer, Diff = (largest − smallest) / smallest threshold. MaxDiff is the largest Diff of all layers, AvgDiff
# their mean (section 5.6.1). The paper takes large values as proof that one threshold per layer is too few.

# %% [markdown]
# ## Ours beside the paper's
#
# With Softplus there are two candidates for "the threshold": the trained parameter λ, and the value θ = Softplus(λ) at
# which neurons fire. The paper does not say which it took. The first two columns use θ, the last two λ; for C-QCFS both
# are the same. "undefined" stands where the smallest value of some layer is not positive.

# %% tags=["nbval-check-output"]
frame = spread.table5(table5)
table5.table(frame, "Table 5. Spread of the thresholds within a layer (%), paper and ours", digits=1)

# %% [markdown]
# ## Where the channels differ
#
# Diff of every layer, first seed. All channels of a layer start stage 2 from one value, so this is how far fine-tuning
# moves them apart.

# %%
first = page.open("table5", profile, 1)
table5.figure(spread.figure(first), "Spread of the thresholds within each layer", source=first.source)

# %% [markdown]
# ## What deviates
#
# - The spread depends on the rate and the schedule of fine-tuning: CS-QCFS on CIFAR-10 has an AvgDiff of 10.8 % after the 10 epochs
#   of `quick` and of 15.5 % after the paper's 100 (profile `paper`). Where the schedule is another, the order of the rows can be compared,
#   and not their size.
# - MaxDiff depends on one channel of one layer. Without Softplus nothing keeps the smallest threshold away from 0, and
#   (max − min) / min grows without bound as it gets there: C-QCFS's large values may say that, and not that its channels
#   differ more.
# - The spread of θ is smaller than that of λ, most where thresholds are small, because Softplus flattens there.
# - Both activations start from the same network. Where thresholds are well above 1, Softplus has slope 1, and C-QCFS and
#   CS-QCFS should spread alike; the paper's factor of 2 to 15 between them needs small thresholds, or something else that
#   differs between the two trainings.
# - The paper prints 99.5 without its % sign.
# - Where one data set stands in for both, a network with the same settings for both has the same rows and is drawn once.

# %% [markdown]
# ## Where to go next
#
# [Fig. 6](figure6.ipynb) follows the thresholds through training, to where plain ones cross zero.

# %%
table5.provenance()
