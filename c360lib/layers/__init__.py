"""Tables to a table: no file, no clock, no global."""
