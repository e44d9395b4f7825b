"""Algorithm 1: from a ReLU network to a quantized one, and from that to a spiking one."""
