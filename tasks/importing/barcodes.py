"""TCGA barcodes: their fields, the names of sample types, and the one sample that stands for a patient."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gexbench.tasks.errors import InputError

PATIENT_LENGTH = len("TCGA-XX-XXXX")
PRIMARY = ("01",)
SAMPLE_TYPES = {
    "01": "primary tumour",
    "02": "recurrent tumour",
    "03": "primary blood-derived cancer",
    "05": "additional new primary",
    "06": "metastasis",
    "07": "additional metastasis",
    "11": "normal tissue",
}
"""Names of the sample-type codes that expression is mostly of; 01 to 09 are tumours, 10 to 19 normal tissue."""
RARE_TYPES = {
    "04": "recurrent blood-derived cancer, bone marrow",
    "08": "tumour, original cells",
    "09": "primary blood-derived cancer, bone marrow",
    "10": "blood-derived normal",
    "12": "buccal cell normal",
    "13": "EBV-immortalised normal",
    "14": "bone marrow normal",
    "20": "control analyte",
    "40": "recurrent blood-derived cancer, peripheral blood",
    "50": "cell line",
    "60": "primary xenograft",
    "61": "cell-line-derived xenograft",
}
"""The other codes of the GDC's table."""
_WORDS = {
    "10": {"blood", "derived", "normal"}, "14": {"bone", "marrow", "normal"}, "11": {"normal"},
    "04": {"recurrent", "blood", "bone", "marrow"}, "40": {"recurrent", "blood", "peripheral"},
    "09": {"blood", "derived", "bone", "marrow"}, "03": {"blood", "derived", "peripheral"}, "02": {"recurrent"},
    "07": {"additional", "metastatic"}, "06": {"metastatic"}, "05": {"additional"}, "50": {"cell", "line"},
    "01": {"primary"},
}  # fmt: skip
"""Code → the words that name it, the first that fits."""
_BARCODE = re.compile(
    r"(?P<patient>TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})-(?P<type>\d{2})(?P<vial>[A-Z]?)"
    r"(?:-(?P<portion>\d{2})(?P<analyte>[A-Z]?))?(?:-(?P<plate>[A-Z0-9]{4})(?:-(?P<center>\d{2}))?)?"
)
_PATIENT = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}")
Keep = Literal["one", "all"]


@dataclass(frozen=True, slots=True)
class Barcode:
    """The fields of a sample's or an aliquot's barcode; those that it does not state are empty."""

    name: str
    patient: str
    type: str
    vial: str
    portion: str
    plate: str

    @property
    def site(self) -> str:
        """The tissue-source site, two characters."""
        return self.patient[5:7]

    @property
    def sample(self) -> str:
        """Patient, sample type and vial, such as `TCGA-05-4249-01A`."""
        return f"{self.patient}-{self.type}{self.vial}"


def barcode(name: str) -> Barcode | None:
    """The fields of `TCGA-05-4249-01`, `-01A` or a longer barcode; None for any other name."""
    found = _BARCODE.fullmatch(name)
    if not found:
        return None
    fields = {key: found[key] or "" for key in ("patient", "type", "vial", "portion", "plate")}
    return Barcode(name, **fields)


def patient_of(name: str) -> str | None:
    """The patient of a patient's, sample's, aliquot's or slide's name, None where it does not begin with one."""
    found = _PATIENT.match(name)
    return found[0] if found else None


def named_type(code: str) -> str:
    """The name of a sample-type code."""
    return SAMPLE_TYPES.get(code, f"sample type {code}")


def type_code(kind: str | None) -> str:
    """The code of a kind of sample as the GDC words it (`Primary Tumor`, `Tumor Primary`); empty for an unknown one."""
    words = set(re.findall(r"[a-z]+", (kind or "").lower()))
    for code, needed in _WORDS.items():
        if needed <= words:
            return code
    return "01" if words == {"tumor"} else ""


def checked_types(codes: Sequence[str], where: str) -> None:
    """Refuse codes that are not in the GDC's table.

    Args:
        codes: two digits, as in barcodes.
        where: what names them, for messages.

    Raises:
        InputError: names the bad ones and the known.
    """
    known = {**SAMPLE_TYPES, **RARE_TYPES}
    if wrong := [code for code in codes if code not in known]:
        listed = ", ".join(f"{code} {name}" for code, name in SAMPLE_TYPES.items())
        raise InputError(
            f"{where}: {', '.join(map(repr, wrong))} is not a two-digit sample-type code of TCGA barcodes "
            f"(known: {listed}; also {', '.join(RARE_TYPES)})"
        )


def chosen(samples: Iterable[Barcode], types: Sequence[str], keep: Keep) -> list[Barcode]:
    """The samples of the wanted types, in their order: all of them, or one per patient.

    One per patient: the type that stands first in `types`, then the lowest vial, portion and plate (a field that is
    not stated comes last), then the name. This does not depend on the order in which samples come.
    """
    wanted = [sample for sample in samples if sample.type in types]
    if keep == "all":
        return wanted
    best: dict[str, Barcode] = {}
    for sample in sorted(wanted, key=lambda sample: _rank(sample, types)):
        best.setdefault(sample.patient, sample)
    names = {sample.name for sample in best.values()}
    return [sample for sample in wanted if sample.name in names]


def _rank(sample: Barcode, types: Sequence[str]) -> tuple[int, str, str, str, str]:
    last = "~"
    return (types.index(sample.type), sample.vial or last, sample.portion or last, sample.plate or last, sample.name)
