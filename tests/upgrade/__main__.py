"""``python -m tests.upgrade [COMMIT]``: does a data folder that this commit filled open under the code that is here?"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.upgrade.proof import OLD, missing_commit, prove, summary


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade", description=__doc__)
    parser.add_argument("commit", nargs="?", default=OLD)
    commit = parser.parse_args().commit
    if reason := missing_commit(commit):
        parser.error(reason)
    with tempfile.TemporaryDirectory(prefix="upgrade-") as folder:
        found = summary(prove(Path(folder), commit))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return bool(found["what differs"] or found["tasks not finished"])


if __name__ == "__main__":
    sys.exit(main())
