"""``spiketwin`` itself: finds its commands, loads the one used, and ends errors in words."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import click

from spiketwin.host.cli import catalogue
from spiketwin.host.errors import SpiketwinError, SpiketwinWarning, TargetError
from spiketwin.host.installation import install_command

COMMANDS: Final = "spiketwin.commands"
"""Entry points of commands, wherever they live: name to click command."""

_INTERRUPTED: Final = 130
"""Status of a program that Ctrl-C ended: 128 and the number of the signal."""


class NothingDone(click.ClickException):
    """Ends the program because something about the call or this machine is wrong.

    What goes wrong on the way ends with status 1 instead.
    """

    exit_code = 2


class Commands(click.Group):
    """A group whose commands are entry points."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted(find_commands())

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Load a command; `NothingDone` where something that it needs is not installed."""
        entry = find_commands().get(name)
        if entry is None:
            return None
        try:
            command: click.Command = entry.load()
        except ImportError as error:
            raise _missing(name, error) from error
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors that were foreseen end as one message."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # not every locale can write … or ⇑
        try:
            with warnings.catch_warnings():
                # Each a line of its own, once, whatever else is done with warnings.
                warnings.simplefilter("default", SpiketwinWarning)
                warnings.showwarning = _show(warnings.showwarning)
                return super().invoke(ctx)
        except SpiketwinError as error:
            # Wrong in itself, or nothing there: the target has done nothing yet.
            nothing_done = isinstance(error, ValueError | TargetError)
            raise (NothingDone if nothing_done else click.ClickException)(str(error)) from error
        except ImportError as error:
            raise _missing(ctx.invoked_subcommand or "", error) from error
        except KeyboardInterrupt:
            click.echo("\nspiketwin: interrupted", err=True)
            raise click.exceptions.Exit(_INTERRUPTED) from None
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe has gone
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise NothingDone(f"{place}{error.strerror or error}") from error

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the catalogue says of the commands that are there."""
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
    """Find the entry points of all commands, by name."""
    return {entry.name: entry for entry in entry_points(group=COMMANDS)}


def _show(others: Callable[..., None]) -> Callable[..., None]:
    """Show warnings that are ours as lines of the program, and the others as they would be."""

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, SpiketwinWarning):
            click.echo(f"spiketwin: warning: {message}", err=True)
        else:
            others(message, category, *place, **more)

    return show


def _missing(name: str, error: ImportError) -> click.ClickException:
    """Say what a command lacks; an error within this package is none of those, and is raised."""
    if (error.name or "").partition(".")[0] == "spiketwin":
        raise error
    return NothingDone(
        f"`spiketwin {name}` needs {error.name or 'a package'}, which is not installed or does not "
        f"load ({error}). Run: {install_command(catalogue.extra(name))}"
    )


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`spiketwin COMMAND --help` explains one command. The status is 0 when all went well, "
    "1 when a check failed or a target broke down, 2 when the call could not be carried out, "
    "and 130 after Ctrl-C.",
)
@click.version_option(package_name="spiketwin", message="spiketwin %(version)s")
def main() -> None:
    """One spiking network as a model, as RTL and on an FPGA, equal to the bit.

    A target is given with --on: `model:` computes in this process, `rtl:` simulates the gateware in
    this process, `rtl+pty:` does so behind a pseudo-terminal, `netlist:` simulates the cells of an
    FPGA that it is mapped to; /dev/ttyUSB1 or socket://host:port is a device, and `replay:FILE` a
    recorded session with one. All of them answer the same protocol.
    """
