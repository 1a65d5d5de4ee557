"""`gexbench cohort tile`: features of the tiles of whole slides."""

from pathlib import Path
from typing import Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.cohort.stages import stages

EPILOG = """[bold]Examples[/bold]\n
gexbench cohort tile slides --encoder resnet50 --out downloads/features_resnet50\n
gexbench cohort tile slides --encoder uni --weights uni.bin --device cuda\n
gexbench cohort tile slide.svs --encoder resnet50 --weights resnet50.safetensors --mpp 1.0\n
gexbench cohort build luad --from-public downloads --projects LUAD
"""


def tile(
    slides: Annotated[Path, typer.Argument(help="Slide, or folder of slides (.svs, .tiff, .ndpi, …).")],
    encoder: Annotated[
        str, typer.Option(help="uni (weights on request), resnet50, or another timm model.")
    ] = "resnet50",
    weights: Annotated[
        Path | None,
        typer.Option(help="Local weights file: .safetensors, or tensors saved by torch."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder, one .h5 file per slide. (default: features_ENCODER)")
    ] = None,
    mpp: Annotated[float, typer.Option(help="Resolution of the tiles in µm per pixel.")] = 0.5,
    pixels: Annotated[int, typer.Option(help="Tile size in pixels.")] = 256,
    tissue: Annotated[float, typer.Option(help="Minimum share of tissue in a tile.")] = 0.5,
    slide_mpp: Annotated[
        float | None, typer.Option(help="µm per pixel at the slides' finest level, if the files do not state it.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Tiles per batch.")] = 64,
    device: Annotated[str, options.option("resources.device")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace files made with other options.")] = False,
) -> None:
    """Tile whole slides and encode the tiles, one HDF5 file per slide, for `gexbench cohort build`.

    Tissue is detected by Otsu's threshold on saturation. Existing files are kept, so the same command resumes after an
    interruption.
    """
    from gexbench.tasks.slides.encoders import tile_encoder
    from gexbench.tasks.slides.tiling import Tiling, find_slides, tile_slides

    console = options.console()
    tiling = Tiling(mpp, pixels, tissue, slide_mpp, batch)
    found = find_slides(slides)
    folder = out or Path(f"features_{encoder}")
    network = tile_encoder(encoder, weights, options.device(device))
    with stages(console) as report:
        made = tile_slides(found, folder, network, tiling, force=force, progress=report)
    if made.empty:
        console.print(f"no tissue: {', '.join(made.empty)}", markup=False, soft_wrap=True)
    console.print(f"{len(made.written)} slides written, {len(made.kept)} already present: {folder}", soft_wrap=True)
