"""A class with the methods of CTGAN: `fit(table, discrete_columns)`, `sample(n, column, value)`."""

import pandas as pd
from tablegan import TableGan

from gexbench.models.local.frames import FrameGenerator


class TableModel(FrameGenerator):
    def fit_frame(self, frame, labels, seed):
        self.label, self.model = labels[0], TableGan(epochs=2)
        self.model.fit(frame, discrete_columns=labels)

    def sample_frame(self, wanted, seed):
        parts = []
        for name, rows in wanted.groupby(self.label):
            parts.append(self.model.sample(len(rows), self.label, name).set_index(rows.index))
        return pd.concat(parts).loc[wanted.index]
