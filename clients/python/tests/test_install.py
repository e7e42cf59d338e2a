"""The package is installed by pip into an environment of its own, without a network."""

import email
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import venv
import zipfile
from typing import Any, Dict, List

from .servers import Server, environment

PACKAGE = pathlib.Path(__file__).resolve().parents[1]


def run(*command: object, **more: str) -> str:
    """Runs a program; returns what it says."""
    given = {**environment(), "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}
    given.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(part) for part in command],
        env=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tempfile.gettempdir(),
    )
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


def has_pip() -> bool:
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        return False
    return True


class InstallTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="telefile-install-"))
        self.addCleanup(shutil.rmtree, self.folder)
        # A copy: a build leaves nothing in the sources.
        self.sources = self.folder / "sources"
        ignored = shutil.ignore_patterns("__pycache__", "tests")
        shutil.copytree(PACKAGE, self.sources, ignore=ignored)

    def backend(self, function: str) -> pathlib.Path:
        """Calls the build backend as pip does; returns what it has built."""
        code = f"import build_backend; print(build_backend.{function}({str(self.folder)!r}))"
        out = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.sources,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        ).stdout
        return self.folder / out.strip()

    def test_a_wheel_has_the_package_and_nothing_else(self) -> None:
        wheel = self.backend("build_wheel")
        first = wheel.read_bytes()
        with zipfile.ZipFile(wheel) as archive:
            self.assertIsNone(archive.testzip())
            names = archive.namelist()
            metadata = archive.read("telefile-0.1.0.dist-info/METADATA").decode()
        tops = {name.split("/")[0] for name in names}
        self.assertEqual(tops, {"telefile", "telefile-0.1.0.dist-info"})
        self.assertIn("telefile/py.typed", names)
        self.assertIn("telefile/recipes/lock.py", names)
        fields = email.message_from_string(metadata)
        self.assertEqual((fields["Name"], fields["Requires-Python"]), ("telefile", ">=3.9"))
        self.assertIsNone(fields["Requires-Dist"])
        self.assertEqual(self.backend("build_wheel").read_bytes(), first)

    def test_a_source_distribution_builds_the_same_wheel(self) -> None:
        wheel = self.backend("build_wheel").read_bytes()
        with tarfile.open(self.backend("build_sdist")) as archive:
            safely: Dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            archive.extractall(self.folder, **safely)
        shutil.rmtree(self.sources)
        (self.folder / "telefile-0.1.0").rename(self.sources)
        self.assertEqual(self.backend("build_wheel").read_bytes(), wheel)

    @unittest.skipUnless(has_pip(), "no ensurepip here")
    def test_pip_installs_it_and_a_program_uses_it(self) -> None:
        for flags in ("", "--editable"):
            python = self.environment(f"env{flags}")
            run(python, "-m", "pip", "install", *flags.split(), self.sources)
            shown = run(python, "-m", "pip", "show", "--files", "telefile")
            self.assertIn("Version: 0.1.0", shown)
            self.assertIn("Requires: \n", shown)
            program = (
                "import sys, telefile\n"
                "from telefile.recipes import Lock\n"
                "client = telefile.Client(sys.argv[1])\n"
                "with Lock(client, 'l') as held:\n"
                "    print(held.token, telefile.__file__)\n"
            )
            with Server() as server:
                token, path = run(python, "-c", program, server.address).split()
            self.assertEqual(token, "1")
            self.assertEqual(str(self.sources) in path, bool(flags))
            run(python, "-m", "pip", "uninstall", "--yes", "telefile")
            self.assertEqual(self.imports(python), [])

    def environment(self, name: str) -> pathlib.Path:
        folder = self.folder / name
        venv.create(folder, with_pip=True)
        return folder / "bin" / "python"

    def imports(self, python: pathlib.Path) -> List[str]:
        code = "import importlib.util as u; print(u.find_spec('telefile') or '')"
        return run(python, "-c", code).split()
