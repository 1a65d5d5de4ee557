"""A Pyro model: normal genes per class, fitted by variational inference."""

import pandas as pd
import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, Trace_ELBO
from pyro.infer.autoguide import AutoDelta

from gexbench.models.local.frames import FrameGenerator


class PyroClasses(FrameGenerator):
    def model(self, codes, rows=None):
        mean = pyro.sample("mean", dist.Normal(torch.zeros(len(self.names), len(self.genes)), 10).to_event(2))
        sd = pyro.sample("sd", dist.LogNormal(torch.zeros(len(self.genes)), 1).to_event(1))
        with pyro.plate("patients", len(codes)):
            return pyro.sample("rows", dist.Normal(mean[codes], sd).to_event(1), obs=rows)

    def fit_frame(self, frame, labels, seed):
        pyro.clear_param_store()
        self.names, rows = sorted({*frame[labels[0]]}), torch.tensor(frame.drop(columns=labels).to_numpy())
        self.guide = AutoDelta(self.model)
        steps = SVI(self.model, self.guide, pyro.optim.Adam({"lr": 0.1}), Trace_ELBO())
        for _ in range(150):
            steps.step(self.coded(frame), rows)
        self.found = {name: value.detach() for name, value in self.guide.median().items()}

    def coded(self, frame):
        return torch.tensor([self.names.index(name) for name in frame.iloc[:, 0]])

    def sample_frame(self, wanted, seed):
        with torch.no_grad():
            rows = pyro.condition(self.model, self.found)(self.coded(wanted))
        return pd.DataFrame(rows.numpy(), columns=list(self.genes))
