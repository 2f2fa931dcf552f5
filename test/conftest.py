"""Its place puts this folder on the import path: tests anywhere below it import from ``parity``."""
