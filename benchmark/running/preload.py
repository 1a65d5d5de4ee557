"""What the fork server of workers imports once, so that a worker starts in a fraction of a second.

Nothing here may start a thread: threads do not live on in forked processes.
"""

import gc

import sklearn.ensemble
import sklearn.linear_model
import torch
import xgboost

import gexbench.benchmark.cells.objective
import gexbench.benchmark.cells.scorer
import gexbench.benchmark.cells.trainer

__all__ = ["gexbench", "sklearn", "torch", "xgboost"]

gc.freeze()  # what is imported stays: workers then share its memory
