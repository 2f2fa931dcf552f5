"""Spatial propagation: each file has a readable, differentiable reference, and its fast paths must equal it."""
