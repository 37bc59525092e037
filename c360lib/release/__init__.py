"""From raw files to a published release, and back from one to the inputs of the layers."""
