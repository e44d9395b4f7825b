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
# # Table 7: operations and energy
#
# How much energy does an inference take, by which counting?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import costs, page
from csqcfs.paper.plots import costs as plots

table7 = page.open("table7", profile, seeds)
table7.found()

# %% [markdown]
# Section 5.7 counts accumulations (AC) and multiply-accumulations (MAC) for one image of CIFAR-100 through ResNet-50
# and multiplies them by 0.9 pJ and 4.6 pJ (45 nm, Horowitz 2014). The time-step T and the convention of counting are
# not stated. Both decide the result, so this page shows all of them side by side.

# %% [markdown]
# ## How we count
#
# A synaptic operation is one weight that meets one input that is not zero, counted exactly: a neuron near the border
# of a padded or strided convolution has a smaller fan-out than one in the middle. Averages over test images. The
# ANN's MACs follow from the layers' shapes. Three choices are open, and counting tools differ in them:
#
# - The image is analog and constant, so its layer needs to be computed once; most counts have it once per step.
# - Behind average pooling, values are sums of spikes. With θ folded into the next weights they cost additions;
#   NeuroBench and SpikingJelly call every input that is not 0 or 1 a MAC.
# - Where θ is *not* folded, a spike is worth θ, and the same tools count **every** layer as MAC.
#
# | convention | first layer | averaged spikes | spikes worth θ |
# |---|---|---|---|
# | folded (our default) | once, MAC | AC | AC |
# | first layer each step | T times, MAC | AC | AC |
# | averages MACs | T times, MAC | MAC | AC |
# | all MACs | T times, MAC | MAC | MAC |
#
# Membrane updates and biases are left out; the paper does not say whether it counts them.

# %% [markdown]
# ## Ours beside the paper's
#
# At T = 4, the paper's L for ResNet-50; plain IF neurons, no steps before the first one. Sizes are those of the
# profile's networks and images, so that only the last column and ratios compare where the profile is not `paper`.

# %% tags=["nbval-check-output"]
caption = "Table 7. Operations and energy for one image, the paper's (T not stated) and ours (T = 4)"
table7.table(costs.table7_frame(table7, T=4), caption, digits=3)

# %% [markdown]
# ## By convention, over T
#
# Energy in % of the ANN's. Above 100 the spiking network costs more than the network it came from.

# %% tags=["nbval-check-output"]
table7.table(
    costs.conventions_frame(table7), "Energy of the SNN in % of its ANN's, by convention", "table7-conventions"
)

# %%
table7.figure(plots.energy_over_time(table7), "Additions and energy over time")

# %% [markdown]
# Left: additions for each synapse up to T; the dashed lines are the paper's two counts over its synapses, which compare
# whatever the size of ours is. Right: the same networks by the four conventions, and the ANN. Lines of one method lie on
# each other where only the classifier sees averaged spikes, and those of QCFS and CS-QCFS nearly everywhere.

# %% [markdown]
# ## Which T would give the paper's counts?
#
# The paper's accumulations imply one T, its MACs another: in an SNN with analog coding they can only come from the
# first convolution (and from averaged spikes), and should be a whole number of times it.

# %% tags=["nbval-check-output"]
table7.table(costs.matching_frame(table7), "The T that the paper's counts imply", "table7-T")

# %% [markdown]
# ## What deviates
#
# - A T below 1 in the last table means that our networks have more additions in their *first* step than the paper's
#   in all of theirs: its networks would have to be sparser, or its count is of something else.
# - The printed MACs differ between two SNNs of one structure, which no convention above explains; see [Audit of the paper](audit.ipynb), which also recomputes the printed increase.
# - The paper's "Ours" uses offset spikes, whose ρ steps in every layer cost operations too; they are not part of this
#   table, see [What T = 1 costs](latency.ipynb).

# %%
table7.provenance()
