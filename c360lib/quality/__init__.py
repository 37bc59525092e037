"""What is published, measured on the files as they stand."""
