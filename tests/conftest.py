"""What all tests share: one thread for torch, and a cache of data sets that outlives the run."""

import torch

torch.set_num_threads(1)
