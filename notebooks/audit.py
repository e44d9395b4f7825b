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
# # Audit of the paper
#
# Do the paper's own numbers and equations agree with each other?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.claims import audit, corrections
from csqcfs.paper.pages import page

paper_audit = page.open("audit", profile, seeds)
paper_audit.found()

# %% [markdown]
# Every check recomputes a statement from printed numbers or from the definitions, in code that shares no
# neuron and no activation with our implementation. "Does not hold" is about the text at hand, which was read by a machine from the published page: where a lost
# sign or factor would explain it, the finding says so.

# %% [markdown]
# ## Verdicts
#
# "Not defined" are statements that have no meaning to test, such as a ratio that may divide by zero.

# %% tags=["nbval-check-output"]
paper_audit.table(audit.counts(), "Audit: number of checks by part of the paper and verdict")

# %% [markdown]
# ## The neuron and its conversion error: Eqs. 1-14, Figs. 2-3

# %% tags=["nbval-check-output"]
paper_audit.table(
    audit.shown(audit.PARTS["Eqs. 1-14, Figs. 2-3"]), "Audit, Eqs. 1-14, Figs. 2-3: claims recomputed", "audit-neuron"
)

# %% [markdown]
# ## Softplus, gradients and the algorithm: Eqs. 15-20, Algorithm 1

# %% tags=["nbval-check-output"]
paper_audit.table(
    audit.shown(audit.PARTS["Eqs. 15-20, Algorithm 1"]),
    "Audit, Eqs. 15-20, Algorithm 1: claims recomputed",
    "audit-training",
)

# %% [markdown]
# ## Comparison with other methods: Tables 1-2

# %% tags=["nbval-check-output"]
paper_audit.table(
    audit.shown(audit.PARTS["Tables 1-2, Fig. 4"]), "Audit, Tables 1-2: claims recomputed", "audit-tables"
)

# %% [markdown]
# ## Ablations: Tables 3-4

# %% tags=["nbval-check-output"]
paper_audit.table(
    audit.shown(audit.PARTS["Tables 3-4, Fig. 5"]), "Audit, Tables 3-4: claims recomputed", "audit-ablations"
)

# %% [markdown]
# ## Thresholds, training time, energy: Tables 5-7

# %% tags=["nbval-check-output"]
paper_audit.table(
    audit.shown([*audit.PARTS["Table 5, Figs. 3 and 6"], *audit.PARTS["Tables 6-7"]]),
    "Audit, Tables 5-7: claims recomputed",
    "audit-costs",
)

# %% [markdown]
# ## Corrected equations
#
# **Eq. 9** with the initial potential, for a constant input $z$:
#
# $$\phi(T) = \frac{\theta}{T}\,\mathrm{clip}\left(\left\lfloor \frac{T z + v(0)}{\theta} \right\rfloor, 0, T\right)$$
#
# **Eq. 14** in the order of Eq. 12, for $\lambda < 0$ and $T = L$:
#
# $$\mathrm{QCFS}(z) - \phi(T) = \begin{cases}
# \lambda & z < \lambda \\
# \frac{\lambda}{L} \left\lfloor \frac{z L}{\lambda} + \frac12 \right\rfloor - \lambda\,[z \ge \frac{\lambda}{2}] & \lambda \le z < 0 \\
# -\lambda & z \ge 0 \end{cases}$$
#
# **Eqs. 19-20** with $\theta = \mathrm{Softplus}(\lambda)$:
#
# $$\frac{\partial f}{\partial z} = \left[-\tfrac{\theta}{2L} < z < \theta - \tfrac{\theta}{2L}\right] \qquad
# \frac{\partial f}{\partial \lambda} = \mathrm{Sigmoid}(\lambda) \begin{cases}
# (f - z) / \theta & -\frac{\theta}{2L} < z < \theta - \frac{\theta}{2L} \\
# 1 & z \ge \theta - \frac{\theta}{2L} \\
# 0 & z \le -\frac{\theta}{2L} \end{cases}$$
#
# **Algorithm 1**, line 9: $\lambda_i \leftarrow \log(e^{\theta} - 1)$; line 16: $V_i \leftarrow \mathrm{Softplus}(\lambda_i)$.
#
# The proof is numerical: each form beside a reference that does not use it (simulation, or finite differences).

# %% tags=["nbval-check-output"]
paper_audit.table(
    corrections.table(), "Largest difference from the reference: corrected and printed forms", "audit-corrections"
)

# %% [markdown]
# ## What deviates from the paper
#
# - This package follows the corrected forms; each notebook says where that matters.
# - Whether the paper's claims hold on *our* records is another question: see the [Claims ledger](claims.ipynb).

# %%
paper_audit.provenance()
