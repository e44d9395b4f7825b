"""What the method runs on: kernels, tracing, folding, the time axis, files. Nothing here imports the companion."""
