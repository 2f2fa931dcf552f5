"""The three executables, thin over ``ros/`` and the pipeline."""
