"""Reports that are measured in pieces: each piece writes its own section and leaves the others as they are."""

from __future__ import annotations

from pathlib import Path

MARK = "\n\n## "


def put_section(path: Path, head: str, title: str, text: str) -> None:
    """Replace the section ``title`` of a report, or add it at the end; ``head`` is what stands before the first."""
    path.parent.mkdir(exist_ok=True)
    known = path.read_text().strip().split(MARK)[1:] if path.exists() else []
    sections = dict(section.partition("\n\n")[::2] for section in known) | {title: text.strip()}
    path.write_text(head.strip() + "".join(f"{MARK}{name}\n\n{body}" for name, body in sections.items()) + "\n")
    print(f"## {title}\n\n{text}")
