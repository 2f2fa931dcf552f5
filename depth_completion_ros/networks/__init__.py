"""The networks, one file each, behind one registry."""
