"""Spatial propagation: each file has a readable, differentiable reference and the fast paths that must equal it."""
