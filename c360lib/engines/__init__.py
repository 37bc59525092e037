"""What runs a layer: one seam, and the only folder that imports an engine."""
