"""Capture inside the sandbox: a model as a graph of tensor operations and weights, gradient steps as they are taken."""
