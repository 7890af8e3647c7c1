"""Where a CLIP model's architecture and weights come from: open_clip's names and tags, the hub, or local files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from search.encoders.exceptions import EncoderNotMade
from search.encoders.export import needed, reading_weights
from search.encoders.folder import file_sha
from search.encoders.hubs import downloading, hub, hub_file, hub_licence, local_file

HUB, FOLDER = "hf-hub:", "local-dir:"
LOCAL_FILES = ("hf_model_name", "hf_tokenizer_name")


@dataclass(frozen=True)
class Source:
    """A model by open_clip's name, its weights on this machine, and where they come from."""

    model: str
    weights: Path
    origin: str
    licence: str
    pretrained: str | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    quick_gelu: bool = False

    @property
    def weights_sha256(self) -> str:
        return file_sha(self.weights)

    def load(self) -> Any:
        """open_clip's own model with these weights, in float32 on the CPU, never with random ones."""
        with reading_weights(self.weights, self.model):
            return needed("open_clip").create_model(
                self.model,
                self.pretrained,
                force_quick_gelu=self.quick_gelu,
                force_preprocess_cfg=dict(self.preprocessing),
                require_pretrained=True,
            )

    def tokenizer(self) -> Any:
        return needed("open_clip").get_tokenizer(self.model)


def named(name: str) -> Source:
    """``MODEL:TAG`` of open_clip's lists, or ``hf-hub:OWNER/REPOSITORY``."""
    if name.startswith(HUB):
        return _repository(name)
    open_clip = needed("open_clip")
    model, tag, settings = _tagged(name)
    repository, file = _file_of_entry(settings["hf_hub"])
    address = hub_file(repository, file)
    cure = (
        f"Download {address} on another machine, bring the file here and run: "
        f"manage.py fetch_models --checkpoint FILE --model clip:{model}:{tag}"
    )
    with downloading(name, address, cure):
        weights = Path(open_clip.download_pretrained(settings))
        licence = hub_licence(repository)
    return Source(model, weights, f"open_clip {model}, {tag}", licence, tag, {}, bool(settings.get("quick_gelu")))


def from_file(checkpoint: Path, name: str) -> Source:
    """A checkpoint and its architecture: ``MODEL``, ``MODEL:TAG`` or the path of a model config (JSON).

    A folder is a copy of a hub's repository, with open_clip_config.json, weights and tokenizer. With a tag,
    pictures are preprocessed as for that tag.
    """
    checkpoint = local_file(checkpoint).resolve()
    if checkpoint.is_dir():
        return _folder(checkpoint)
    origin = f"file {checkpoint.name}"
    if name.endswith(".json"):
        model, preprocessing = _registered(local_file(Path(name)))
        return Source(model, checkpoint, origin, "not stated", str(checkpoint), preprocessing)
    if not name:
        raise EncoderNotMade("A checkpoint needs its architecture: --model clip:ViT-B-32, or --model config.json")
    model, tag, settings = _tagged(name) if set(name) & set(":/") else (_known_model(name), "", {})
    gelu = bool(settings.get("quick_gelu"))
    return Source(model, checkpoint, f"{origin}, {model} {tag}".rstrip(), "not stated", str(checkpoint), settings, gelu)


def _repository(name: str) -> Source:
    from_hub = needed("open_clip.pretrained").download_pretrained_from_hf
    repository = name.removeprefix(HUB)
    cure = (
        f"Copy all files of {hub()}/{repository} into a folder on another machine, bring the folder here and run: "
        "manage.py fetch_models --checkpoint FOLDER"
    )
    with downloading(name, hub(), cure):
        weights = Path(from_hub(repository))
        return Source(name, weights, f"hub {repository}", hub_licence(repository))


def _folder(path: Path) -> Source:
    local_file(path / "open_clip_config.json")
    weights = needed("open_clip.factory")._find_checkpoint_in_dir(path)
    if weights is None:
        raise EncoderNotMade(f"There are no weights (*.safetensors, *.bin, *.pth) in {path}.")
    return Source(f"{FOLDER}{path}", Path(weights), f"folder {path.name}", "not stated")


def _known_model(model: str) -> str:
    models = needed("open_clip").list_models()
    if model not in models:
        near = get_close_matches(model, models, n=8, cutoff=0.3) or ["ViT-B-32"]
        raise EncoderNotMade(f"open_clip has no model “{model}”. It has, for example: {', '.join(near)}")
    return model


def _tagged(name: str) -> tuple[str, str, dict[str, Any]]:
    """Model, tag, and open_clip's settings of that tag."""
    model, _, tag = name.replace(":", "/").partition("/")
    model, open_clip = _known_model(model), needed("open_clip")
    settings: dict[str, Any] = open_clip.get_pretrained_cfg(model, tag)
    if not settings:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none; it needs --checkpoint FILE"
        raise EncoderNotMade(f"{model} has no weights tagged “{tag}”. There are: {tags}")
    return model, tag, settings


def _file_of_entry(entry: str) -> tuple[str, str]:
    """open_clip's ``owner/repository/file`` -> repository, file."""
    repository, _, file = entry.rpartition("/")
    return repository, file or "open_clip_model.safetensors"


def _registered(config: Path) -> tuple[str, dict[str, Any]]:
    """Make a model config known to open_clip; its name there, and the preprocessing that it states.

    Takes open_clip's model configs and the open_clip_config.json of hub repositories. Names in it
    of files in its folder are resolved to these.
    """
    try:
        content = json.loads(config.read_bytes())
        model = content.get("model_cfg", content)
        texts = model["text_cfg"]
        model["embed_dim"], model["vision_cfg"]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise EncoderNotMade(f"{config} is no model config of open_clip: {error}") from error
    for key in LOCAL_FILES:
        if (local_path := config.resolve().parent / str(texts.get(key) or ".missing")).exists():
            texts[key] = str(local_path)
    name = f"{config.stem}-{hashlib.sha256(json.dumps(model).encode()).hexdigest()[:8]}"
    needed("open_clip.factory")._MODEL_CONFIGS[name] = model
    return name, dict(content.get("preprocess_cfg", {}))
