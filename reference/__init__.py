"""The reference solution of every task, and the training used to measure the accuracy thresholds."""
