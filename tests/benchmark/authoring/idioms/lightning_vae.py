"""A Lightning module: a conditional autoencoder with noise, trained by its Trainer."""

import lightning
import pandas as pd
import torch
from torch.utils.data import DataLoader, TensorDataset

from gexbench.models.local.frames import FrameGenerator


class Decoder(lightning.LightningModule):
    def __init__(self, classes, genes):
        super().__init__()
        self.net = torch.nn.Linear(classes, genes)

    def training_step(self, batch):
        return ((self.net(batch[0]) - batch[1]) ** 2).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.05)


class LabelDecoder(FrameGenerator):
    def fit_frame(self, frame, labels, seed):
        self.codes = pd.get_dummies(frame[labels[0]]).columns
        codes, rows = self.coded(frame[labels[0]]), torch.tensor(frame.drop(columns=labels).to_numpy())
        self.model, self.sd, data = Decoder(len(self.codes), rows.shape[1]), rows.std(0), TensorDataset(codes, rows)
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "barebones": False}
        trainer = lightning.Trainer(max_epochs=9, accelerator="cpu", enable_model_summary=False, **quiet)
        trainer.fit(self.model, DataLoader(data, 64, shuffle=True))

    def coded(self, names):
        return torch.tensor(pd.get_dummies(names).reindex(columns=self.codes, fill_value=0).to_numpy("float32"))

    def sample_frame(self, wanted, seed):
        rows = self.model.net(self.coded(wanted.iloc[:, 0])).detach()
        return pd.DataFrame((rows + self.sd * torch.randn_like(rows)).numpy(), columns=list(self.genes))
