"""What to fetch from the GDC and from UCSC Xena for a selection, and fetching it into a folder."""

import json
import os
import re
import shutil
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.atomic import write_text
from gexbench.tasks.files.input_paths import is_writable
from gexbench.tasks.importing.barcodes import barcode, chosen
from gexbench.tasks.importing.building import Report
from gexbench.tasks.public.download import Patience, Remote, fetch_all, get
from gexbench.tasks.public.selection import Selection

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PROJECT = re.compile(r"[A-Z0-9]{2,10}")
_PAGE = 2000
_FILE_FIELDS = (
    "file_id", "file_name", "md5sum", "file_size", "state", "associated_entities.entity_submitter_id",
    "associated_entities.entity_type", "cases.submitter_id", "cases.project.project_id",
)  # fmt: skip
_CASE_PARTS = ("demographic", "diagnoses", "project", "tissue_source_site")
_CASE_FIELDS = ("submitter_id", "primary_site", "disease_type")
SURVIVAL = "Survival_SupplementalTable_S1_20171025_xena_sp"


def _host(variable: str, usual: str) -> str:
    return os.environ.get(variable, usual).rstrip("/")


@dataclass(frozen=True, slots=True)
class Hosts:
    """Addresses of the services; mirrors are named by the environment variables."""

    gdc: str = field(default_factory=lambda: _host("GEXBENCH_GDC_API", "https://api.gdc.cancer.gov"))
    xena: str = field(default_factory=lambda: _host("GEXBENCH_XENA_HUB", "https://tcga.xenahubs.net/download"))
    pancan: str = field(
        default_factory=lambda: _host("GEXBENCH_XENA_PANCAN_HUB", "https://pancanatlas.xenahubs.net/download")
    )


def fetch_public(
    folder: Path,
    selection: Selection,
    report: Report | None = None,
    hosts: Hosts | None = None,
    patience: Patience | None = None,
) -> int:
    """Fetch expression and clinical tables of the selected projects; the number of files that were missing.

    Of the GDC only the samples that the selection keeps are fetched. Slides are not:
    see docs/cohorts/rebuilding-tcga.md.

    Args:
        folder: files go to its subfolder `gdc` or `xena`.
        selection: projects, patients, sample types and the source.
        report: called with the stages.
        hosts: addresses.
        patience: how long to try.

    Raises:
        InputError: no projects, a folder that cannot be written, services that do not answer, too little room on the
            disk.
    """
    problems = (
        [] if selection.projects else ["--download: give projects with --projects, or a --recipe that lists them"]
    )
    wrong = [name for name in selection.projects if not _PROJECT.fullmatch(name)]
    problems += [f"--projects {examples(wrong)}: projects look like LUAD"] if wrong else []
    problems += [] if is_writable(folder) else [f"{folder}: is not writable; give another folder with --from-public"]
    if problems:
        raise InputError(problems)
    where, say = hosts or Hosts(), report or (lambda stage, done, total: None)
    if selection.source == "xena":
        remotes = xena_files(folder / "xena", selection.projects, where)
    else:
        remotes = _gdc_files(folder / "gdc", selection, where, say, patience)
    missing = [remote for remote in remotes if not remote.there]
    total = sum(remote.size or 0 for remote in missing)
    _check_room(folder, total)
    arrived = [sum(_held(remote) for remote in missing)]
    size = max(total, 1) if total else len(missing)

    def progress(number: int) -> None:
        arrived[0] += number
        if total:
            say("download", min(arrived[0], size - 1), size)

    if missing:
        say("download", arrived[0] if total else 0, size)
    fetched = fetch_all(missing, progress, patience)
    if missing:
        say("download", size, size)
    return fetched


def xena_files(folder: Path, projects: Sequence[str], hosts: Hosts) -> list[Remote]:
    """A matrix of log2(RSEM + 1) per project with its description, and the clinical table of all projects."""
    remotes = [Remote(f"{hosts.pancan}/{SURVIVAL}", folder / SURVIVAL)]
    for project in projects:
        name = f"TCGA.{project}.sampleMap"
        remotes.append(Remote(f"{hosts.xena}/{name}/HiSeqV2.gz", folder / name / "HiSeqV2.gz"))
        remotes.append(Remote(f"{hosts.xena}/{name}/HiSeqV2.json", folder / name / "HiSeqV2.json", optional=True))
    return remotes


def _gdc_files(
    folder: Path, selection: Selection, hosts: Hosts, say: Report, patience: Patience | None
) -> list[Remote]:
    """Ask for cases and files, keep the answers in the folder, and list the STAR-counts files to fetch."""
    projects = [f"TCGA-{name}" for name in selection.projects]
    say("ask the GDC", 0, 2)
    cases = gdc_hits(
        f"{hosts.gdc}/cases", [("project.project_id", projects)], fields=_CASE_FIELDS, expand=_CASE_PARTS,
        patience=patience,
    )  # fmt: skip
    say("ask the GDC", 1, 2)
    asked: list[tuple[str, Sequence[str]]] = [
        ("cases.project.project_id", projects),
        ("data_type", ["Gene Expression Quantification"]),
        ("analysis.workflow_type", ["STAR - Counts"]),
        ("access", ["open"]),
    ]
    files = kept_files(gdc_hits(f"{hosts.gdc}/files", asked, fields=_FILE_FIELDS, patience=patience), selection)
    say("ask the GDC", 2, 2)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "cases.json", json.dumps(_response(cases)))
    write_text(folder / "files.json", json.dumps(_response(files)))
    lines = [f"{hit['file_id']}\t{hit['file_name']}\t{hit['md5sum']}\t{hit['file_size']}\t{hit.get('state', '')}"
             for hit in files]  # fmt: skip
    write_text(folder / "gdc_manifest.txt", "\n".join(["id\tfilename\tmd5\tsize\tstate", *lines]) + "\n")
    return [
        Remote(f"{hosts.gdc}/data/{hit['file_id']}", folder / str(hit["file_id"]) / str(hit["file_name"]),
               str(hit["md5sum"]), int(hit["file_size"]))
        for hit in files
    ]  # fmt: skip


def kept_files(hits: Sequence[Mapping[str, Any]], selection: Selection) -> list[Mapping[str, Any]]:
    """The files of the samples that the selection keeps.

    Raises:
        InputError: hits without the fields that were asked for, names that are no plain file names, nothing left.
    """
    needed = ("file_id", "file_name", "md5sum", "file_size")
    for hit in hits:
        if any(name not in hit for name in needed):
            raise InputError(f"the files endpoint's answer lacks {examples(n for n in needed if n not in hit)}")
        if not (_SAFE.fullmatch(str(hit["file_id"])) and _SAFE.fullmatch(str(hit["file_name"]))):
            raise InputError(
                f"the files endpoint names {hit['file_id']}/{hit['file_name']}, which is not a valid file name"
            )
    by_sample: dict[str, Mapping[str, Any]] = {}
    for hit in sorted(hits, key=lambda hit: str(hit["file_id"])):
        for entity in hit.get("associated_entities") or []:
            by_sample.setdefault(str(entity.get("entity_submitter_id")), hit)
    patients = None if selection.patients is None else frozenset(selection.patients)
    samples = [found for name in by_sample if (found := barcode(name)) and (not patients or found.patient in patients)]
    kept = chosen(samples, selection.sample_types, selection.samples)
    if not kept:
        raise InputError(
            f"the GDC has {len(hits)} STAR-counts files of {', '.join(selection.projects)}, but none of the "
            "requested samples"
        )
    return [by_sample[sample.name] for sample in kept]


def gdc_hits(
    url: str,
    filters: Sequence[tuple[str, Sequence[str]]],
    fields: Sequence[str] = (),
    expand: Sequence[str] = (),
    patience: Patience | None = None,
    page: int = _PAGE,
) -> list[dict[str, Any]]:
    """All hits of an endpoint, page by page, sorted by id so that pages do not overlap.

    Raises:
        InputError: an answer that is none of the API's, or fewer hits than it announces.
    """
    asked = {"op": "and", "content": [{"op": "in", "content": {"field": name, "value": list(values)}}
                                      for name, values in filters]}  # fmt: skip
    order = "case_id:asc" if url.endswith("/cases") else "file_id:asc"
    hits: list[dict[str, Any]] = []
    while True:
        query = {"filters": json.dumps(asked), "fields": ",".join(fields), "expand": ",".join(expand),
                 "format": "JSON", "size": str(page), "from": str(len(hits)), "sort": order}  # fmt: skip
        text = urllib.parse.urlencode({name: value for name, value in query.items() if value})
        try:
            data = json.loads(get(f"{url}?{text}", patience))["data"]
            found, total = list(data["hits"]), int(data["pagination"]["total"])
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{url}: the response does not come from the GDC API") from None
        hits += found
        if len(hits) >= total:
            return hits
        if not found:
            raise InputError(f"{url}: {len(hits)} of {total} hits arrived; try again later")


def _response(hits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"data": {"hits": list(hits), "pagination": {"count": len(hits), "total": len(hits)}}, "warnings": {}}


def _held(remote: Remote) -> int:
    part = remote.path.with_name(remote.path.name + ".part")
    return part.stat().st_size if part.is_file() else 0


def _check_room(folder: Path, needed: int) -> None:
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise InputError(f"{folder}: the files need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free")
