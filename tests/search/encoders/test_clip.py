"""CLIP without open_clip: the same tokens, the same pixels, the same vectors, and words that find pictures."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from hypothesis import given, settings, strategies
from PIL import Image

from gallery.services import add_image
from search.encoders import load
from search.encoders.base import unit
from search.encoders.clip_tokenizer import ClipTokenizer, tokenizer_of
from search.features import extraction
from search.methods.base import Picture
from search.retrieval import engine, queries
from search.retrieval.live import forget
from search.snapshots import build
from tests.support.images import encode, scene
from tests.support.tiny_clip import CONFIG, NAMES, draw, trained, untrained

pytestmark = pytest.mark.skipif(
    not all(find_spec(each) for each in ("torch", "open_clip", "transformers")),
    reason="needs PyTorch and open_clip: pip install -r requirements.txt",
)

TEXTS = (
    "a dog on the beach",
    "  It's   Ünïcode &amp;amp; <b>HTML</b>\n\t 1234 12.5%  ",
    "don't we'll they're I'D 'S ſ",
    "ein Hund läuft über den Strand — 海辺の犬, кошка, كلب, 👩‍👩‍👧 🐕",
    "schÃ¶n ã\x81\x82 â€œquotedâ€\x9d",
    "<start_of_text> a cat <END_OF_TEXT> _snake_case_",
    "",
    "!!!",
    "\x00\x7f\u200b\ufeff ½ ² ٣ Ⅷ",
    "very " * 200 + "long",
)
SIZES = ((500, 333), (333, 500), (64, 64), (31, 200), (1000, 17), (65, 64), (223, 225), (101, 99), (997, 612))


def fetch(checkpoint: Path, *options: str) -> str:
    out = StringIO()
    call_command("fetch_models", "--checkpoint", str(checkpoint), *options, stdout=out, stderr=out)
    return out.getvalue()


def exported(original: Any, folder: Path) -> ClipTokenizer:
    from search.encoders.make_clip import write_tokenizer

    folder.mkdir(exist_ok=True)
    meta = write_tokenizer(original, folder)
    return tokenizer_of(folder, json.loads(json.dumps(meta)))


def pictures(count: int) -> list[Picture]:
    return [Picture(scene(seed, (90 + 37 * seed, 240 - 13 * seed))) for seed in range(count)]


@pytest.fixture(scope="module")
def byte_pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ClipTokenizer]:
    import open_clip

    original = open_clip.get_tokenizer("ViT-B-32")
    return original, exported(original, tmp_path_factory.mktemp("bpe"))


def test_it_splits_words_into_the_tokens_of_open_clip(byte_pairs: tuple[Any, ClipTokenizer]) -> None:
    original, ours = byte_pairs
    assert np.array_equal(ours(TEXTS), original(list(TEXTS)).numpy())
    assert ours(TEXTS).dtype == np.int64


@settings(max_examples=300, deadline=None)
@given(text=strategies.text(max_size=90))
def test_it_splits_any_text_into_the_tokens_of_open_clip(byte_pairs: tuple[Any, ClipTokenizer], text: str) -> None:
    original, ours = byte_pairs
    assert np.array_equal(ours([text]), original([text]).numpy())


@pytest.mark.parametrize("options", [{"clean": "whitespace"}, {"clean": "canonicalize"}, {"context_length": 9}])
def test_other_cleanings_and_lengths_are_kept(options: dict[str, Any], tmp_path: Path) -> None:
    import open_clip

    original = open_clip.SimpleTokenizer(**options, additional_special_tokens=["<region>"])
    texts = [*TEXTS, "a <region> of it"]
    assert np.array_equal(exported(original, tmp_path)(texts), original(texts).numpy())


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the hub has them for XLM-RoBERTa, but tiny: a sentencepiece-like tokenizer and a text network."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig

    folder = tmp_path_factory.mktemp("words")
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator(list(TEXTS) * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
    ).save_pretrained(folder)
    XLMRobertaConfig(
        vocab_size=400,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=40,
        pad_token_id=1,
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "options", [{}, {"clean": "canonicalize", "strip_sep_token": True}, {"tokenizer_mode": "clips"}]
)
def test_tokenizers_of_other_languages_are_exact_too(words: Path, options: dict[str, Any], tmp_path: Path) -> None:
    import open_clip

    original = open_clip.tokenizer.HFTokenizer(str(words), context_length=21, **options)
    assert np.array_equal(exported(original, tmp_path)(TEXTS), original(list(TEXTS)).numpy())


@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_pictures_are_prepared_to_the_pixel_as_open_clip_does(mode: str, interpolation: str) -> None:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    from search.encoders.make_clip import preprocessing_of

    colours = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3), "fill_color": 7}
    theirs = PreprocessCfg(size=64, resize_mode=mode, interpolation=interpolation, **colours)
    transform, ours = image_transform_v2(theirs, is_train=False), preprocessing_of(asdict(theirs))
    for size in SIZES:
        pixels = scene(sum(size), size)
        expected = transform(Image.fromarray(pixels)).numpy()
        assert np.array_equal(ours.batch([pixels])[0], expected), size


def test_both_towers_answer_as_open_clip_does(settings: Any, tmp_path: Path, shared_data: Path) -> None:
    import open_clip
    import torch

    settings.MODELS_ROOT = tmp_path / "models"
    config, checkpoint = untrained(tmp_path)
    fetch(checkpoint, "--model", str(config), "--name", "shapes")
    model, _, transform = open_clip.create_model_and_transforms(config.stem, pretrained=str(checkpoint))
    model.eval()
    files = sorted((shared_data / "caltech").rglob("*.jpg"))[:40]
    seen = [Picture(np.asarray(Image.open(file).convert("RGB"))) for file in files]
    assert len(seen) == 40
    with torch.no_grad():
        images = model.encode_image(torch.stack([transform(Image.fromarray(each.pixels)) for each in seen])).numpy()
        texts = model.encode_text(open_clip.get_tokenizer(config.stem)(list(TEXTS))).numpy()
    encoder = load(settings.MODELS_ROOT, "shapes")
    assert (encoder.encode_image(seen) * unit(images)).sum(axis=1).min() >= 0.9999
    assert (encoder.encode_text(TEXTS) * unit(texts)).sum(axis=1).min() >= 0.9999
    assert encoder.encode_image([]).shape == encoder.encode_text([]).shape == (0, encoder.dimension)


def test_weights_too_large_for_one_file_lie_beside_it_and_are_told_apart(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MODELS_ROOT = tmp_path / "models"
    monkeypatch.setattr("search.encoders.export.LARGEST_FILE", 1_000)
    picture = Picture(scene(1))
    seen = []
    for number in range(2):
        config, checkpoint = untrained(tmp_path)
        fetch(checkpoint, "--model", str(config), "--name", f"shapes-{number}")
        encoder = load(settings.MODELS_ROOT, f"shapes-{number}")
        assert {"image.onnx", "image.onnx.data", "text.onnx", "text.onnx.data"} < set(encoder.meta["files"])
        seen.append(encoder.encode_image([picture])[0])
    assert len(picture.activations) == 2
    assert not np.allclose(seen[0], seen[1], atol=1e-3)


@pytest.mark.parametrize("tower", ["XLM-RoBERTa", "SigLIP"])
def test_a_multilingual_model_answers_as_open_clip_does(words: Path, settings: Any, tmp_path: Path, tower: str) -> None:
    import open_clip
    import torch

    settings.MODELS_ROOT = tmp_path / "models"
    texts = {
        "XLM-RoBERTa": {"hf_model_name": str(words), "hf_pooler_type": "mean_pooler", "hf_proj_type": "mlp"},
        "SigLIP": {
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "vocab_size": 400,
            "width": 64,
            "heads": 2,
            "layers": 2,
            "no_causal_mask": True,
            "pool_type": "last",
            "proj_bias": True,
        },
    }[tower]
    text_tower = {**texts, "hf_tokenizer_name": str(words), "context_length": 20}
    model_config = {**CONFIG, "text_cfg": text_tower, "custom_text": True, "init_logit_bias": -10}
    config, checkpoint = untrained(tmp_path, model_config)
    fetch(checkpoint, "--model", str(config), "--name", "polyglot")
    model = open_clip.create_model(config.stem, pretrained=str(checkpoint)).eval()
    with torch.no_grad():
        expected = model.encode_text(open_clip.get_tokenizer(config.stem)(list(TEXTS))).numpy()
    vectors = load(settings.MODELS_ROOT, "polyglot").encode_text(TEXTS)
    assert (vectors * unit(expected)).sum(axis=1).min() >= 0.9999


def test_a_copy_of_a_hub_repository_is_enough(words: Path, settings: Any, tmp_path: Path) -> None:
    """open_clip_config.json, weights and tokenizer in one folder; the preprocessing is the one it states."""
    settings.MODELS_ROOT = tmp_path / "models"
    text_tower = {**CONFIG["text_cfg"], "vocab_size": 400, "hf_tokenizer_name": "somewhere/else"}
    config, checkpoint = untrained(tmp_path, {**CONFIG, "text_cfg": text_tower})
    repository = tmp_path / "repository"
    repository.mkdir()
    for file in words.iterdir():
        (repository / file.name).write_bytes(file.read_bytes())
    checkpoint.rename(repository / "open_clip_pytorch_model.bin")
    (repository / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": json.loads(config.read_text()), "preprocess_cfg": {"resize_mode": "squash"}})
    )
    fetch(repository, "--name", "copied")
    encoder = load(settings.MODELS_ROOT, "copied")
    assert encoder.meta["preprocessing"]["fit"] == "squash"
    assert encoder.meta["tokenizer"]["kind"] == "file"
    assert encoder.encode_text(["a dog"]).shape == (1, 48)


@pytest.fixture(scope="module")
def shapes() -> tuple[Path, Path]:
    return trained()


@pytest.mark.django_db
def test_words_find_what_they_mean(shapes: tuple[Path, Path], settings: Any, tmp_path: Path) -> None:
    """From a checkpoint to answers: six unseen drawings of each of twenty things, described in words."""
    settings.MODELS_ROOT, settings.SEMANTIC_ENCODER = tmp_path / "models", ""
    config, checkpoint = shapes
    assert "Used by “Similar content”" in fetch(checkpoint, "--model", str(config), "--name", "shapes")
    chance = random.Random(99)
    drawn = {name: {_added(draw(name, chance, side=chance.randint(60, 300))) for _ in range(6)} for name in NAMES}
    ids = [key for keys in drawn.values() for key in keys]
    extraction.extract(ids[:70])
    build.build("semantic")
    forget()
    extraction.extract(ids[70:])
    recalls = {name: _recall(f"a {name}", keys) for name, keys in drawn.items()}
    assert recalls["red circle"] >= 0.9
    assert np.mean(list(recalls.values())) >= 0.9, recalls


def _added(image: Image.Image) -> int:
    return add_image(data=encode(image, "PNG")).image.pk


def _recall(text: str, expected: set[int]) -> float:
    """Share of the best five that show what the text says."""
    result = engine.search(queries.query_by_text(text, "semantic"), method="semantic", limit=5)
    assert not result.skipped
    return len({hit.key for hit in result.hits} & expected) / 5
