"""Cameras, projection and registration: everything that relates pixels and points."""
