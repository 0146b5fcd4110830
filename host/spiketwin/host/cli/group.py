"""The command ``spiketwin``: it finds its subcommands, loads the one used, and reports errors."""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import click

from spiketwin.hdl.spec.installation import install_command
from spiketwin.host.cli import catalogue, streams
from spiketwin.host.cli.endings import Unwinding
from spiketwin.host.errors import SpiketwinError, SpiketwinWarning

COMMANDS: Final = "spiketwin.commands"
"""Group of the entry points by which other packages offer commands: name to click command."""

_BY_SIGNAL: Final = 128
"""Number to which the exit status of a program that a signal ended adds the signal's number."""

_BACKEND: Final = "MPLBACKEND"
"""Environment variable that names the backend of matplotlib."""


class _BrokenOff(click.ClickException):
    """An error of a target or a tool that ended the program while it worked (status 1)."""

    exit_code = 1


class _NothingDone(click.ClickException):
    """An error because of which the call could not be carried out (status 2)."""

    exit_code = 2


_ENDS: Final = {kind.exit_code: kind for kind in (_BrokenOff, _NothingDone)}
"""Errors of the program by their exit status."""


class Commands(click.Group):
    """The group of all commands: those of the catalogue, and those of other packages."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(find_commands())

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Load and return a command; raise a message if a package that it needs is missing."""
        entry = find_commands().get(name)
        if entry is None:
            return None
        try:
            command: click.Command = entry.load()
        except ImportError as error:
            raise _missing(name, error) from error
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find and load the command of a call; from then on signals raise (`Unwinding`)."""
        found = super().resolve_command(ctx, args)
        ctx.ensure_object(Unwinding).begin()
        return found

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line; the exit status also reports output that could not be written."""
        # No window is ever opened, so a backend that matplotlib does not have must not matter.
        backend = os.environ.pop(_BACKEND, None)
        try:
            with streams.kept_going() as status:
                try:
                    return super().main(*args, **extra)
                except SystemExit as end:
                    raise SystemExit(end.code or status()) from None
        finally:
            if backend is not None:
                os.environ[_BACKEND] = backend

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; report expected errors as one message, and warnings as lines."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # not every locale can write … or ⇑
        ending = ctx.ensure_object(Unwinding)
        try:
            with _warnings_as_lines(), closing(ending):
                return super().invoke(ctx)
        except SpiketwinError as error:
            raise _ENDS[error.exit_status](str(error)) from error
        except ImportError as error:
            raise _missing(ctx.invoked_subcommand or "", error) from error
        except KeyboardInterrupt:
            by = signal.Signals(ending.number)
            how = "interrupted" if by == signal.SIGINT else f"ended by {by.name}"
            click.echo(f"\nspiketwin: {how}", err=True)
            raise click.exceptions.Exit(_BY_SIGNAL + ending.number) from None
        except MemoryError as error:
            raise _BrokenOff(
                f"this computer has not enough memory ({error or 'none is left'}): ask for less"
            ) from error
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise _NothingDone(f"{place}{error.strerror or error}") from error

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections of the catalogue, with the commands that are installed."""
        left = set(find_commands())
        for title, entries in catalogue.SECTIONS.items():
            rows = []
            for entry in entries:
                if entry.name in left:
                    left.remove(entry.name)
                    rows += [(entry.name, entry.summary), ("", f"$ {entry.example}")]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
        if left:
            with formatter.section("Further commands"):
                formatter.write_dl([(name, "") for name in sorted(left)])


def find_commands() -> dict[str, EntryPoint]:
    """Return the entry points of all commands, of the catalogue and of other packages, by name."""
    offered = {entry.name: entry for entry in entry_points(group=COMMANDS)}
    return offered | {
        name: EntryPoint(name, entry.function, COMMANDS)
        for name, entry in catalogue.COMMANDS.items()
    }


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Show each `SpiketwinWarning` once, as a line on standard error; leave others as they are."""
    said: set[str] = set()
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], *place: Any, **further: Any
        ) -> None:
            text = " ".join(str(message).splitlines())
            if not issubclass(category, SpiketwinWarning):
                others(message, category, *place, **further)
            elif text not in said:
                said.add(text)
                click.echo(f"spiketwin: warning: {text}", err=True)

        warnings.simplefilter("always", SpiketwinWarning)
        warnings.showwarning = show
        yield


def _missing(name: str, error: ImportError) -> _NothingDone:
    """Return the error that names the missing package; raise an error within this package."""
    if (error.name or "").partition(".")[0] == "spiketwin":
        raise error
    return _NothingDone(
        f"`spiketwin {name}` needs {error.name or 'a package'}, which is not installed or does not "
        f"load ({error}). Run: {install_command(catalogue.extra(name))}"
    )


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`spiketwin COMMAND --help` explains one command. The status is 0 when all went well, "
    "1 when a check failed or a target broke down, 2 when the call could not be carried out or its "
    "output not be written, 130 after Ctrl-C, and 128 and its number after another signal.",
)
@click.version_option(package_name="spiketwin", message="spiketwin %(version)s")
def main() -> None:
    """One spiking network as a model, as RTL and on an FPGA, equal to the bit.

    A target is given with --on: `model:` computes in this process, `rtl:` simulates the gateware in
    this process, `rtl+pty:` does so behind a pseudo-terminal, `netlist:` simulates the cells of an
    FPGA that it is mapped to; /dev/ttyUSB1 or socket://host:port is a device, and `replay:FILE` a
    recorded session with one. All of them answer the same protocol.
    """
