"""Grade one submission or a class, each in a process of its own."""
