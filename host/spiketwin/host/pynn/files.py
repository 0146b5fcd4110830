"""PyNN's files of connections, read so that nothing in a file is executed."""

from __future__ import annotations

import ast
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyNN import connectors
from pyNN.recording import files

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput
from spiketwin.host.pynn.given import taking


@taking(__init__="a path and a mode, 'r' or 'w'")
class StandardTextFile(files.StandardTextFile):
    """Data as text, with a line ``# columns = [...]`` before them."""

    def get_metadata(self) -> dict[str, list[Any]]:
        """Return what the lines with ``#`` say; raise `InvalidInput` if they say it wrongly."""
        self._check_open()
        found = {}
        for line in self.fileobj:
            if not line.startswith("#"):
                break
            name, equals, value = line[1:].partition("=")
            try:
                values = ast.literal_eval(value.strip())
            except (ValueError, SyntaxError):
                values = None
            if not equals or not isinstance(values, list | tuple):
                raise InvalidInput(
                    f'{self.name}: a line with # must be as in \'# columns = ["i", "j", '
                    f'"weight"]\', not {shown(line.strip())}'
                )
            found[name.strip()] = list(values)
        self.fileobj.seek(0)
        return found

    def read(self) -> NDArray[np.float64]:
        """Return the data as an array with a row for each line."""
        self._check_open()
        try:
            return np.loadtxt(self.fileobj, ndmin=2)
        except ValueError as error:
            raise InvalidInput(
                f"{self.name} must have lines of as many numbers as there are columns: {error}"
            ) from error


@taking(__init__="a path and a mode, 'r' or 'w'")
class NumpyBinaryFile(files.NumpyBinaryFile):
    """Data as an archive of numpy's arrays, whose metadata are JSON and never a pickle."""

    def write(self, data: Any, metadata: dict[str, Any]) -> None:
        """Write data and metadata."""
        self._check_open()
        # As keywords that np.savez may not mistake for its own.
        arrays = {"data": np.asarray(data), "metadata": np.array(json.dumps(metadata))}
        np.savez(self.fileobj, **arrays)  # type: ignore[arg-type]
        self.fileobj.flush()

    def read(self) -> NDArray[Any]:
        """Return the data."""
        found: NDArray[Any] = self._array("data")
        return found

    def get_metadata(self) -> dict[str, Any]:
        """Return the metadata."""
        try:
            found: dict[str, Any] = json.loads(str(self._array("metadata")))
        except ValueError as error:
            raise InvalidInput(f"{self.name} has no metadata that can be read: {error}") from error
        return found

    def _array(self, name: str) -> NDArray[Any]:
        self._check_open()
        self.fileobj.seek(0)
        try:
            with np.load(self.fileobj, allow_pickle=False) as archive:
                found: NDArray[Any] = archive[name]
        except (ValueError, KeyError, OSError, EOFError) as error:
            raise InvalidInput(
                f"{self.name} must be an archive that NumpyBinaryFile wrote: {error}"
            ) from error
        self.fileobj.seek(0)
        return found


class PickleFile(files.PickleFile):
    """Data as a pickle, which can be written and is not read: reading one may execute code."""

    def read(self) -> NDArray[Any]:
        """Raise `InvalidInput`."""
        raise InvalidInput(
            f"{self.name} is a pickle, which can execute code when it is read: write connections "
            "with StandardTextFile or NumpyBinaryFile"
        )

    get_metadata = read


class FromFileConnector(connectors.FromFileConnector):
    """PyNN's `FromFileConnector`, which reads files of this module."""

    def __init__(self, file: Any, *others: Any, **options: Any) -> None:
        opened = StandardTextFile(file, mode="r") if isinstance(file, str) else file
        if not isinstance(opened, StandardTextFile | NumpyBinaryFile | PickleFile):
            raise InvalidInput(
                f"file must be a path, or a StandardTextFile or NumpyBinaryFile of this module, "
                f"not {shown(file)}"
            )
        super().__init__(opened, *others, **options)
