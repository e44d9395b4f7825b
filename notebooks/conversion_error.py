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
# # Where conversion error lives
#
# Which layers lose what to flooring, clipping and unevenness?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import page
from csqcfs.paper.plots import error

errors = page.open("conversion_error", profile, seeds)
errors.found()

# %% [markdown]
# The paper says that the error is 0 for positive thresholds (Eq. 13). That holds for one neuron with a constant input and
# T = L. In a network there is more, and at every layer it can be taken apart without remainder. Let z be the input of the
# ANN's activation, x(t) that of the IF neurons, a bar the mean over T steps, and $g_T(z)$ the response of IF neurons to a
# constant input (Eq. 11 with L = T). On the way from ReLU to the SNN:
#
# | part | from → to | what it is |
# |---|---|---|
# | clipping | max(z, 0) → clip(z, 0, θ) | the activation's own, training has seen it |
# | quantization | clip(z, 0, θ) → $g_L(z)$ | the activation's own, training has seen it |
# | flooring | $g_L(z)$ → $g_T(z)$ | T steps for L levels; 0 for T = L |
# | propagated | $g_T(z)$ → $g_T(\bar x)$ | layers before deliver another mean |
# | unevenness | $g_T(\bar x)$ → mean output | spikes come too early or too late |
#
# The last three add up to SNN − ANN exactly. Clipping has no share in it: both networks clip at θ.

# %% [markdown]
# ## Over depth
#
# Root mean square over neurons and test images, in % of the neuron's own threshold, for plain IF neurons. Layers from the
# image (1) to the classifier. Above: the network with QCFS. Below: how much more of each part the network with CS-QCFS
# has, since most of their lines would hide each other. Parts are correlated, so that their squares need not
# add up to the square of the sum. Flooring at T = L, which is zero by definition (see below), is not drawn.

# %%
errors.figure(error.over_depth(errors, "vgg16"), "Error over the layers of VGG-16", "conversion_error-vgg16")

# %%
errors.figure(error.over_depth(errors, "resnet20"), "Error over the layers of ResNet-20", "conversion_error-resnet20")

# %% [markdown]
# ## Where the steps go
#
# Why does plain T = 1 fail? Not by unevenness, which needs two steps to exist: one spike has to stand for L levels, each
# layer rounds to 0 or θ, and the next one is fed with it. With QCFS the first layer alone loses 27 % of θ by it, later
# ones 12 to 28 %, and the sums behind it saturate within a few layers. Two steps halve what the first layer rounds away and take more
# than a third off the whole error, as four do again. At T = L nothing is rounded: what is left comes from spikes too early or too
# late, in every layer after the first about alike, and from what of it the layers hand on, which grows with the depth. A network that is trained for one level has nothing to lose at
# T = 1: [The honest first step](honest_first_step.ipynb).

# %%
fig = error.by_time(errors, "resnet20")
errors.figure(fig, "Parts of the error over the layers of ResNet-20, for T = 1 to 32", "conversion_error-steps")

# %% [markdown]
# Three things follow from the definitions and can be seen in every profile: the first layer has no propagated error and
# no unevenness, since its input is the same at every step; at T = 1 no layer has unevenness, since one step has no order;
# at T = L nothing is floored. In ResNet-20 every second layer follows a sum of two paths and adds up the errors of both.
#
# ## All layers in one number

# %% tags=["nbval-check-output"]
frame = error.table(errors)
errors.table(frame, "RMS error over layers in % of the threshold, at the paper's L", digits=1)

# %% [markdown]
# ## Over L
#
# The same over the quantization step, where the profile trains several. Flooring at T > L is the SNN being *finer* than
# its ANN: a difference, but not a loss. It may be why SNNs at T = 32 are often more accurate than their ANN (Tables [1](table1.ipynb), [2](table2.ipynb), [3](table3.ipynb) and [4](table4.ipynb)).

# %%
errors.figure(error.over_L(errors, "vgg16"), "Error of VGG-16 over L", "conversion_error-L-vgg16")

# %%
errors.figure(error.over_L(errors, "resnet20"), "Error of ResNet-20 over L", "conversion_error-L-resnet20")

# %% [markdown]
# ## Ours beside the paper's
#
# The paper prints no measured error. Against Eq. 13: at T = L flooring is 0 as it says, and "SNN − ANN" in the table is
# not. What is left is unevenness and its propagation. Offset spikes are made for it; whether thresholds per channel
# change it is the difference between the rows of one architecture.
#
# ## What deviates
#
# - One seed, a sample of the test images, and thresholds in the units of each network: a network with larger thresholds
#   has a smaller error in these units. Shares within one network can be compared, networks only roughly.
# - A network with a threshold that is not positive is refused: $g_T$ is not the response of its neurons ([Fig. 2](figure2.ipynb)).

# %%
errors.provenance()
