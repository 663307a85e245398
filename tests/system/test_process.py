"""Real processes: output, exit codes, deadlines, and nothing left behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.clients.process import SystemProcesses
from pipeline.errors import StageFailed, TimedOut

PYTHON = sys.executable
GRANDCHILD = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(p.pid, flush=True); p.wait()"


@pytest.fixture
def processes() -> SystemProcesses:
    return SystemProcesses(dict(os.environ))


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie that waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_output_exit_code_and_lines_as_they_come(processes: SystemProcesses) -> None:
    """Both streams in their order, the exit code as it is, each line when it is written."""
    lines: list[str] = []

    done = processes.run(
        [PYTHON, "-c", "import sys; print('one', flush=True); print('two', file=sys.stderr); sys.exit(7)"],
        on_line=lines.append,
    )

    assert (done.code, done.stdout) == (7, "one\ntwo\n")
    assert lines == ["one", "two"]


def test_streams_apart(processes: SystemProcesses) -> None:
    """Machine-readable output stays free of warnings."""
    done = processes.run([PYTHON, "-c", "import sys; print('out'); print('err', file=sys.stderr)"], merge=False)

    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_environment_is_laid_over_and_none_removes() -> None:
    """A child sees the given environment, not that of this process."""
    processes = SystemProcesses({"KEEP": "1", "DROP": "2"})

    done = processes.run(
        [PYTHON, "-c", "import os; print(sorted(k for k in os.environ if k.isupper() and k[0] in 'KDN'))"],
        env={"DROP": None, "NEW": "3"},
    )

    assert done.stdout == "['KEEP', 'NEW']\n"


def test_standard_input(processes: SystemProcesses) -> None:
    """Secrets go this way rather than onto a command line."""
    assert processes.run([PYTHON, "-c", "print(input()[::-1])"], stdin="abc\n").stdout == "cba\n"


def test_no_standard_input_by_default(processes: SystemProcesses) -> None:
    """A program that asks gets an end of file, and no CI job hangs at a prompt."""
    assert processes.run([PYTHON, "-c", "import sys; print(repr(sys.stdin.read()))"]).stdout == "''\n"


def test_a_missing_program_is_named(processes: SystemProcesses) -> None:
    """No traceback, and what to do."""
    with pytest.raises(StageFailed, match=r"no-such-program: no such program on PATH"):
        processes.run(["no-such-program"])


def test_a_folder_is_no_program(processes: SystemProcesses, tmp_path: Path) -> None:
    """What cannot be executed is told with the system's reason."""
    with pytest.raises(StageFailed, match=r"could not be started: Permission denied"):
        processes.run([str(tmp_path)])


def test_a_deadline_ends_the_whole_group(processes: SystemProcesses) -> None:
    """What the program started ends with it, and the message has its last lines."""
    seen: list[str] = []

    with pytest.raises(TimedOut, match=r"still running after 1 s, ended; its last lines:\n\d+"):
        processes.run([PYTHON, "-c", GRANDCHILD], timeout=1, on_line=seen.append)

    assert wait_gone(int(seen[0]))


def test_a_child_gets_the_chance_to_clean_up(processes: SystemProcesses, tmp_path: Path) -> None:
    """The first signal is an interrupt, which `finally` sees."""
    mark = tmp_path / "cleaned"
    code = f"import time, pathlib\ntry: time.sleep(60)\nfinally: pathlib.Path({str(mark)!r}).touch()"

    with pytest.raises(TimedOut):
        processes.run([PYTHON, "-c", code], timeout=1)

    assert mark.exists()


def test_stop_all_ends_what_other_threads_run(processes: SystemProcesses) -> None:
    """An interrupt of the main thread reaches the workers' programs, and workers start no more."""
    seen: list[str] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            processes.run([PYTHON, "-c", GRANDCHILD], on_line=seen.append)
            processes.run([PYTHON, "-c", "pass"])
        except BaseException as error:  # noqa: BLE001  # the test looks at it
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not seen:
        time.sleep(0.01)
    processes.stop_all()
    thread.join(10)

    assert wait_gone(int(seen[0]))
    assert [type(error) for error in errors] == [KeyboardInterrupt]


def test_the_interpreters_own_folder_comes_first(processes: SystemProcesses) -> None:
    """The tools of the session's environment win over those on PATH."""
    assert processes.find("python") == str(Path(sys.executable).parent / "python")
