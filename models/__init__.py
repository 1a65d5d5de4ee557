"""Generators: the contract, the registry and the built-in families.

`BUILT_IN` is the one table of built-in generators; it imports no model, so listing costs no torch import.
"""

from gexbench.models.registry import Entry, registry

__all__ = ["BUILT_IN", "Entry", "registry"]

_REFERENCES = "gexbench.models.references"
_REFERENCE_SETTINGS = "gexbench.models.settings:GeneratorSettings"
_ORACLE_SETTINGS = "gexbench.models.references.oracle_settings:OracleSettings"
_WGAN, _WGAN_SETTINGS = "gexbench.models.wgan_gp.generator:WganGp", "gexbench.models.wgan_gp.settings:WganGpSettings"
_VAE, _VAE_SETTINGS = "gexbench.models.vae.generator:Vae", "gexbench.models.vae.settings:VaeSettings"

BUILT_IN: tuple[Entry, ...] = (
    Entry(
        "real-holdout",
        f"{_REFERENCES}.resampling:RealHoldout",
        "reference",
        ("labels",),
        "real validation patients of the same label: the ceiling of every set metric",
        returns_real_rows=True,
        settings_target=_REFERENCE_SETTINGS,
    ),
    Entry(
        "train-copy",
        f"{_REFERENCES}.resampling:TrainCopy",
        "reference",
        ("labels",),
        "training rows permuted within the label, without replacement",
        returns_real_rows=True,
        settings_target=_REFERENCE_SETTINGS,
    ),
    Entry(
        "mixup",
        f"{_REFERENCES}.resampling:Mixup",
        "reference",
        ("labels",),
        "convex mixtures of two training rows of a label",
        settings_target=_REFERENCE_SETTINGS,
    ),
    Entry(
        "class-gaussian",
        f"{_REFERENCES}.gaussian:ClassGaussian",
        "reference",
        ("labels",),
        "one Gaussian per label with Ledoit-Wolf covariance: the baseline to beat",
        settings_target=_REFERENCE_SETTINGS,
    ),
    Entry(
        "class-diagonal",
        f"{_REFERENCES}.gaussian:ClassDiagonal",
        "reference",
        ("labels",),
        "independent normal genes per label",
        settings_target=_REFERENCE_SETTINGS,
    ),
    Entry(
        "class-mean",
        f"{_REFERENCES}.gaussian:ClassMean",
        "reference",
        ("labels",),
        "the mean of the label",
        settings_target=_REFERENCE_SETTINGS,
    ),
    Entry(
        "gene-shuffle",
        f"{_REFERENCES}.resampling:GeneShuffle",
        "reference",
        (),
        "every gene permuted over the training patients",
        settings_target=_REFERENCE_SETTINGS,
    ),
    Entry(
        "oracle",
        f"{_REFERENCES}.oracle:Oracle",
        "reference",
        ("labels", "text", "patches"),
        "simulated cohort only: exact draws from the true conditional",
        settings_target=_ORACLE_SETTINGS,
    ),
    Entry(
        "wgan-gp",
        _WGAN,
        "wgan-gp",
        (),
        "unconditional Wasserstein GAN with gradient penalty",
        settings_target=_WGAN_SETTINGS,
    ),
    Entry(
        "wgan-gp-label",
        _WGAN,
        "wgan-gp",
        ("labels",),
        "WGAN-GP with a learned embedding of each label column",
        settings={"conditioning": "labels"},
        settings_target=_WGAN_SETTINGS,
    ),
    Entry(
        "gemm-gan",
        _WGAN,
        "wgan-gp",
        ("text", "patches"),
        "GeMM-GAN: WGAN-GP on the fusion of H&E patches and clinical text, standard training",
        settings={"conditioning": "fusion"},
        settings_target=_WGAN_SETTINGS,
    ),
    Entry(
        "gemm-gan-reference",
        _WGAN,
        "wgan-gp",
        ("text", "patches"),
        "GeMM-GAN as its authors trained it, within the budget's steps",
        settings={"conditioning": "fusion", "training": "reference"},
        settings_target=_WGAN_SETTINGS,
    ),
    Entry("vae", _VAE, "vae", (), "variational autoencoder", settings_target=_VAE_SETTINGS),
    Entry(
        "cvae",
        _VAE,
        "vae",
        ("labels",),
        "conditional variational autoencoder on the label columns",
        settings={"conditioning": "labels"},
        settings_target=_VAE_SETTINGS,
    ),
)
