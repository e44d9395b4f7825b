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
# # Fig. 2: QCFS, ReLU and IF under positive and negative thresholds
#
# What do activation and neuron do when the trained threshold is negative?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.claims import audit, response
from csqcfs.paper.pages import page
from csqcfs.paper.plots import activation

figure2 = page.open("figure2", profile, seeds)
figure2.found()

# %% [markdown]
# With a positive threshold, QCFS (Eq. 11) and the IF neuron (Eqs. 1-3) answer alike, which is what conversion rests on. QCFS
# does not keep its threshold positive, and the paper argues that activation and neuron then part ways (Eqs. 12-14).

# %% [markdown]
# ## Five panels of the paper, and a sixth
#
# (a) to (e) are the paper's. In (f) the neuron divides its input by the threshold and fires at 1, as older public code does:
# in that form a negative threshold does no harm, because both negative signs cancel.

# %%
figure2.figure(activation.behaviours(), "Activations and IF neurons, L = T = 4")

# %% [markdown]
# ## Eqs. 12-14 against simulation
#
# Eq. 12 defines the error as QCFS(z) − φ(T). For a negative threshold and T = L the derivation gives λ for z < λ, then
# λ/L floor(zL/λ + 1/2) − λ [z ≥ λ/2], and −λ for z ≥ 0. Eq. 14 prints the outer cases with the opposite sign.

# %%
figure2.figure(activation.negative_errors(), "Error for λ = −1 and L = T = 4", "figure2-errors")

# %% tags=["nbval-check-output"]
figure2.table(
    response.negative_table(),
    "Eq. 12 for λ = −1 and L = T = 4: the error, and at how many of 385 inputs each form gives it",
    "figure2-errors",
)

# %% [markdown]
# The last column is the largest error of the neuron in panel (f). The paper's statements on Eqs. 12-14 and Fig. 2,
# recomputed (from the [Audit of the paper](audit.ipynb)):

# %% tags=["nbval-check-output"]
figure2.table(
    audit.shown(
        audit.select(
            "eq13-constant-input",
            "eq13-other-timesteps",
            "eq13-uneven-input",
            "eq14-outer-cases",
            "eq14-middle-case",
            "eq14-normalised-neuron",
            "negative-threshold-behaviour",
        )
    ),
    "Eqs. 12-14 and Fig. 2: claims recomputed",
    "figure2-claims",
)

# %% [markdown]
# ## What deviates from the paper
#
# - The outer cases of Eq. 14 have the sign of φ(T) − QCFS, the order of Eq. 10, not that of Eq. 12. The text at hand was read
#   by a machine: the middle case (z − L in the numerator) may be a misread z L.
# - Eq. 13 ("the error is zero" for positive thresholds) holds for a constant input and T = L; uneven input or another T leave
#   an error, see [Where conversion error lives](conversion_error.ipynb).
# - The harm depends on the form of the neuron, which the paper does not discuss.

# %%
figure2.provenance()
