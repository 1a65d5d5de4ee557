"""Table of the built-in generators; imports no models, so listing them does not import torch."""

from functools import partial
from typing import Any

from gexbench.models.entry import Entry
from gexbench.tasks.cohorts.vocabulary import Condition

_REFERENCES = "gexbench.models.references"
_REFERENCE_SETTINGS = "gexbench.models.settings:GeneratorSettings"
_ORACLE_SETTINGS = "gexbench.models.references.oracle_settings:OracleSettings"
_GEMM = "Panaccione, Sgaravatti & Pinoli, GeMM-GAN, ICIAP 2025 workshops, arXiv 2601.15392"
_CVAE = "Kingma & Welling 2014; Sohn et al. 2015"
_DDPM = "Ho et al. 2020; Nichol & Dhariwal 2021; Salimans & Ho 2022; Rombach et al. 2022 (diffusion of latents)"
_FLOW = (
    "Lipman et al. 2023 (flow matching); Tong et al. 2024 (conditional flow matching); Ho & Salimans 2022 (guidance)"
)


def _entry(
    name: str,
    conditions: tuple[Condition, ...],
    summary: str,
    *,
    target: str,
    family: str,
    of: str,
    source: str,
    modules: tuple[str, ...] = (),
    install: str = "",
    reads_counts: bool = False,
    **settings: Any,
) -> Entry:
    """An entry of a trained family: its class, the module of its settings, and settings unlike its defaults."""
    return Entry(name, target, family, conditions, summary, of, settings, source, modules, install, reads_counts)


_gan = partial(
    _entry,
    target="gexbench.models.wgan_gp.generator:WganGp",
    family="wgan-gp",
    of="gexbench.models.wgan_gp.settings:WganGpSettings",
    source="Gulrajani et al. 2017",
)
_vae = partial(
    _entry,
    target="gexbench.models.vae.generator:Vae",
    family="vae",
    of="gexbench.models.vae.settings:VaeSettings",
    source=_CVAE,
)

_diffusion = partial(
    _entry,
    target="gexbench.models.diffusion.generator:Diffusion",
    family="diffusion",
    of="gexbench.models.diffusion.settings:DiffusionSettings",
    source=_DDPM,
    modules=("diffusers",),
    install="pip install diffusers",
)
_flow = partial(
    _entry,
    target="gexbench.models.flow.generator:Flow",
    family="flow",
    of="gexbench.models.flow.settings:FlowSettings",
    source=_FLOW,
    modules=("diffusers",),
    install="pip install diffusers",
)
_scvi = partial(
    _entry,
    target="gexbench.models.scvi.generator:Scvi",
    family="scvi",
    of="gexbench.models.scvi.settings:ScviSettings",
    source="Lopez et al. 2018, Deep generative modeling for single-cell transcriptomics",
    modules=("scvi",),
    reads_counts=True,
    install="pip install scvi-tools",
)

BUILT_IN: tuple[Entry, ...] = (
    Entry(
        "real-holdout",
        f"{_REFERENCES}.resampling:RealHoldout",
        "reference",
        ("labels",),
        "real audit patients of the same label, whom no other generator sees: the ceiling of every set metric",
        reads="audit",
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
        source="Zhang et al. 2018, within labels",
    ),
    Entry(
        "class-copula",
        f"{_REFERENCES}.copula:ClassCopula",
        "reference",
        ("labels",),
        "one Gaussian copula per label with empirical marginals: the baseline to beat",
        settings_target=_REFERENCE_SETTINGS,
        source="Liu, Lafferty & Wasserman 2009 (normal scores); Ledoit & Wolf 2004 (correlation)",
    ),
    Entry(
        "class-gaussian",
        f"{_REFERENCES}.gaussian:ClassGaussian",
        "reference",
        ("labels",),
        "one Gaussian per label with Ledoit-Wolf covariance",
        settings_target=_REFERENCE_SETTINGS,
        source="Ledoit & Wolf 2004 (covariance)",
    ),
    *(
        Entry(
            f"dp-class-gaussian-{epsilon:g}",
            f"{_REFERENCES}.dp_gaussian:DpClassGaussian",
            "reference",
            ("labels",),
            f"Gaussians of the labels under differential privacy: epsilon {epsilon:g}, delta 1e-5",
            settings_target="gexbench.models.references.dp_settings:DpSettings",
            settings={"epsilon": epsilon},
            source="Dwork et al. 2014 (Analyze Gauss); Balle & Wang 2018 (analytic Gaussian mechanism)",
        )
        for epsilon in (1.0, 10.0)
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
        "condition-ridge",
        f"{_REFERENCES}.condition_ridge:ConditionRidge",
        "reference",
        ("labels", "text", "patches"),
        "ridge regression on pooled patches, text summary and labels, plus residuals of training patients of the label",
        settings_target=_REFERENCE_SETTINGS,
    ),
    Entry(
        "ridge-copula",
        f"{_REFERENCES}.condition_ridge:RidgeCopula",
        "reference",
        ("labels", "text", "patches"),
        "the predictions of condition-ridge plus draws of a Gaussian copula per label of its residuals",
        settings_target=_REFERENCE_SETTINGS,
    ),
    Entry(
        "oracle",
        f"{_REFERENCES}.oracle:Oracle",
        "reference",
        ("labels", "text", "patches"),
        "simulated cohort only: exact draws from the true conditional",
        reads="ids",
        settings_target=_ORACLE_SETTINGS,
    ),
    _gan("wgan-gp", (), "unconditional Wasserstein GAN with gradient penalty"),
    _gan("wgan-gp-label", ("labels",), "WGAN-GP with a learned embedding of each label column", conditioning="labels"),
    _gan(
        "wgan-gp-text",
        ("text",),
        "WGAN-GP on a linear map of the text's summary token",
        conditioning="text",
        source=_GEMM,
    ),
    _gan(
        "wgan-gp-image",
        ("patches",),
        "WGAN-GP on the mean of linearly mapped patches",
        conditioning="image",
        source=_GEMM,
    ),
    _gan(
        "wgan-gp-image-transformer",
        ("patches",),
        "WGAN-GP on patches through a transformer; no text",
        conditioning="image-transformer",
        source=_GEMM,
    ),
    _gan(
        "wgan-gp-film",
        ("text", "patches"),
        "GeMM-GAN without attention between text and image: patches modulated by the text (FiLM), transformer",
        conditioning="film",
        source=_GEMM,
    ),
    _gan(
        "wgan-gp-cross-attention",
        ("text", "patches"),
        "GeMM-GAN without FiLM: attention between text and image",
        conditioning="cross-attention",
        source=_GEMM,
    ),
    _gan(
        "gemm-gan",
        ("text", "patches"),
        "GeMM-GAN: WGAN-GP on the fusion of H&E patches and clinical text, standard training",
        conditioning="fusion",
        source=_GEMM,
    ),
    _gan(
        "gemm-gan-parallel",
        ("text", "patches"),
        "GeMM-GAN wired as in the paper's figure: the encoder's summary queries the text",
        conditioning="fusion",
        wiring="parallel",
        source=_GEMM,
    ),
    _gan(
        "gemm-gan-plain",
        ("text", "patches"),
        "GeMM-GAN on text without the words that name the diagnosis",
        conditioning="fusion",
        text="plain",
        source=_GEMM,
    ),
    _gan(
        "gemm-gan-reference",
        ("text", "patches"),
        "GeMM-GAN with its authors' training procedure, within the budget's steps",
        conditioning="fusion",
        training="reference",
        source=_GEMM,
    ),
    _vae("vae", (), "variational autoencoder"),
    _vae("cvae", ("labels",), "conditional variational autoencoder on the label columns", conditioning="labels"),
    _vae(
        "cvae-gemm",
        ("text", "patches"),
        "conditional variational autoencoder on GeMM-GAN's fusion of H&E patches and clinical text",
        conditioning="fusion",
        head_steps=4000,
        source=f"{_CVAE}; conditioning: {_GEMM}",
    ),
    _scvi("scvi", (), "scVI (scvi-tools) on counts"),
    _scvi("scvi-label", ("labels",), "scVI on counts, label columns as categorical covariates", conditioning="labels"),
    _diffusion("diffusion", (), "denoising diffusion of expression in its principal components"),
    _diffusion(
        "diffusion-label",
        ("labels",),
        "diffusion with a learned embedding of each label column",
        conditioning="labels",
    ),
    _diffusion(
        "diffusion-gemm",
        ("text", "patches"),
        "diffusion on GeMM-GAN's fusion of H&E patches and clinical text",
        conditioning="fusion",
        source=f"{_DDPM}; conditioning: {_GEMM}",
    ),
    _flow("flow", (), "flow matching of expression in its principal components, along straight paths from noise"),
    _flow(
        "flow-label", ("labels",), "flow matching with a learned embedding of each label column", conditioning="labels"
    ),
    _flow(
        "flow-gemm",
        ("text", "patches"),
        "flow matching on GeMM-GAN's fusion of H&E patches and clinical text",
        conditioning="fusion",
        source=f"{_FLOW}; conditioning: {_GEMM}",
    ),
)


def is_built_in(entry: Entry) -> bool:
    """Whether a generator is one of these, perhaps with other settings."""
    return entry.file is None and any((entry.name, entry.target) == (known.name, known.target) for known in BUILT_IN)
