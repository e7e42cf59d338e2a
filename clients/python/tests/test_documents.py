"""What the README and the docstrings show is true: each example is run."""

import doctest
import gc
import importlib
import pathlib
import pkgutil
import re
import unittest
import warnings
from typing import Iterator, List

import telefile
import telefile.recipes

from .servers import Server, built

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"

#: The address in examples; each docstring has a server of its own there.
SHOWN = re.compile(r'(?<=127\.0\.0\.1)(:|", )8080\b')


def modules() -> Iterator[object]:
    yield telefile
    for found in pkgutil.walk_packages(telefile.__path__, "telefile."):
        yield importlib.import_module(found.name)


def at(server: Server, text: str) -> str:
    """Puts the address of a server in place of the shown one."""
    port = server.address.split(":")[1]
    return SHOWN.sub(rf"\g<1>{port}", text)


class DocstringTest(unittest.TestCase):
    def test_each_example_is_true(self) -> None:
        tests: List[doctest.DocTest] = []
        for module in modules():
            names = {**vars(telefile.recipes), **vars(module), "telefile": telefile}
            tests += doctest.DocTestFinder(exclude_empty=True).find(module, globs=names)
        tests = [test for test in tests if test.examples]
        self.assertGreater(len(tests), 20)
        for test in tests:
            with self.subTest(test.name), Server() as server:
                for example in test.examples:
                    example.source = at(server, example.source)
                self.run_test(test)

    def test_the_readme_is_true(self) -> None:
        blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
        sessions = [block for block in blocks if block.startswith(">>> ")]
        self.assertEqual(len(sessions), len(blocks))
        self.assertGreater(len(sessions), 3)
        with Server(command=[built("myserver"), "127.0.0.1:0"]) as server:
            text = at(server, "\n".join(sessions))
            parser = doctest.DocTestParser()
            self.run_test(parser.get_doctest(text, {}, "README.md", str(README), 0))

    def run_test(self, test: doctest.DocTest) -> None:
        """Runs the examples; module paths in tracebacks do not matter."""
        said: List[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        with warnings.catch_warnings():
            # Examples leave it to the interpreter to close what they open.
            warnings.simplefilter("ignore", ResourceWarning)
            runner.run(test, out=said.append)
            gc.collect()
        self.assertEqual(runner.failures, 0, "".join(said))

    def test_a_wrong_example_is_found(self) -> None:
        test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", "wrong", 0)
        self.assertRaises(AssertionError, self.run_test, test)

    def test_everything_public_is_documented(self) -> None:
        for module in modules():
            self.assertTrue(module.__doc__, module)
            for name, item in vars(module).items():
                is_own = getattr(item, "__module__", None) == getattr(module, "__name__", None)
                if name.startswith("_") or not is_own or not callable(item):
                    continue
                self.assertTrue(item.__doc__, f"{module}: {name}")
                for method, function in vars(item).items() if isinstance(item, type) else ():
                    if not method.startswith("_") and callable(function):
                        self.assertTrue(function.__doc__, f"{module}: {name}.{method}")


class VersionTest(unittest.TestCase):
    def test_the_version_is_that_of_pyproject(self) -> None:
        text = (README.parent / "pyproject.toml").read_text()
        self.assertIn(f'\nversion = "{telefile.__version__}"\n', text)
