"""The model that weighs what no declared rule decides."""
