"""The reference solution: every task solved, and the training that accuracies are measured by."""
