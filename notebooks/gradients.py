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
# # Eqs. 19-20: gradients of CS-QCFS
#
# Do the printed derivatives agree with finite differences of the function they derive?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.claims import audit, gradient_check
from csqcfs.paper.pages import page
from csqcfs.paper.plots import activation

gradients = page.open("gradients", profile, seeds)
gradients.found()

# %% [markdown]
# CS-QCFS is f(z) = θ clip(floor(z L/θ + 1/2)/L, 0, 1) with θ = Softplus(λ). With the straight-through rule, d floor(x)/dx = 1,
#
# $$\frac{\partial f}{\partial z} = 1 \text{ for } -\frac{\theta}{2L} < z < \theta - \frac{\theta}{2L}, \text{ else } 0
# \qquad
# \frac{\partial f}{\partial \lambda} = \mathrm{Sigmoid}(\lambda) \cdot \begin{cases} (f - z)/\theta & \text{inside} \\ 1 & \text{above} \\ 0 & \text{below} \end{cases}$$

# %% [markdown]
# ## Over the input
#
# A wide pale line is what PyTorch's autograd gets through `csqcfs.CSQCFS`, the thin line the finite difference with the
# floor frozen, the dashed line the printed formula. The lower axis is logarithmic beyond ±1. At λ = −1 the printed range
# is empty, so that no gradient would reach the weights at all, and the cases of Eq. 20 around it overlap: 1 is taken where both are meant.

# %%
gradients.figure(activation.gradients(), "Derivatives of CS-QCFS over its input, L = 4")

# %% [markdown]
# ## Largest deviations
#
# From the finite difference, over the inputs of the figure, and at what share of them there is a deviation.

# %% tags=["nbval-check-output"]
gradients.table(
    gradient_check.deviations(), "Largest difference from finite differences: as implemented, derived and printed"
)

# %% [markdown]
# ## Four windows in use
#
# Same values forward, different training: public codes disagree on where the input gradient passes. The paper's Eq. 19 is
# our default; the others are one named argument, `window=`. Above the window the gradient goes to the threshold alone:
# between 0.875 and 1.125 thresholds they disagree on which of the two should move.
#
# The public codes leave the gradient of a clamp to PyTorch, and PyTorch 2.14 changed it at the clamp's bounds from 1 to 0
# (2.11 and 2.13 give 1, 2.14 gives 0). Code that floors first (the first public QCFS code, SRP, COS) lies on a bound over a
# whole step at either end: since 2.14 its window is narrower by a step at either end, without a changed line. Code that clamps first (the newer public QCFS code) meets the bounds at single points only.
#
# What each of them does to an ANN and its SNN is measured in [What the gradient's window changes](windows.ipynb).

# %%
gradients.figure(activation.windows(), "Gradient windows, θ = 1, L = 4", "gradients-windows")

# %% tags=["nbval-check-output"]
gradients.table(
    gradient_check.window_table(), "Gradients at a few inputs for each window (threshold 1, L = 4)", "gradients-windows"
)

# %% [markdown]
# ## What the paper says about it
#
# Its statements on Softplus and on Eqs. 19-20, recomputed (from the [Audit of the paper](audit.ipynb)).

# %% tags=["nbval-check-output"]
gradients.table(
    audit.shown(
        audit.select(
            "softplus-range",
            "softplus-scale",
            "eq19-window",
            "eq20-middle-case",
            "eq20-upper-case",
            "eq20-lower-case",
            "eq19-eq20-boundary",
        )
    ),
    "Eqs. 15-20: claims recomputed",
    "gradients-claims",
)

# %% [markdown]
# ## What deviates from the paper
#
# - Eqs. 19-20 write λ where θ = Softplus(λ) is meant.
# - The middle case of Eq. 20 has z e^λ where the derivative of Softplus gives z Sigmoid(λ); its upper case is 1 where it must
#   be Sigmoid(λ). A lost divisor 1 + e^λ would explain the first.
# - We train with the derivation, not with the misprints.

# %%
gradients.provenance()
