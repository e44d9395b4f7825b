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
# # Fig. 5: accuracy over T for each L
#
# Which quantization step suits which latency?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import page
from csqcfs.paper.plots import quantization

figure5 = page.open("figure5", profile, seeds)
figure5.found()

# %% [markdown]
# The paper converts CS-QCFS networks trained with L = 2, 4, 8, 16, 32 (section 5.5) and finds that a larger L costs
# accuracy within four time-steps, that L = 2 limits the best accuracy, and recommends 4 or 8.

# %% [markdown]
# ## Accuracy over time
#
# Simulated as the paper does for "Ours": with offset spikes, which look at 4 steps in every layer before the first one
# counts. Lines run from light (L = 2) to dark (L = 32).

# %%
figure5.figure(
    quantization.figure5(figure5), "CS-QCFS with offset spikes over T, a line for each L; bands: 95 % intervals"
)

# %% [markdown]
# ## Ours beside the paper's
#
# The paper prints no numbers of this figure. Its claims can be read from the columns: T = 1, 2, 4 should fall with L;
# "best T − ANN", the difference between the best time-step of the SNN and its own network, should be clearly negative for
# L = 2 only.

# %% tags=["nbval-check-output"]
frame = quantization.figure5_table(figure5)
figure5.table(frame, "Accuracy (%) of CS-QCFS networks and of their SNNs with offset spikes")

# %% [markdown]
# ## What deviates
#
# - "Best T" is the best of T = 1, 2, 4, ..., 32 on the test images themselves, because the paper reads its figure that
#   way. It is a description of the curve, not a fair estimate of accuracy.
# - The distance to its own ANN says nothing about the ANN: with a small L both can be low together. The column "ANN"
#   has to be read with it.
# - ρ = 4 for every L. For L > ρ the offset looks at fewer steps than the network has levels.
# - In the profile `quick` the paper's own L of each network has more seeds than the others, which have the one from whose
#   ReLU network all start; the [ledger](claims.ipynb) compares L with L on the seeds that both have.
# - A line can be missing for a small L: see [Fig. 4](figure4.ipynb).

# %% [markdown]
# ## Where to go next
#
# [Where conversion error lives](conversion_error.ipynb) looks into the layers behind these curves.

# %%
figure5.provenance()
