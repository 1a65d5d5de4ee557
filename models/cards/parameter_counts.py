"""Parameters of the built-in generators, counted by `python -m gexbench.benchmark.studies parameters`.

`PARAMETERS` holds, per registry key, the parameters that a record states, at budget cpu and for a cohort of TCGA's
shape: 680 genes, labels of 15, 12 and 7 classes, patches of width 192, tokens of width 128. References have none here.
"""

from collections.abc import Mapping
from types import MappingProxyType

PARAMETERS: Mapping[str, int] = MappingProxyType(
    {
        "wgan-gp": 307_024,
        "wgan-gp-label": 375_194,
        "wgan-gp-text": 356_304,
        "wgan-gp-image": 364_496,
        "wgan-gp-image-transformer": 629_840,
        "wgan-gp-film": 679_120,
        "wgan-gp-cross-attention": 778_192,
        "gemm-gan": 827_728,
        "gemm-gan-parallel": 827_728,
        "gemm-gan-plain": 827_728,
        "gemm-gan-reference": 2_084_648,
        "vae": 705_656,
        "cvae": 986_946,
        "cvae-gemm": 1_406_968,
        "scvi": 749_176,
        "scvi-label": 766_584,
        "diffusion": 578_611,
        "diffusion-label": 614_397,
        "diffusion-gemm": 1_083_187,
        "flow": 578_611,
        "flow-label": 614_397,
        "flow-gemm": 1_083_187,
    }
)
