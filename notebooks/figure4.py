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
# # Fig. 4: accuracy of ReLU, QCFS and CS-QCFS networks over L
#
# What does quantization cost the network itself, before any spike?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import page
from csqcfs.paper.plots import quantization

figure4 = page.open("figure4", profile, seeds)
figure4.found()

# %% [markdown]
# The paper compares the networks (not the SNNs) with ReLU, QCFS and CS-QCFS for quantization steps L = 2, 4, 8, 16, 32
# (section 5.2) and finds CS-QCFS comparable to QCFS everywhere, and both similar to ReLU for L > 4.

# %% [markdown]
# ## Accuracy over L
#
# The network with ReLU has no L: a dashed line. Where one data set stands in for both of the paper's, panels differ only
# in what the paper sets differently for them, and trainings that are the same for both are drawn once. A panel or point
# without a record is left out, and bars are where the records count their test images.

# %%
figure4.figure(quantization.figure4(figure4), "Accuracy of the networks themselves over L; bars: 95 % intervals")

# %% [markdown]
# ## Ours beside the paper's
#
# The paper prints no numbers of this figure. Its two claims are the two columns of differences: near 0 in the first for
# every L, near 0 in the second for L > 4. A column is left out where nothing of it was run.

# %% tags=["nbval-check-output"]
frame = quantization.figure4_table(figure4)
figure4.table(frame, "Accuracy (%) of the networks themselves, and differences of means in percentage points")

# %% [markdown]
# ## What deviates
#
# - CS-QCFS networks have a second stage of training, the others have not: the paper's comparison gives them more epochs
#   (300 + 100 against 300). A second layer-wise stage is in [Table 4](table4.ipynb).
# - The initial threshold is the paper's for each network and data set and does not change with L. For a small L, stage 1,
#   which is plain QCFS, can turn a threshold negative; then there is no CS-QCFS network to fine-tune, since Softplus
#   reaches no negative value, and its point is missing. The paper does not mention this case.
# - In the profile `quick` the networks of all L on a data set start from the ReLU network of one seed, so that they differ in
#   L alone. The paper's own L has the other seeds as well; the ReLU line is a training of its own, as long as the others.
# - The last epoch of each training counts; nothing is chosen on test images.

# %% [markdown]
# ## Where to go next
#
# [Fig. 5](figure5.ipynb) converts the same networks and shows what L means for latency.

# %%
figure4.provenance()
