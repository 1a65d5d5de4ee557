"""Downloads from a local server with the services' routes: broken lines, wrong bytes, pauses, and a second start."""

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.errors import InputError
from gexbench.tasks.importing.building import Sources
from gexbench.tasks.public.build import PublicSources, build_public
from gexbench.tasks.public.download import Patience, Remote, Stopped, fetch, fetch_all
from gexbench.tasks.public.selection import Selection
from gexbench.tasks.public.sources import SURVIVAL, Hosts, fetch_public, gdc_hits, kept_files

SOON = Patience(attempts=4, first_wait_s=0.01, timeout_s=5)
CONTENT = np.random.default_rng(0).bytes(100_000)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
PATIENTS = [f"TCGA-{row % 7:02d}-{row:04d}" for row in range(60)]


@pytest.fixture(scope="module")
def server_code(load_test_module: Any) -> ModuleType:
    module: ModuleType = load_test_module("tasks/public/public_server")
    return module


@pytest.fixture
def service(server_code: ModuleType) -> Any:
    return server_code.Service(files={"/data/one": CONTENT})


@pytest.fixture
def address(server_code: ModuleType, service: Any) -> Iterator[str]:
    with server_code.served(service) as url:
        yield url


def one(address: str, folder: Path, **facts: Any) -> Remote:
    return Remote(f"{address}/data/one", folder / "sub" / "one.tsv", **{"md5": MD5, "size": len(CONTENT), **facts})


@pytest.mark.parametrize(
    ("trouble", "requests"),
    [
        ([], 1),
        ([503, 500], 3),
        ([429], 2),
        (["cut"], 2),
        (["cut", "cut", "cut"], 4),
        (["short"], 2),
        (["flip"], 2),
        (["cut", "flip"], 3),
        (["cut", "whole"], 2),
        (["slow"], 1),
        (["redirect"], 2),
        (["redirect", "cut", "redirect"], 4),
    ],
)
def test_the_file_is_whole_in_the_end(
    address: str, service: Any, tmp_path: Path, trouble: list[Any], requests: int
) -> None:
    service.trouble["/data/one"] = trouble
    remote = one(address, tmp_path)
    fetch(remote, None, SOON)
    assert remote.path.read_bytes() == CONTENT
    assert service.asked["/data/one"] == requests
    assert [path.name for path in remote.path.parent.iterdir()] == ["one.tsv"]


def test_a_broken_line_goes_on_where_it_broke(address: str, service: Any, tmp_path: Path) -> None:
    service.trouble["/data/one"] = ["cut"]
    arrived: list[int] = []
    fetch(one(address, tmp_path), arrived.append, SOON)
    assert service.ranges == [("/data/one", "bytes=50000-")]
    assert service.sent["/data/one"] == sum(arrived) == len(CONTENT)


def test_a_second_start_goes_on(address: str, service: Any, tmp_path: Path) -> None:
    service.trouble["/data/one"] = ["cut", 500, 500, 500]
    remote = one(address, tmp_path)
    with pytest.raises(InputError, match=r"the server returned 500 \(tried 4 times\)"):
        fetch(remote, None, SOON)
    assert not remote.path.exists()
    assert remote.path.with_name("one.tsv.part").stat().st_size == 50_000
    assert fetch_all([remote], None, SOON) == 1
    assert remote.path.read_bytes() == CONTENT
    assert service.ranges[-1] == ("/data/one", "bytes=50000-")
    assert fetch_all([remote], None, SOON) == 0
    assert service.asked["/data/one"] == 5


def test_another_version_is_not_glued_to_an_old_beginning(address: str, service: Any, tmp_path: Path) -> None:
    """No checksum is known: only the ETag tells."""
    service.trouble["/data/one"] = ["cut", 500, 500, 500]
    remote = one(address, tmp_path, md5=None, size=None)
    with pytest.raises(InputError):
        fetch(remote, None, SOON)
    service.files["/data/one"], service.version = CONTENT[::-1], '"2"'
    fetch(remote, None, SOON)
    assert remote.path.read_bytes() == CONTENT[::-1]


def test_wrong_bytes_are_never_kept(address: str, service: Any, tmp_path: Path) -> None:
    remote = one(address, tmp_path, md5="0" * 32)
    with pytest.raises(InputError, match=f"its MD5 is {MD5}, not 0000"):
        fetch(remote, None, SOON)
    assert service.asked["/data/one"] == 4
    assert list(remote.path.parent.iterdir()) == []


def test_a_finished_part_needs_no_bytes(address: str, service: Any, tmp_path: Path) -> None:
    remote = one(address, tmp_path)
    remote.path.parent.mkdir()
    remote.path.with_name("one.tsv.part").write_bytes(CONTENT)
    fetch(remote, None, SOON)
    assert remote.path.read_bytes() == CONTENT
    assert service.sent["/data/one"] == 0


def test_a_longer_part_is_thrown_away(address: str, service: Any, tmp_path: Path) -> None:
    remote = one(address, tmp_path)
    remote.path.parent.mkdir()
    remote.path.with_name("one.tsv.part").write_bytes(CONTENT + b"more")
    fetch(remote, None, SOON)
    assert remote.path.read_bytes() == CONTENT


def test_what_the_server_does_not_have(address: str, service: Any, tmp_path: Path) -> None:
    absent = Remote(f"{address}/absent", tmp_path / "absent")
    with pytest.raises(InputError, match=r"/absent: the server returned 404"):
        fetch(absent, None, SOON)
    assert service.asked["/absent"] == 1
    fetch(Remote(absent.url, absent.path, optional=True), None, SOON)
    assert list(tmp_path.iterdir()) == []
    for url in ("file:///etc/hostname", "ftp://somewhere/x"):
        with pytest.raises(InputError, match="must begin with https://"):
            fetch(Remote(url, tmp_path / "x"), None, SOON)


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no connection .*tried 2 times"):
        fetch(Remote("http://127.0.0.1:9/x", tmp_path / "x"), None, Patience(2, 0.01, timeout_s=1))


def test_a_silent_server_is_left(address: str, service: Any, tmp_path: Path, server_code: ModuleType) -> None:
    release = threading.Event()

    class Silent(server_code.handler(service)):  # type: ignore[misc, name-defined]
        def do_GET(self) -> None:
            release.wait(5)

    server = server_code.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/x"
        with pytest.raises(InputError, match="timed out"):
            fetch(Remote(url, tmp_path / "x"), None, Patience(1, 0.01, timeout_s=0.2))
    finally:
        release.set()
        server.shutdown()
        server.server_close()


def test_an_interrupt_keeps_what_arrived(address: str, service: Any, tmp_path: Path) -> None:
    service.trouble["/data/one"] = ["slow"]
    stopping = threading.Event()
    remote = one(address, tmp_path)
    with pytest.raises(Stopped):
        fetch(remote, lambda arrived: stopping.set(), SOON, stopping)
    held = remote.path.with_name("one.tsv.part").stat().st_size
    assert 0 < held <= len(CONTENT)
    fetch(remote, None, SOON)
    assert remote.path.read_bytes() == CONTENT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_no_broken_connection(address: str, service: Any, tmp_path: Path) -> None:
    (tmp_path / "one.tsv.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        fetch(Remote(f"{address}/data/one", tmp_path / "one.tsv"), None, SOON)
    assert service.asked["/data/one"] == 1


def test_ctrl_c_stops_every_connection(address: str, service: Any, tmp_path: Path) -> None:
    paths = [f"/data/{number}" for number in range(6)]
    service.files |= dict.fromkeys(paths, CONTENT)
    service.trouble = {path: ["slow"] for path in paths}
    remotes = [Remote(f"{address}{path}", tmp_path / path[6:], size=len(CONTENT)) for path in paths]

    def interrupted(arrived: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_all(remotes, interrupted, SOON, connections=2)
    assert not any(remote.path.exists() for remote in remotes)
    assert 0 < len(list(tmp_path.glob("*.part"))) < 6
    assert fetch_all(remotes, None, SOON) == 6
    assert all(remote.path.read_bytes() == CONTENT for remote in remotes)


def test_all_failures_are_named_and_the_rest_is_fetched(address: str, service: Any, tmp_path: Path) -> None:
    service.files["/data/two"] = b"two"
    remotes = [one(address, tmp_path, md5="0" * 32), Remote(f"{address}/data/two", tmp_path / "two"),
               Remote(f"{address}/data/three", tmp_path / "three")]  # fmt: skip
    with pytest.raises(InputError) as raised:
        fetch_all(remotes, None, SOON)
    assert len(raised.value.problems) == 3
    assert raised.value.problems[-1].startswith("run the same command to resume")
    assert (tmp_path / "two").read_bytes() == b"two"


def test_pauses_grow_to_a_limit() -> None:
    patience = Patience(first_wait_s=2, longest_wait_s=20)
    assert [patience.wait_s(failures) for failures in range(1, 7)] == [2, 4, 8, 16, 20, 20]
    assert patience.wait_s(1, "7") == 7
    assert patience.wait_s(1, "soon") == 2


@pytest.fixture(scope="module")
def clinical() -> pd.DataFrame:
    row = np.arange(60)
    return pd.DataFrame({"project": np.where(row % 2, "LUAD", "GBM"), "age_diagnosed": 40.0 + row}, index=PATIENTS)


@pytest.fixture(scope="module")
def values() -> pd.DataFrame:
    drawn = np.random.default_rng(0).gamma(2, 2, (60, 4)).astype(np.float32)
    return pd.DataFrame(drawn, index=PATIENTS, columns=["TP53", "KRAS", "CD3E", "EGFR"])


def gdc(service: Any, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, folder: Path) -> None:
    """The service as the GDC: tumours of everybody, normal tissue of the first five, and a project nobody asks for."""
    tumours = values.rename(index=lambda name: f"{name}-01A")
    normal = values.iloc[:5].rename(index=lambda name: f"{name}-11A")
    service.hits = layouts.write_gdc(folder, pd.concat([tumours, normal]), clinical)
    service.cases = layouts.gdc_cases(clinical)
    service.files = {f"/data/{hit['id']}": (folder / hit["id"] / hit["file_name"]).read_bytes() for hit in service.hits}


def built(folder: Path, selection: Selection) -> Any:
    return build_public(PublicSources(folder, Sources("mine", None, text_encoder="none"), selection))


def test_gdc_from_nothing_to_a_cohort(
    address: str, service: Any, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, tmp_path: Path
) -> None:
    gdc(service, layouts, values, clinical, tmp_path / "there")
    hosts, selection = Hosts(gdc=address), Selection(projects=("LUAD", "GBM"), source="gdc")
    troubled = f"/data/{service.hits[3]['id']}"
    service.trouble = {"/files": [502], "/cases": ["redirect"], troubled: ["cut", "flip"]}
    stages: list[tuple[str, int, int]] = []
    number = fetch_public(tmp_path / "here", selection, lambda *said: stages.append(said), hosts, SOON)
    assert number == 60
    assert stages[-1][0] == "download"
    assert stages[-1][1] == stages[-1][2]
    normal = {f"/data/{hit['id']}" for hit in service.hits[60:]}
    assert not normal & set(service.asked)
    cohort = built(tmp_path / "here", selection)
    assert len(cohort) == 60
    np.testing.assert_allclose(cohort.expression, values.loc[cohort.samples].to_numpy(), atol=1e-4)
    before = dict(service.asked)
    assert fetch_public(tmp_path / "here", selection, None, hosts, SOON) == 0
    assert service.asked[troubled] == before[troubled]


def test_a_stopped_gdc_download_goes_on(
    address: str, service: Any, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, tmp_path: Path
) -> None:
    gdc(service, layouts, values, clinical, tmp_path / "there")
    hosts, selection = Hosts(gdc=address), Selection(projects=("LUAD", "GBM"), source="gdc")
    broken = [f"/data/{hit['id']}" for hit in service.hits[:10]]
    service.trouble = {path: ["cut", 500, 500, 500] for path in broken}
    with pytest.raises(InputError, match="run the same command to resume"):
        fetch_public(tmp_path / "here", selection, None, hosts, SOON)
    with pytest.raises(InputError):
        built(tmp_path / "here", Selection(sample_types=("06",)))
    service.ranges.clear()
    assert fetch_public(tmp_path / "here", selection, None, hosts, SOON) == 10
    assert sorted(path for path, _ in service.ranges) == sorted(broken)
    assert len(built(tmp_path / "here", selection)) == 60


def test_pages_are_put_together(
    address: str, service: Any, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, tmp_path: Path
) -> None:
    gdc(service, layouts, values, clinical, tmp_path)
    filters = [("cases.project.project_id", ["TCGA-LUAD", "TCGA-GBM"])]
    hits = gdc_hits(f"{address}/files", filters, ("file_id",), patience=SOON, page=20)
    assert [hit["id"] for hit in hits] == [hit["id"] for hit in service.hits]
    assert [query["from"] for query in service.queries] == [["0"], ["20"], ["40"], ["60"]]
    service.trouble["/files"] = [503, "empty"]
    with pytest.raises(InputError, match="0 of 65 hits arrived"):
        gdc_hits(f"{address}/files", filters, patience=SOON)
    service.files["/other"] = b"<html>"
    with pytest.raises(InputError, match="does not come from the GDC API"):
        gdc_hits(f"{address}/other", filters, patience=SOON)


def test_names_that_lead_elsewhere_are_refused() -> None:
    hit = {"file_id": "a", "file_name": "../../.bashrc", "md5sum": "0", "file_size": 1}
    with pytest.raises(InputError, match="which is not a valid file name"):
        kept_files([hit], Selection(projects=("LUAD",)))
    with pytest.raises(InputError, match="lacks md5sum"):
        kept_files([{"file_id": "a", "file_name": "b", "file_size": 1}], Selection(projects=("LUAD",)))


def test_xena_from_nothing_to_a_cohort(
    address: str, service: Any, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    layouts.write_xena_phenotypes(there / SURVIVAL, clinical)
    service.files = {f"/pancan/{SURVIVAL}": (there / SURVIVAL).read_bytes()}
    for project, patients in clinical.groupby("project").groups.items():
        place = there / f"TCGA.{project}.sampleMap" / "HiSeqV2.gz"
        layouts.write_xena_matrix(place, values.loc[patients].rename(index=lambda name: f"{name}-01"))
        service.files[f"/xena/TCGA.{project}.sampleMap/HiSeqV2.gz"] = place.read_bytes()
    service.files["/xena/TCGA.GBM.sampleMap/HiSeqV2.json"] = json.dumps({"unit": "log2(norm_count+1)"}).encode()
    service.trouble["/xena/TCGA.GBM.sampleMap/HiSeqV2.gz"] = ["cut", 503]
    hosts = Hosts(xena=f"{address}/xena", pancan=f"{address}/pancan")
    selection = Selection(projects=("LUAD", "GBM"), source="xena")
    fetch_public(tmp_path / "here", selection, None, hosts, SOON)
    cohort = built(tmp_path / "here", selection)
    assert (len(cohort), cohort.unit.name) == (60, "log2(rsem+1)")
    np.testing.assert_allclose(cohort.expression, values.loc[cohort.samples].to_numpy(), atol=1e-4)


def test_what_is_missing_is_said_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="give projects with --projects"):
        fetch_public(tmp_path, Selection())
    with pytest.raises(InputError, match="projects look like LUAD"):
        fetch_public(tmp_path, Selection(projects=("../x",)))
    monkeypatch.setenv("GEXBENCH_GDC_API", "http://127.0.0.1:9/")
    assert Hosts().gdc == "http://127.0.0.1:9"


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *given: False)
    with pytest.raises(InputError, match=f"{tmp_path}: is not writable; give another folder with --from-public"):
        fetch_public(tmp_path, Selection(projects=("LUAD",)))


def test_too_little_room(
    address: str, service: Any, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, tmp_path: Path
) -> None:
    gdc(service, layouts, values, clinical, tmp_path / "there")
    service.hits = [{**hit, "file_size": 10**15} for hit in service.hits]
    with pytest.raises(InputError, match=r"the files need 60000000\.0 GB"):
        fetch_public(tmp_path / "here", Selection(projects=("LUAD", "GBM")), None, Hosts(gdc=address), SOON)
