"""Grade notebooks on convolutional networks: run them in a sandbox, judge what they computed."""
