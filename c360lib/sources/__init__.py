"""Raw bytes to typed, numbered rows; bronze on the way."""
