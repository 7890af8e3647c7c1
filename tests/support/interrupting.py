"""A command of manage.py that gets a signal in the middle, however fast it is.

``python -m tests.support.interrupting SIGKILL FOLDER 70 import SOURCE``: when the 70th picture is moved into FOLDER.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT


def interrupted(
    environment: dict[str, str], number: signal.Signals, folder: Path, count: int, *command: str
) -> tuple[int, str]:
    """How the command ended when the ``count``-th picture came into ``folder``, and what it said."""
    line = [sys.executable, "-m", "tests.support.interrupting", number.name, str(folder), str(count), *command]
    ended = subprocess.run(line, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    return ended.returncode, ended.stdout


def signal_at(number: signal.Signals, folder: str, count: int) -> None:
    """Send this process a signal when so many pictures were moved to a folder or those below it."""
    left = count

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event == "os.rename" and str(arguments[1]).startswith(folder) and str(arguments[1]).endswith(".jpg"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), number)

    sys.addaudithook(heard)


if __name__ == "__main__":
    name, folder, count, *command = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagesite.settings")
    signal_at(signal.Signals[name], folder, int(count))
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *command])
