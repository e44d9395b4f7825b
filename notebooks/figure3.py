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
# # Fig. 3: activations of each channel
#
# Do the channels of one layer need different thresholds?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
from csqcfs.paper.pages import page
from csqcfs.paper.plots import channels

figure3 = page.open("figure3", profile, seeds)
figure3.found()

# %% [markdown]
# The paper shows "the average activation values for each channel of VGG-16" on CIFAR-10 and reads from it that channels
# of one layer differ so much that one threshold cannot suit them all (section 4.2.1). It names values near 0.2 and near
# −0.5. A QCFS output is never negative, so the latter must be inputs of the activation. Both are shown here.
#
# **Normalisation.** The paper says "normalised maximum" and not how. Here every value is divided by the largest
# activation of its layer, on the same images. With QCFS that is the layer's threshold wherever a neuron saturates.

# %% [markdown]
# ## Spread across channels
#
# (a) and (b): one column for each layer, in it the channels from the most to the least active. If all channels were
# alike, a column would have one colour. (c): histograms of the pre-activations of five channels of the first layer, from
# the lowest to the highest mean; how much lies beyond the axis stands beside the channel. Dotted lines are at 0 and at the
# threshold: the activation clips what is outside. (d): what fine-tuning made of it, the thresholds of the CS-QCFS network
# relative to the layer's threshold in the QCFS network from which it started, in each layer from high to low.

# %%
figure3.figure(channels.overview(figure3), "Channels of each layer, and their thresholds after fine-tuning")

# %% [markdown]
# ## Ours beside the paper's
#
# The paper prints no table here. Its two statements: channels of the first layer have values around 0.2, others
# approximately −0.5, and "a similar trend is observable in other convolutional layers". The first line below is that
# layer; the columns give the range over its channels.

# %% tags=["nbval-check-output"]
frame = channels.spread(figure3)
figure3.table(frame, "Mean of a channel over images and positions / largest activation of the layer (QCFS network)")

# %% [markdown]
# ## What deviates
#
# - Which quantity the paper averages is not stated. The range of the pre-activations includes its values; that of the
#   activations cannot.
# - Means over test images and all positions of a channel; the paper does not say over which images it averages.
# - A layer with more than 128 channels is shown by 128 of them, evenly spaced.
# - The figure shows ResNet-20 where VGG-16 has no records, the table all networks that have.
# - That channels differ in their *means* does not by itself show that they need different *thresholds*: (d) shows how far
#   apart training puts them, and [Table 5](table5.ipynb) measures it.

# %% [markdown]
# ## Where to go next
#
# [Table 5](table5.ipynb) measures how far the trained thresholds of a layer's channels move apart; [Table 3](table3.ipynb) asks what that brings.

# %%
figure3.provenance()
