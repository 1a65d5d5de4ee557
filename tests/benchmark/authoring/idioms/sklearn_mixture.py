"""A scikit-learn estimator: a Gaussian mixture per class."""

import pandas as pd
from sklearn.mixture import GaussianMixture

from gexbench.models.local.frames import FrameGenerator


class Mixture(FrameGenerator):
    def fit_frame(self, frame, labels, seed):
        self.label, self.models = labels[0], {}
        for name, rows in frame.groupby(self.label):
            model = GaussianMixture(1, covariance_type="diag", random_state=seed, reg_covar=0.01)
            values = rows.drop(columns=labels)
            self.models[name] = model.fit(values if len(values) > 1 else pd.concat([values, values]))

    def sample_frame(self, wanted, seed):
        parts = []
        for name, rows in wanted.groupby(self.label):
            drawn, _ = self.models[name].set_params(random_state=seed).sample(len(rows))
            parts.append(pd.DataFrame(drawn, rows.index, self.models[name].feature_names_in_))
        return pd.concat(parts).loc[wanted.index]
