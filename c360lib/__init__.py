"""A real-time Customer 360 data product, end to end, on a laptop. Importing this package loads nothing heavy."""

__version__ = "0.1.0"
