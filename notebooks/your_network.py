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
# # Your own network in five minutes
#
# How does a trained ReLU network of your own become a spiking one, and what is each step worth?

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %% tags=["nbval-check-output"]
import csqcfs
import torch
from csqcfs import data
from csqcfs.paper.pages import page, your_network
from csqcfs.paper.runs import records

yours = page.open("your_network", profile, seeds)
yours.found()

# %% [markdown]
# ## A network
#
# Any class that PyTorch can trace will do. This one calls `F.relu` instead of modules, takes every second pixel by a
# strided slice and fills up channels by `F.pad`:

# %%
your_network.source()

# %% [markdown]
# Usually yours is trained already. Here it is trained now, on the 1,437 handwritten digits of scikit-learn, which need
# no download.

# %%
splits = data.load("digits")
torch.manual_seed(0)
network = your_network.Own()
short = dict(batch_size=64, augment=None, progress=False)
history = csqcfs.fit(network, splits.train, epochs=12, lr=0.1, **short)
print(f"accuracy with ReLU: {csqcfs.evaluate(network, splits.test):.1f} %")

# %% [markdown]
# ## Calibrate: no training at all
#
# `quantize_activations` puts a QCFS in the place of every ReLU, `calibrate` places its threshold by the activations of
# 512 images. That is a spiking network already. A threshold for each channel often helps a network that is not trained
# any further; the table below says whether it helps this one.

# %%
example = splits.train.normalise(splits.train.images[:2])
ann = csqcfs.quantize_activations(network, L=4, threshold=1.0, example=example)
ann = csqcfs.calibrate(ann, splits.train)
rows = {"calibrated": your_network.accuracies(ann, splits.test)}
channels = csqcfs.calibrate(ann, splits.train, per_channel=True)
rows["calibrated per channel"] = your_network.accuracies(channels, splits.test)

# %% [markdown]
# ## Two short stages
#
# Stage 1 trains weights and one threshold for each layer, stage 2 goes on with one for each channel.

# %%
csqcfs.fit(ann, splits.train, epochs=4, lr=0.02, **short)
rows["stage 1: QCFS"] = your_network.accuracies(ann, splits.test)
fine = csqcfs.to_channelwise(ann)
csqcfs.fit(fine, splits.train, epochs=4, lr=0.02, **short)
rows["stage 2: CS-QCFS"] = your_network.accuracies(fine, splits.test)

# %% [markdown]
# ## The SNN, and another tool beside it
#
# SpikingJelly's `ann2snn` converts the same ReLU network, with a threshold for each channel at the 99.9th percentile
# and v(0) = θ/2, on 256 of the same images. It takes neither `F.relu` nor `F.pad`, so it is given the same function as
# modules. Its line is missing where it is not installed.

# %%
rows["SpikingJelly, ann2snn"] = your_network.spikingjelly(network, splits.train, splits.test)
here = f"{yours.source}, {records.hardware('cpu')}"
yours.table(
    your_network.table(rows), "Accuracy (%) of the network and of its SNN after each step", digits=1, source=here
)

# %%
caption = "Accuracy over T after each step; bands: 95 % intervals"
yours.figure(your_network.figure(rows, len(splits.test)), caption, source=here)

# %%
your_network.found(rows, len(splits.test))

# %% [markdown]
# ## Keep it, or take it elsewhere
#
# A file holds weights, thresholds and plain data, and no code; for a class of your own a fresh instance comes along.
# `csqcfs.export` makes the same SNN of SpikingJelly's modules (bit for bit) or a NIR graph.

# %%
snn = csqcfs.convert(fine)
path = csqcfs.save(snn, yours.folder / "your_network.safetensors", images=splits.test)
again = csqcfs.load(path, network=your_network.Own(), example=example)
path.unlink()
torch.equal(again(example, T=4), snn(example, T=4))

# %% [markdown]
# ## What this does not show
#
# - One seed, 360 small images and a network that a few steps suffice for: differences below five points are noise. Another
#   processor rounds otherwise, trains another network and shows other numbers.
# - ResNet-20 on CIFAR-10, with schedules that matter, is in [Table 1](table1.ipynb); what T = 1 of other methods hides
#   is in [What T = 1 costs](latency.ipynb).

# %%
yours.provenance()
