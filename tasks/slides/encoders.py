"""Tile encoders by name: timm's models, with weights of a local file or of their publisher."""

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError
from gexbench.tasks.files.input_paths import check_file

UNI = "uni"
_UNI_MODEL = "vit_large_patch16_224"
_UNI_HUB = "MahmoodLab/UNI"
_UNI_SETTINGS: Mapping[str, Any] = {"img_size": 224, "patch_size": 16, "init_values": 1e-5, "dynamic_img_size": True}
INSTALL = "install gexbench[slides]"
_SAME_BUILD = "install the torchvision build that matches torch {torch}, from the same index as torch"


@dataclass(frozen=True, slots=True, eq=False)
class TileEncoder:
    """A fixed network. name: as asked for; weights: SHA-256 of their file, or where they come from; width: of features.

    model: (B, 3, size, size) → (B, width); mean, sd: of the three channels that the model was trained with.
    """

    name: str
    weights: str
    width: int
    size: int
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    model: Any
    device: str

    def encode(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, pixels, pixels, 3) tiles → (B, width) features; tiles are resized to what the model takes."""
        import torch

        with torch.inference_mode():
            given = torch.from_numpy(np.ascontiguousarray(tiles)).to(self.device).permute(0, 3, 1, 2).float() / 255.0
            if given.shape[-1] != self.size:
                given = torch.nn.functional.interpolate(
                    given, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False
                )
            mean, sd = (torch.tensor(each, device=self.device)[:, None, None] for each in (self.mean, self.sd))
            features: NDArray[np.float32] = self.model((given - mean) / sd).float().cpu().numpy()
        return features


def tile_encoder(name: str, weights: Path | None = None, device: str = "cpu") -> TileEncoder:
    """An encoder: `uni` (Chen et al. 2024), or any model of timm, such as `resnet50`, without its classifier.

    Args:
        name: of the encoder.
        weights: a local file, `.safetensors` or what `torch.save` wrote of tensors alone; None asks the publisher.
        device: where it runs.

    Raises:
        InputError: timm missing, an unknown name, weights that cannot be fetched, read or put into the model.
    """
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        # torchvision raises the latter beside a torch of another build.
        fix = INSTALL if isinstance(error, ImportError) else _SAME_BUILD.format(torch=version("torch"))
        raise InputError(f"--encoder {name}: timm cannot be imported ({_line(error)}); {fix}") from None
    model_name = _UNI_MODEL if name == UNI else name
    if not timm.is_model(model_name):
        close = difflib.get_close_matches(name, [UNI, *timm.list_models()], 1)
        hint = f"; did you mean {close[0]!r}?" if close else "; use uni, resnet50 or the name of another timm model"
        raise InputError(f"--encoder {name}: no such model{hint}")
    settings = dict(_UNI_SETTINGS) if name == UNI else {}
    if weights is None:
        model, source = _published(name, model_name, settings)
    else:
        model = timm.create_model(model_name, pretrained=False, num_classes=0, **settings)
        source = _loaded(model, weights, name)
    config = timm.data.resolve_model_data_config(model)
    model = model.eval().to(device)
    size = tuple(config["input_size"])[-1]
    return TileEncoder(
        name, source, int(model.num_features), size, tuple(config["mean"]), tuple(config["std"]), model, device
    )


def _published(name: str, model_name: str, settings: dict[str, Any]) -> tuple[Any, str]:
    import timm

    hub = f"hf-hub:{_UNI_HUB}" if name == UNI else model_name
    try:
        model = timm.create_model(hub, pretrained=True, num_classes=0, **settings)
    except Exception as error:  # the hub's client raises many kinds without a network or access
        access = " (access on request)" if name == UNI else ""
        config = timm.get_pretrained_cfg(model_name)
        place = _UNI_HUB if name == UNI else getattr(config, "hf_hub_id", None) or model_name
        raise InputError(
            f"--encoder {name}: its weights could not be downloaded ({_line(error)}); download the file of {place} "
            f"from the Hugging Face hub on another machine{access}, copy it here and pass it with --weights FILE"
        ) from None
    return model, hub


def _loaded(model: Any, path: Path, name: str) -> str:
    """Put the weights of a file into the model; the file's SHA-256."""
    check_file(path, f"--weights {path.name}")
    tensors = _tensors(path)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    missing = [key for key in shapes if key not in tensors]
    unfit = [key for key, shape in shapes.items() if key in tensors and tuple(tensors[key].shape) != shape]
    if missing or unfit:
        raise InputError(
            f"--weights {path.name}: does not fit encoder {name}: {len(missing)} of {len(shapes)} tensors are "
            "missing and "
            f"{len(unfit)} have another shape ({', '.join([*missing, *unfit][:3])}, …); give the weights of this "
            "encoder"
        )
    model.load_state_dict({key: tensors[key] for key in shapes})
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tensors(path: Path) -> Mapping[str, Any]:
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # both readers raise many kinds for a damaged file
        raise InputError(
            f"--weights {path.name}: not a tensor file that is safe to read, perhaps truncated ({_line(error)})"
        ) from None
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise InputError(f"--weights {path.name}: holds {type(found).__name__} instead of named tensors")
    return found


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:150] or type(error).__name__
