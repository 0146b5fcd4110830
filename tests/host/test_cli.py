"""The command line: what it teaches, how it ends, and what it writes."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.checkout import ROOT, copy_script

from spiketwin.cosim.rtl import toolchain
from spiketwin.cosim.trials import doctor
from spiketwin.hdl import builds
from spiketwin.hdl.spec import installation
from spiketwin.hdl.spec.installation import install_command
from spiketwin.hdl.spec.params import preset
from spiketwin.host import Network, addresses, connect
from spiketwin.host.cli import catalogue, group, main
from spiketwin.host.errors import LinkLost
from spiketwin.host.files import save
from spiketwin.host.link import DEFAULT_RETRIES
from spiketwin.host.registered import registered_kinds

TICKS = 50
TINY = ["--on", "model:", "--params", "tiny"]


def spiketwin(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def spikes() -> np.ndarray:
    return np.argwhere(np.random.default_rng(3).random((TICKS, 8)) < 0.3)


@pytest.fixture
def net(tmp_path: Path, spikes: np.ndarray) -> Path:
    """A saved network with a stimulus."""
    path = tmp_path / "net.npz"
    save(path, Network.random(8, 8, seed=5), spikes, TICKS)
    return path


# --- the group ----------------------------------------------------------------------------------


def test_help_names_every_command_and_shows_an_example_of_each() -> None:
    shown = spiketwin("--help")
    assert shown.exit_code == 0
    for section, entries in catalogue.SECTIONS.items():
        installed = [entry for entry in entries if entry.name in group.find_commands()]
        assert (section in shown.output) == bool(installed)
        for entry in installed:
            assert f"$ {entry.example}" in shown.output


def test_help_lists_a_command_that_no_section_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "novelty", "json:loads")
    assert "Further commands:\n  novelty" in spiketwin("--help").output


def test_help_imports_nothing_heavy() -> None:
    probe = (
        "import sys; from click.testing import CliRunner; from spiketwin.host.cli import main; "
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0; "
        "print({'numba', 'amaranth', 'matplotlib', 'numpy', 'serial'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "set()\n"


def test_next_to_nothing_is_imported_before_ctrl_c_is_heard() -> None:
    probe = (
        "import sys; before = set(sys.modules); from spiketwin.host.cli.start import start; "
        "print({'typing', 'contextlib', 'importlib', 'click'} & sys.modules.keys() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", probe], check=True, capture_output=True, text=True, timeout=60,
        env={"PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("hdl", "host"))},
    )  # fmt: skip
    assert done.stdout == "set()\n"


def test_the_version_is_that_of_the_package() -> None:
    assert spiketwin("--version").output.startswith("spiketwin 0.")


@pytest.mark.parametrize("arguments", [["prove"], ["--loud"], ["run"], ["selftest"]])
def test_a_wrong_call_ends_with_status_2(arguments: list[str]) -> None:
    done = spiketwin(*arguments)
    assert done.exit_code == 2
    assert "Usage: " in done.stderr


@pytest.mark.parametrize("name", sorted(group.find_commands()))
def test_every_command_has_help(name: str) -> None:
    done = spiketwin(name, "--help")
    assert done.exit_code == 0, done.stderr
    assert "--help" in done.output


def install(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Have one command, at `value`, and no other."""
    entry = EntryPoint(name, value, group.COMMANDS)
    monkeypatch.setattr(group, "find_commands", lambda: {name: entry})


def test_a_command_whose_extra_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, "demo", "no_such_package.demo:demo")
    done = spiketwin("demo")
    assert done.exit_code == 2
    assert "`spiketwin demo` needs no_such_package" in done.stderr
    assert f"Run: {install_command('demo')}\n" in done.stderr


def test_an_import_error_of_our_own_is_not_taken_for_a_missing_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, "demo", "spiketwin.host.no_such_module:demo")
    assert isinstance(spiketwin("demo").exception, ImportError)


@pytest.mark.parametrize(
    ("recorded", "wanted"),
    [
        (None, "'spiketwin[rtl]'"),
        ('{"url": "https://example.org/x.whl", "archive_info": {}}', "'spiketwin[rtl]'"),
        ('{"url": "file:///a%20b", "dir_info": {"editable": true}}', "--editable '/a b[rtl]'"),
        ('{"url": "file:///ab", "dir_info": {}}', "'/ab[rtl]'"),
    ],
)
def test_an_extra_is_installed_from_where_the_package_came(
    recorded: str | None, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not a method of a class of the standard library: a backport that is imported brings its own.
    installed = SimpleNamespace(read_text=lambda _name: recorded)
    monkeypatch.setattr(installation, "distribution", lambda _name: installed)
    assert install_command("rtl") == f"{sys.executable} -m pip install {wanted}"


# --- run ----------------------------------------------------------------------------------------


def test_run_does_what_the_host_does(net: Path, spikes: np.ndarray, tmp_path: Path) -> None:
    figures, arrays, picture = tmp_path / "run.json", tmp_path / "run.npz", tmp_path / "run.png"
    done = spiketwin(
        "run", net, *TINY, "--json", figures, "--output", arrays, "--plot", picture
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    with connect("model:", params="tiny") as core:
        core.program(Network.random(8, 8, seed=5))
        run = core.run(spikes, TICKS)
        weights = core.read_weights()
    report = json.loads(figures.read_text())
    assert len(run.spikes) > 0
    assert report["target"] == "model:"
    assert report["ticks"] == TICKS
    assert report["spikes"] == len(run.spikes)
    assert report["cycles"] == {
        "total": run.cycles.sum(),
        "least": run.cycles.min(),
        "mean": run.cycles.mean(),
        "most": run.cycles.max(),
    }
    counts = np.bincount(run.spikes[:, 1], minlength=8).tolist()
    assert report["rates"]["spikes_of_each_neuron"] == counts
    assert f"{len(run.spikes):,}" in done.output
    with np.load(arrays) as written:
        np.testing.assert_array_equal(written["spikes"], run.spikes)
        np.testing.assert_array_equal(written["cycles"], run.cycles)
        np.testing.assert_array_equal(written["weights"], weights)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["npy", "csv", "csv without heading"])
def test_run_takes_spikes_from_a_file(
    kind: str, net: Path, spikes: np.ndarray, tmp_path: Path
) -> None:
    if kind == "npy":
        path = tmp_path / "events.npy"
        np.save(path, spikes)
    else:
        path = tmp_path / "events.csv"
        heading = "" if "without" in kind else "tick,axon"
        np.savetxt(path, spikes, fmt="%d", delimiter=",", header=heading, comments="")
    saved, given = tmp_path / "saved.json", tmp_path / "given.json"
    assert spiketwin("run", net, *TINY, "--json", saved).exit_code == 0
    # With a stimulus of its own that is another one, which the file takes the place of.
    other = tmp_path / "other.npz"
    save(other, Network.random(8, 8, seed=5), [(0, 1)], TICKS)
    arguments: list[str | Path] = ["--spikes", path, "--ticks", str(TICKS), "--json", given]
    assert spiketwin("run", other, *TINY, *arguments).exit_code == 0
    reports = [json.loads(file.read_text()) for file in (saved, given)]
    assert reports[0]["spikes"] > 0
    assert reports[0]["cycles"] == reports[1]["cycles"]
    assert reports[0]["rates"] == reports[1]["rates"]


def test_a_shorter_run_leaves_later_spikes_out(net: Path, tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    done = spiketwin("run", net, *TINY, "--ticks", "7", "--json", report)
    assert done.exit_code == 0, done.output
    assert json.loads(report.read_text())["ticks"] == 7


def test_a_network_without_a_stimulus_needs_ticks(tmp_path: Path) -> None:
    path = tmp_path / "bare.npz"
    save(path, Network.random(8, 8, seed=5))
    done = spiketwin("run", path, *TINY)
    assert done.exit_code == 2
    assert "give --spikes, or --ticks" in done.stderr
    assert spiketwin("run", path, *TINY, "--ticks", "3").exit_code == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("events.csv", b"tick,axon\n1,2,3\n", "line 2, must be two whole numbers"),
        ("events.csv", b"tick,axon\n\n1,x\n", "line 3, must be two whole numbers"),
        ("events.csv", b"0.0,1\n2,3\n", "line 1, must be two whole numbers"),
        ("events.csv", b"0,99999999999999999999\n", "line 1, must be two whole numbers"),
        ("events.csv", b"0,8\n", "axon must be in 0…7"),
        ("events.csv", b"\xff\xfe0", "no text in UTF-8"),
        ("events.npy", b"\x93NUMPY", "no array of numbers"),
        ("events.npy", b"", "no array of numbers"),
        ("events.txt", b"0,1\n", "must be a .npy or a .csv"),
    ],
)
def test_a_wrong_file_of_spikes_is_named(
    name: str, content: bytes, message: str, net: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    done = spiketwin("run", net, *TINY, "--spikes", path)
    assert done.exit_code == 2
    assert message in done.stderr


def test_pickled_spikes_are_never_loaded(net: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.npy"
    np.save(path, np.array([{"tick": 0}], object), allow_pickle=True)
    done = spiketwin("run", net, *TINY, "--spikes", path)
    assert done.exit_code == 2
    assert "write it with numpy.save(file, spikes)" in done.stderr
    assert "allow_pickle" not in done.stderr


@pytest.mark.parametrize(
    ("content", "n_events"),
    [
        (b"\xef\xbb\xbf0,1\n2,3\n", 2),
        (b"\xef\xbb\xbftick,axon\r\n0,1\r\n", 1),
        (b"0 , 1\n\n 2,3", 2),
        (b"tick,axon\n", 0),
        (b"", 0),
    ],
)
def test_no_row_of_a_table_is_lost(content: bytes, n_events: int, tmp_path: Path) -> None:
    path = tmp_path / "EVENTS.CSV"
    path.write_bytes(content)
    net, report = tmp_path / "net.npz", tmp_path / "run.json"
    # Every event fires all neurons in its own tick, and nothing else does.
    weights = np.zeros((16, 8), int)
    weights[:8] = 100
    save(net, Network(n_axons=8, n_neurons=8, weights=weights, threshold=np.full(8, 50), v_tau=0))
    done = spiketwin("run", net, *TINY, "--spikes", path, "--ticks", "9", "--json", report)
    assert done.exit_code == 0, done.output
    assert json.loads(report.read_text())["spikes"] == 8 * n_events


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["--output", "net.npz"], "NET and --output are the same file"),
        (["--json", "./net.npz"], "NET and --json are the same file"),
        (["--json", "a", "--output", "a"], "--json and --output are the same file"),
        (["--plot", "link.png"], "NET and --plot are the same file"),
    ],
)
def test_no_file_is_written_over_by_another(
    names: list[str], says: str, net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = net.read_bytes()
    monkeypatch.chdir(net.parent)
    Path("link.png").symlink_to(net)
    done = spiketwin("run", "net.npz", *TINY, *names)
    assert done.exit_code == 2
    assert says in done.stderr
    assert net.read_bytes() == before


def test_figures_can_be_written_to_a_pipe(net: Path) -> None:
    command = [sys.executable, "-c", "from spiketwin.host.cli import main; main()"]
    done = subprocess.run(
        [*command, "run", net, *TINY, "--json", "/dev/stderr"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stderr)["ticks"] == TICKS


def test_without_sizes_a_simulated_core_is_as_large_as_the_network(tmp_path: Path) -> None:
    path, report = tmp_path / "net.npz", tmp_path / "run.npz"
    net = Network.random(300, 8, seed=1)
    save(path, net, [(0, 299)], 3)
    assert spiketwin("run", path, "--on", "model:", "--output", report).exit_code == 0
    done = spiketwin("run", path, "--on", "model:?params=tiny")
    assert done.exit_code == 2
    sizes = done.stderr.split("--params ")[1].split()[0]
    assert preset(sizes) == net.core_params()
    assert spiketwin("run", path, "--on", "model:", "--params", sizes).exit_code == 0


def test_nothing_but_the_table_is_written_where_there_is_no_terminal(net: Path) -> None:
    assert spiketwin("run", net, *TINY).stdout.lstrip(" ").startswith("model:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--on", "model:", "--params", "huge"], "choose one of tiny, ncx"),
        (["--on", "model:", "--params", "tiny,wings=2"], "no field 'wings'"),
        (["--on", "model:", "--params", "tiny,n_neurons=x"], "n_neurons must be a number"),
        (["--on", "model:", "--params", "full,lanes"], "write lanes=N"),
        (["--on", "modell:"], "Targets are model:"),
        (["--on", "modell://"], "Targets are model:"),
        (["--on", "board:"], "Targets are model:"),
        (["--on", "model:?parms=tiny"], "choose of clock, params"),
        (["--on", "model:params=tiny"], "write model: or, with options, model:?params=tiny"),
        (["--on", "model://tiny"], "write model: or, with options, model:?params=tiny"),
        (["--on", "model"], "write model: or, with options, model:?params=tiny"),
        (["--on", "/dev/no-such-port"], "/dev/no-such-port cannot be opened: No such file or"),
        (["--on", "socket://localhost"], "lacks its port: write socket://host:port"),
        ([*TINY, "--json", "/no/such/folder/x.json"], "make it first"),
        ([*TINY, "--json", "-"], "'-' is no file"),
        ([*TINY, "--plot", "raster.pdf"], "must end with .png"),
    ],
)
def test_what_cannot_be_done_ends_with_status_2_and_a_way_out(
    arguments: list[str], message: str, net: Path
) -> None:
    done = spiketwin("run", net, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert "[Errno" not in done.output


def test_a_folder_that_may_not_be_written_to_is_not_called_missing(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, _mode, **_: Path(path) != net.parent)
    done = spiketwin("run", net, *TINY, "--json", net.parent / "x.json")
    assert done.exit_code == 2
    assert "may not be written to" in done.stderr


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    path.write_text("no network")
    done = spiketwin("run", path, *TINY)
    assert done.exit_code == 2
    assert str(path) in done.stderr


def test_a_target_that_breaks_down_ends_with_status_1(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise LinkLost("the port is gone: plug it in")

    monkeypatch.setattr("spiketwin.host.cli.run.connect", lost)
    done = spiketwin("run", net, *TINY)
    assert done.exit_code == 1
    assert done.stderr == "Error: the port is gone: plug it in\n"


def test_a_plot_without_matplotlib_fails_before_the_run(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    report = tmp_path / "run.json"
    done = spiketwin("run", net, *TINY, "--plot", tmp_path / "x.png", "--json", report)
    assert done.exit_code == 2
    assert install_command("demo") in done.stderr
    assert not report.exists()


def test_ctrl_c_ends_with_status_130(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spiketwin.host.cli.run.connect", interrupted)
    assert spiketwin("run", net, *TINY).exit_code == 130


@pytest.mark.rtl
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "NET", "--on", "rtl:", "--params", "tiny"],
        ["selftest", "--on", "rtl+pty:", "--params", "tiny"],
        ["emulate", "--params", "tiny"],
        ["bench"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_missing_compiler_ends_every_command_alike(
    arguments: list[str], net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is built already would be used, so nothing is."""
    monkeypatch.setattr("spiketwin.hdl.builds.roots", lambda: [tmp_path / "builds"])
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    toolchain.versions.cache_clear()
    done = spiketwin(*[str(net) if argument == "NET" else argument for argument in arguments])
    assert done.exit_code == 2, done.output
    assert "sudo apt-get install g++ make" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["doctor"], marks=pytest.mark.bulk),
        ["selftest", *TINY, "--networks", "1"],
    ],
)
def test_a_terminal_that_knows_only_ascii_is_enough(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from spiketwin.host.cli import main; main()", *arguments],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in done.stderr
    assert " ok " in done.stdout


def test_a_selftest_in_which_nothing_fired_says_so() -> None:
    done = spiketwin("selftest", *TINY, "--ticks", "1", "--networks", "1", "--transactions", "1")
    assert done.exit_code == 1
    assert "spikes: nothing fired" in done.stdout
    assert "differ" not in done.stdout


# --- the script -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [(), ("run",), ("selftest",), ("compare",)])
def test_the_help_names_every_kind_of_target(command: tuple[str, ...]) -> None:
    shown = spiketwin(*command, "--help").output
    registered = [f"{scheme}:" for scheme in registered_kinds()]
    for target in (*registered, "socket://host:port", "replay:FILE"):
        assert target in shown, target


@pytest.mark.parametrize("command", ["run", "selftest", "compare", "demo", "flash"])
def test_every_command_with_a_target_says_how_often_it_is_asked(command: str) -> None:
    (option,) = (
        one for one in group.find_commands()[command].load().params if one.name == "retries"
    )
    assert isinstance(option, click.Option)
    assert (option.opts, option.default) == (["--retries"], DEFAULT_RETRIES)


def test_a_silent_terminal_is_asked_as_often_as_the_call_says(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "TERMINAL", replace(addresses.TERMINAL, patience=1.0))
    host, device = os.openpty()
    url = os.ttyname(device)
    for call in (
        ("run", net), ("selftest",), ("compare", "--on", "model:", net),
        ("demo", "--images", "1", "--output", net.parent),
    ):  # fmt: skip
        done = spiketwin(*call, "--on", url, "--retries", "3")
        assert done.exit_code == 1, done.output
        assert "no answer to IDENTIFY in 4 tries" in " ".join(done.output.split()), call
        assert "spiketwin emulate" in " ".join(done.output.split())
    os.close(device)
    os.close(host)


@pytest.mark.parametrize("argument", ["-h", "--help", "help"])
def test_the_scripts_help_makes_nothing(argument: str, tmp_path: Path) -> None:
    script = copy_script(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        ["sh", script, argument], capture_output=True, check=True, text=True, timeout=60
    )
    for verb in ("test", "lint", *group.find_commands()):
        assert f"./run {verb} " in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


# --- doctor -------------------------------------------------------------------------------------


def test_doctor_names_a_folder_of_builds_that_does_not_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(builds, "roots", lambda: [Path("/proc/nowhere")])
    (found,) = (one for one in doctor.examine() if one.what == "folder of builds")
    assert not found.fine
    assert found.found == f"{tmp_path / f'spiketwin-{os.getuid()}'}, which does not last"
    assert found.fix == f"sudo chown -R {os.getuid()} /proc/nowhere"


def test_doctor_finds_nothing_missing_where_the_tests_run(tmp_path: Path) -> None:
    report = tmp_path / "doctor.json"
    done = spiketwin("doctor", "--json", report)
    findings = json.loads(report.read_text())["findings"]
    # Whether serial ports may be opened is the machine's affair.
    missing = [f for f in findings if not f["fine"] and f["needed_for"] != "boards"]
    assert missing == []
    assert {"Python", "g++", "make", "libpython", "numba", "amaranth", "cocotb"} <= {
        finding["what"] for finding in findings
    }
    assert done.exit_code == any(not finding["fine"] for finding in findings)


def finding(what: str) -> doctor.Finding:
    return next(found for found in doctor.examine() if found.what == what)


def test_doctor_names_the_command_that_installs_a_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, **_: None if name == "g++" else name)
    found = finding("g++")
    assert not found.fine
    assert found.fix == "sudo apt-get install g++"
    # Told once: that Verilator cannot run without it is no news.
    missing = [f for f in doctor.examine() if not f.fine and f.needed_for != "boards"]
    assert [f.what for f in missing] == ["g++"]


def test_doctor_names_the_libraries_that_flashing_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", missing)
    found = finding("openFPGALoader")
    assert found.found == "sudo apt-get install libusb-1.0-0 libftdi1-2 adds what it needs"
    assert found.fine  # a board may not be wanted


def test_doctor_gives_one_command_for_all_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name, **_: None)
    done = spiketwin("doctor")
    assert done.exit_code == 1
    assert (
        "Missing for rtl:, demo, sweep, emulate, verify, testbench, bench: g++ and make. Run:"
        in done.stdout
    )
    assert done.stdout.count("sudo apt-get install g++ make") == 1


def test_doctor_names_packages_that_are_missing_and_out_of_range(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stated = ["numpy>=1.26", 'amaranth==0.4.*; extra == "rtl"', "unheard-of"]
    monkeypatch.setattr(doctor, "requires", lambda _name: stated)
    found = {name: finding(name) for name in ("numpy", "amaranth", "unheard-of")}
    assert [found[name].fine for name in found] == [True, False, False]
    assert "must be ==0.4.*" in found["amaranth"].found
    assert found["amaranth"].fix == install_command("rtl", "--upgrade")
    assert found["unheard-of"].found == "not installed"


def test_doctor_says_which_doors_are_installed_and_how_to_get_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    doors = {f.what: f for f in doctor.examine() if f.what.startswith("door ")}
    assert set(doors) == {f"door {each}" for each in ("pynn", "nir", "superneuromat", "events")}
    assert {f.found for f in doors.values()} == {"installed"}
    monkeypatch.setattr(doctor, "requires", lambda _name: ['unheard-of; extra == "pynn"'])
    lacking = finding("door pynn")
    assert lacking.fine and lacking.needed_for == "scripts of PyNN"
    assert lacking.found.startswith("lacks unheard-of; ")
    assert "[pynn]" in lacking.found and lacking.found.endswith(" adds it")


def test_doctor_finds_no_fault_in_an_extra_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "requires", lambda _name: ['unheard-of; extra == "demo"'])
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    assert finding("unheard-of").fine
    assert finding("unheard-of").found == f"not installed; {install_command('demo')} adds it"
    (tmp_path / ".installed-rtl").touch()
    assert finding("unheard-of").found == "not installed; ./run demo adds it"
    assert spiketwin("doctor").exit_code == any(not found.fine for found in doctor.examine())


def test_doctor_sees_a_package_that_does_not_import(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken_package.py").write_text("raise RuntimeError('half an installation')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(doctor, "requires", lambda _name: ["cobs", "broken_package", "optuna"])
    monkeypatch.setattr(doctor, "version", lambda _name: "1.0")
    found = finding("broken_package")
    assert not found.fine
    assert "half an installation" in found.found
    assert finding("cobs").fine and finding("optuna").fine  # with which it is imported


def test_doctor_names_the_group_that_may_open_a_port(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Port:
        device = str(tmp_path / "ttyUSB0")

    Path(Port.device).touch()
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [Port])
    assert finding(Port.device).fine
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    found = finding(Port.device)
    assert not found.fine
    assert found.fix.startswith("sudo usermod -aG ")


def test_doctor_ends_with_status_1_and_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = doctor.Finding("g++", "not on the path", False, "rtl:", "sudo apt-get install g++")
    monkeypatch.setattr("spiketwin.cosim.commands.doctor.examine", lambda: [lacking])
    done = spiketwin("doctor")
    assert done.exit_code == 1
    assert "sudo apt-get install g++" in done.output
