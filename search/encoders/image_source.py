"""Where an image network comes from: torchvision's or timm's names, or a checkpoint file for one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from search.encoders.exceptions import EncoderNotMade
from search.encoders.export import needed, reading_weights
from search.encoders.folder import file_sha
from search.encoders.hubs import downloading, hub_file, local_file
from search.encoders.preprocessing import Preprocessing

TIMM, TORCHVISION = "timm:", "torchvision:"
LARGEST = "-max"  # a name's ending: the largest value of each map, not their mean


@dataclass(frozen=True)
class Source:
    """A network without its classifier, and what is known about it."""

    network: Any
    preprocessing: Preprocessing
    weights_sha256: str
    origin: str
    licence: str


def from_torchvision(name: str, largest: bool, checkpoint: Path | None) -> Source:
    """``torchvision:NAME/WEIGHTS``, without WEIGHTS the newest. ``largest``: maximum of each map, not its mean."""
    model, weights = _torchvision_weights(name)
    file = local_file(checkpoint) if checkpoint else _torchvision_file(_requested_name(name, largest), weights)
    network = needed("torchvision.models").get_model(model, weights=None)
    with reading_weights(file, model):
        network.load_state_dict(needed("timm.models").load_state_dict(str(file)))
    _cut_classifier(network)
    if largest:
        _take_largest(network)
    transforms = weights.transforms()
    (side,), (shorter,) = transforms.crop_size, transforms.resize_size
    resample, mean, std = transforms.interpolation.name, _three(transforms.mean), _three(transforms.std)
    window = Preprocessing(side, side, "crop", shorter, resample, mean, std)
    origin = f"torchvision {model}, {file.name if checkpoint else weights.name}"
    return Source(network, window, file_sha(file), origin, "not stated")


def _torchvision_weights(name: str) -> tuple[str, Any]:
    models = needed("torchvision.models")
    model, _, tag = name.removeprefix(TORCHVISION).partition("/")
    try:
        weights = models.get_model_weights(model)
    except ValueError as error:
        near = ", ".join(get_close_matches(model, models.list_models(module=models), n=8, cutoff=0.3))
        raise EncoderNotMade(f"torchvision has no model “{model}”. It has, for example: {near}") from error
    if tag and tag not in weights.__members__:
        raise EncoderNotMade(f"{model} has no weights “{tag}”. There are: {', '.join(weights.__members__)}")
    return model, weights[tag] if tag else weights.DEFAULT


def _torchvision_file(name: str, weights: Any) -> Path:
    with downloading(name, weights.url, _cure(weights.url, name)):
        weights.get_state_dict(progress=False, check_hash=True)
    return Path(needed("torch.hub").get_dir()) / "checkpoints" / Path(weights.url).name


def _cut_classifier(network: Any) -> None:
    """The last linear layer passes on what it is given."""
    nn = needed("torch.nn")
    *_, last = (name for name, module in network.named_modules() if isinstance(module, nn.Linear))
    network.set_submodule(last, nn.Identity())


def _take_largest(network: Any) -> None:
    nn = needed("torch.nn")
    means = [name for name, module in network.named_modules() if isinstance(module, nn.AdaptiveAvgPool2d)]
    if "avgpool" not in means:
        raise EncoderNotMade("This network has no pooling that can be exchanged; leave out -max.")
    network.set_submodule("avgpool", nn.AdaptiveMaxPool2d(network.avgpool.output_size))


def from_timm(name: str, largest: bool, checkpoint: Path | None) -> Source:
    """``timm:NAME`` or ``timm:NAME.TAG``. ``largest``: maximum of each map, not the model's own pooling."""
    timm, model = needed("timm"), name.removeprefix(TIMM)
    if not timm.is_model(model):
        near = get_close_matches(model, timm.list_models(), n=8, cutoff=0.3) or ["resnet18"]
        raise EncoderNotMade(f"timm has no model “{model}”. It has, for example: {', '.join(near)}")
    settings = timm.models.get_pretrained_cfg(model).to_dict()
    file = local_file(checkpoint) if checkpoint else _timm_file(_requested_name(name, largest), settings)
    network = _timm_network(model, settings, file)
    window = _timm_window(timm.data.resolve_data_config({}, model=network))
    network.reset_classifier(0, "max" if largest else None)
    origin = f"timm {model}, {file.name}" if checkpoint else f"timm {settings['architecture']}.{settings['tag']}"
    return Source(network, window, file_sha(file), origin, settings.get("license") or "not stated")


def _timm_file(name: str, settings: Mapping[str, Any]) -> Path:
    repository, file = settings.get("hf_hub_id"), settings.get("hf_hub_filename") or "model.safetensors"
    if not repository:
        raise EncoderNotMade(f"timm has no weights for “{name}”; bring your own: --checkpoint FILE")
    address = hub_file(repository, file)
    with downloading(name, address, _cure(address, name)):
        return Path(needed("huggingface_hub").hf_hub_download(repository, file))


def _timm_network(model: str, settings: Mapping[str, Any], file: Path) -> Any:
    """timm's own loading, with as many classes as the file has."""
    timm = needed("timm")
    classes = int(settings["num_classes"])
    with reading_weights(file, model):
        if file.suffix != ".npz":
            head = timm.models.load_state_dict(str(file)).get(f"{settings.get('classifier')}.weight")
            classes = classes if head is None else len(head)
        overlay = {"file": str(file), "num_classes": classes}
        return timm.create_model(model, pretrained=True, num_classes=classes, pretrained_cfg_overlay=overlay)


def _timm_window(config: Mapping[str, Any]) -> Preprocessing:
    """The window of timm's evaluation transform."""
    _, height, width = config["input_size"]
    fit = {"squash": "squash", "border": "pad"}.get(config["crop_mode"], "crop")
    shorter = math.floor(height / config["crop_pct"])
    if height != width or (fit == "pad" and shorter != height):
        raise EncoderNotMade("A network that is shown pictures in this shape cannot be converted.")
    mean = _three(config["mean"])
    red, green, blue = (round(255 * value) if fit == "pad" else 0 for value in mean)
    resample = config["interpolation"].upper()
    return Preprocessing(height, width, fit, shorter, resample, mean, _three(config["std"]), (red, green, blue))


def _requested_name(name: str, largest: bool) -> str:
    return f"{name}{LARGEST}" if largest else name


def _cure(address: str, name: str) -> str:
    return (
        f"Download {address} on another machine, bring the file here and run: "
        f"manage.py fetch_models --checkpoint FILE --model {name}"
    )


def _three(values: Any) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third
