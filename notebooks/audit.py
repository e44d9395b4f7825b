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
# # Audit of the paper
#
# Do the paper's own numbers and equations agree with each other?
#
# Every check recomputes a statement from printed numbers or from the definitions, in code that shares nothing with our
# implementation. "Does not hold" is about the text at hand, which was read by a machine from the published page: where a lost
# sign or factor would explain it, the finding says so.

# %% tags=["parameters"]
profile = "demo"
seeds = None

# %%
from csqcfs import audit, corrections, page

paper_audit = page.open("audit", profile, seeds)

# %% [markdown]
# ## Verdicts

# %% tags=["nbval-check-output"]
paper_audit.table(audit.counts(), "Checks by part of the paper and verdict", "audit-counts")

# %% [markdown]
# ## Every check
#
# Place, claim, verdict and what was found.

# %% tags=["nbval-check-output"]
paper_audit.table(audit.table(), "Audit of the paper: claims recomputed")

# %% [markdown]
# ## Corrected equations
#
# - Eq. 9 with the initial potential: $\phi(T) = \frac{\theta}{T}\,\mathrm{clip}\left(\left\lfloor \frac{T z + v(0)}{\theta} \right\rfloor, 0, T\right)$ for constant input.
# - Eq. 14, in the order of Eq. 12, for $\lambda < 0$ and $T = L$: $\lambda$ for $z < \lambda$; $\frac{\lambda}{L}\lfloor \frac{zL}{\lambda} + \frac12 \rfloor - \lambda\,[z \ge \frac{\lambda}{2}]$ for $\lambda \le z < 0$; $-\lambda$ for $z \ge 0$.
# - Eqs. 19-20 with $\theta = \mathrm{Softplus}(\lambda)$: $\frac{\partial f}{\partial z} = 1$ for $-\frac{\theta}{2L} < z < \theta - \frac{\theta}{2L}$; $\frac{\partial f}{\partial \lambda} = \mathrm{Sigmoid}(\lambda)\,\frac{f - z}{\theta}$ there, $\mathrm{Sigmoid}(\lambda)$ above, 0 below.
# - Algorithm 1, line 9: $\lambda_i \leftarrow \log(e^{\theta} - 1)$. Line 16: $V_i \leftarrow \mathrm{Softplus}(\lambda_i)$.
#
# The proof is numerical: each form beside a reference that does not use it (simulation, or finite differences).

# %% tags=["nbval-check-output"]
paper_audit.table(corrections.table(), "Largest difference from the reference: corrected and printed forms", "audit-corrections")

# %%
paper_audit.provenance()
