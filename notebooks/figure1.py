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
# # Fig. 1: flooring and clipping error
#
# Where does the mean output of integrate-and-fire (IF) neurons differ from the ReLU it stands in for?
#
# Over T steps a neuron with threshold θ fires a whole number of times, so its mean output φ(T) is a multiple of θ/T between
# 0 and θ (Eq. 9). Against ReLU that leaves two errors (Eq. 10): **flooring**, because φ(T) moves in steps, and **clipping**,
# because φ(T) cannot exceed θ.

# %% tags=["parameters"]
profile = "demo"
seeds = None

# %%
from csqcfs import page, response
from csqcfs.plots import activation

figure1 = page.open("figure1", profile, seeds)

# %% [markdown]
# ## The errors over the input
#
# Each curve is a simulation of the neuron with a constant input, not the formula. On the left the membrane potential starts
# at 0, as Eq. 9 assumes; on the right at θ/2, as Algorithm 1 sets it. The start at θ/2 moves the steps by half their width,
# so that the flooring error is zero on average.

# %%
figure1.figure(activation.conversion_errors())

# %% [markdown]
# ## The errors in numbers
#
# Root mean square over inputs spread evenly between 0 and 2 θ, and the mean error within the range.

# %% tags=["nbval-check-output"]
figure1.table(response.error_table((1, 2, 4, 8, 16, 32)), "Flooring and clipping error of IF neurons against ReLU, in thresholds")

# %% [markdown]
# ## What deviates from the paper
#
# - Fig. 1 of the paper is a sketch without numbers; these are simulated neurons.
# - Eq. 9 drops the initial membrane potential v(0), while Algorithm 1 starts at θ/2; both cases are shown.
# - Flooring falls with T, clipping does not: only another threshold, or an activation that is clipped already (QCFS,
#   Eq. 11), removes it. The next page is Fig. 2.

# %%
figure1.provenance()
