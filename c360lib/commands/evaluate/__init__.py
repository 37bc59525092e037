"""Who is who against the truth, and what it costs to be wrong."""
