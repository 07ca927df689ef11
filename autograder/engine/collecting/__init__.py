"""Run a notebook in the sandbox and take evidence as it goes."""
