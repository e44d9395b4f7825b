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
# # Index
#
# Every figure and table of the paper, and what the paper does not show: its question, its notebook, how many of its
# runs have records in the profile, and how many seconds they took to compute.

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %%
from csqcfs.paper.pages import index

# %% [markdown]
# Runs that several notebooks share are computed once and counted in each of them. The claims ledger draws on the runs
# of all the paper's artefacts and of [What Softplus costs](softplus.ipynb). `./run_all.sh --only ID` makes a single one;
# the ID is the notebook's name.

# %%
index.show(profile, seeds)
