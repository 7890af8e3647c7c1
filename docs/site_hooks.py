"""What the website takes from outside docs/: papers of the project, reports of benchmarks, and Mermaid's script.

Links in the Markdown are those of the repository, so that they work there too; here they are moved to the site's.
"""

from __future__ import annotations

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).resolve().parents[1]
PAPERS = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
REPORTS = "benchmarks/results"
SCRIPT = "assets/mermaid.min.js"
# dist/mermaid.min.js of mermaid 11.16.0, as npm has it.
SCRIPT_SHA256 = "74d7c46dabca328c2294733910a8aa1ed0c37451776e8d5295da38a2b758fb9b"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not in docs/, under the same path as in the repository."""
    reports = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / REPORTS).iterdir())]
    for name in (*PAPERS, *(path for path in reports if path.endswith((".md", ".png")))):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    files.append(File.generated(config, SCRIPT, abs_src_path=str(mermaid_script())))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as they are in the repository -> as they are on the site, where docs/ is the top."""
    if page.file.src_uri in PAPERS:
        return re.sub(r"(\]\()docs/", r"\1", markdown)
    return re.sub(rf"(\]\()\.\./({REPORTS}/|{'|'.join(map(re.escape, PAPERS))})", r"\1\2", markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Only pages with a diagram load Mermaid. The theme takes the script that is there, and else asks a CDN."""
    if '<pre class="mermaid">' not in output:
        return output
    script = f'<script src="{get_relative_url(SCRIPT, page.url)}"></script>'
    return output.replace("</body>", f"{script}</body>")


def mermaid_script() -> Path:
    """Where mermaidx keeps it. Raises PluginError if it is not the one that Mermaid published."""
    spec = find_spec("mermaidx")
    if spec is None or not spec.submodule_search_locations:
        raise PluginError("mermaidx is not installed. Run: make docs")
    path = Path(spec.submodule_search_locations[0]) / "assets" / "mermaid.js"
    if hashlib.sha256(path.read_bytes()).hexdigest() != SCRIPT_SHA256:
        raise PluginError(f"{path} is not the script of mermaid 11.16.0.")
    return path
