"""Files: how a table is written and read, where it stands, when it changes."""
