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
# # Fig. 1: flooring and clipping error
#
# Where does the mean output of integrate-and-fire (IF) neurons differ from the ReLU it stands in for?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.claims import audit, response
from csqcfs.paper.pages import page
from csqcfs.paper.plots import activation

figure1 = page.open("figure1", profile, seeds)
figure1.found()

# %% [markdown]
# Over T steps a neuron with threshold θ fires a whole number of times, so its mean output φ(T) is a multiple of θ/T between
# 0 and θ (Eq. 9). Against ReLU that leaves two errors (Eq. 10): **flooring**, because φ(T) moves in steps, and **clipping**,
# because φ(T) cannot exceed θ.

# %% [markdown]
# ## The errors over the input
#
# Each curve is a simulation of the neuron with a constant input, not the formula. On the left the membrane potential starts
# at 0, as Eq. 9 assumes; on the right at θ/2, as Algorithm 1 sets it. The start at θ/2 moves the steps by half their width,
# so that the flooring error is zero on average.

# %%
figure1.figure(activation.conversion_errors(), "Simulated IF neurons, threshold 1, constant input")

# %% [markdown]
# ## The errors in numbers
#
# Flooring error, its mean and its largest size, over inputs spread evenly between 0 and θ; "bound" is θ/T from v(0) = 0 and
# θ/2T from θ/2. The clipping error at one input, 2 θ, does not depend on T.

# %% tags=["nbval-check-output"]
figure1.table(
    response.error_table((1, 2, 4, 8, 16, 32)),
    "Flooring and clipping error of IF neurons against ReLU, in thresholds",
    digits=3,
)

# %% [markdown]
# ## What the paper says about it
#
# Its statements on Eqs. 8-10 and on the start at half the threshold, recomputed (from the [Audit of the paper](audit.ipynb)).

# %% tags=["nbval-check-output"]
figure1.table(
    audit.shown(audit.select("eq8-resolution", "eq9-start", "eq9-clip", "eq10-errors", "half-threshold")),
    "Eqs. 8-10: claims recomputed",
    "figure1-claims",
)

# %% [markdown]
# ## What deviates from the paper
#
# - Fig. 1 of the paper is a sketch without numbers; these are simulated neurons.
# - Eq. 9 drops the initial membrane potential v(0), while Algorithm 1 starts at θ/2; both cases are shown.
# - Flooring falls with T, clipping does not: only another threshold, or an activation that is clipped already (QCFS,
#   Eq. 11), removes it.

# %%
figure1.provenance()
