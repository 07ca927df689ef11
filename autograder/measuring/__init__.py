"""What the judge finds out of a model by itself, and how a check says that it cannot tell."""
