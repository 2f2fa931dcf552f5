"""The ``depth-completion`` command, one file per sub-command."""
