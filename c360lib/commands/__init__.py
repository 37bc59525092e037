"""What a person does with a release: a file for each verb that is more than a line."""
