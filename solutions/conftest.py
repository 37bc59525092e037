"""Pytest takes the notebooks here (with --nbval), not their sources."""

collect_ignore_glob = ["*.py"]
