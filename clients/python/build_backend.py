"""A build backend (PEP 517 and 660) that needs nothing but Python: the package is a folder of files.

pip runs it. It reads the few fields of pyproject.toml that it needs by itself, because Python has no
parser for TOML before 3.11.
"""

import base64
import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Optional

HERE = Path(__file__).resolve().parent
PACKAGE = "telefile"

#: What a source distribution has beside the package.
SOURCES = ["README.md", "build_backend.py", "pyproject.toml"]


def build_wheel(
    wheel_directory: str,
    config_settings: Optional[Dict[str, Any]] = None,
    metadata_directory: Optional[str] = None,
) -> str:
    """Builds a wheel with the package; returns its name."""
    files = {path.relative_to(HERE).as_posix(): path.read_bytes() for path in _package()}
    return _write_wheel(wheel_directory, files)


def build_editable(
    wheel_directory: str,
    config_settings: Optional[Dict[str, Any]] = None,
    metadata_directory: Optional[str] = None,
) -> str:
    """Builds a wheel that leads to this folder; returns its name."""
    return _write_wheel(wheel_directory, {f"_{PACKAGE}.pth": f"{HERE}\n".encode()})


def build_sdist(sdist_directory: str, config_settings: Optional[Dict[str, Any]] = None) -> str:
    """Builds a source distribution; returns its name."""
    top = f"{PACKAGE}-{_field('version')}"
    name = f"{top}.tar.gz"
    with tarfile.open(Path(sdist_directory) / name, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path in [*_package(), *(HERE / source for source in SOURCES)]:
            archive.add(path, f"{top}/{path.relative_to(HERE).as_posix()}")
        metadata = _metadata()
        entry = tarfile.TarInfo(f"{top}/PKG-INFO")
        entry.size = len(metadata)
        archive.addfile(entry, io.BytesIO(metadata))
    return name


def _package() -> List[Path]:
    found = (HERE / PACKAGE).rglob("*")
    return sorted(path for path in found if path.suffix == ".py" or path.name == "py.typed")


def _field(name: str) -> str:
    return _find(rf'^{re.escape(name)} = "(.*)"$')


def _find(pattern: str) -> str:
    text = (HERE / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(pattern, text, re.MULTILINE)
    assert found is not None, pattern
    return found[1]


def _metadata() -> bytes:
    text = (HERE / "pyproject.toml").read_text(encoding="utf-8")
    licence = _find(r'^license = \{ text = "(.*)" \}$')
    classifiers = re.findall(r'^    "(.* :: .*)",$', text, re.MULTILINE)
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {_field('name')}",
        f"Version: {_field('version')}",
        f"Summary: {_field('description')}",
        f"License: {licence}",
        f"Requires-Python: {_field('requires-python')}",
        *(f"Classifier: {classifier}" for classifier in classifiers),
        "Description-Content-Type: text/markdown",
        "",
        (HERE / "README.md").read_text(encoding="utf-8"),
    ]
    return "\n".join(lines).encode()


def _write_wheel(folder: str, files: Dict[str, bytes]) -> str:
    stem = f"{PACKAGE}-{_field('version')}"
    info = f"{stem}.dist-info"
    tag = "py3-none-any"
    wheel = f"Wheel-Version: 1.0\nGenerator: build_backend\nRoot-Is-Purelib: true\nTag: {tag}\n"
    files = {**files, f"{info}/METADATA": _metadata(), f"{info}/WHEEL": wheel.encode()}
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    name = f"{stem}-{tag}.whl"
    with zipfile.ZipFile(Path(folder) / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            # A date of its own makes the same sources the same wheel.
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), data)
    return name


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
