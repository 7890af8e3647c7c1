"""Pixels on their way into a network, against the transforms that its makers use."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from search.encoders.preprocessing import FITS, Preprocessing
from tests.support.images import scene

SIZES = [(320, 240), (240, 320), (500, 333), (224, 224), (256, 256), (1000, 31), (31, 1000), (225, 223), (64, 48)]
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@pytest.mark.parametrize("fit", FITS)
def test_the_result_has_the_networks_shape(fit: str) -> None:
    preprocessing = Preprocessing(48, 64, fit, shorter=70)
    batch = preprocessing.batch([scene(1), scene(2, (33, 200))])
    assert batch.shape == (2, 3, 48, 64)
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous


@pytest.mark.parametrize("fit", FITS)
def test_it_survives_being_written_down(fit: str) -> None:
    first = Preprocessing(48, 64, fit, 70, "BILINEAR", MEAN, STD, (1, 2, 3))
    second = Preprocessing.of_meta(first.as_meta())
    assert second == first
    assert second.key == first.key


def test_every_setting_changes_the_key() -> None:
    plain = Preprocessing(48, 64)
    others = [
        Preprocessing(48, 65),
        Preprocessing(49, 64),
        Preprocessing(48, 64, "pad"),
        Preprocessing(48, 64, shorter=70),
        Preprocessing(48, 64, resample="BOX"),
        Preprocessing(48, 64, mean=MEAN),
        Preprocessing(48, 64, std=STD),
        Preprocessing(48, 64, fill=(9, 9, 9)),
    ]
    assert len({each.key for each in [plain, *others]}) == len(others) + 1


def test_padding_keeps_the_whole_picture_in_its_shape() -> None:
    wide = np.full((50, 100, 3), 255, np.uint8)
    window = np.asarray(Preprocessing(64, 64, "pad", fill=(7, 8, 9)).window(Image.fromarray(wide)))
    assert (window[16:48] == 255).all()
    assert (window[:16] == (7, 8, 9)).all()
    assert (window[48:] == (7, 8, 9)).all()


def test_squashing_sees_what_a_crop_loses() -> None:
    sides = np.zeros((100, 300, 3), np.uint8)
    sides[:, 25:50] = 255
    assert not Preprocessing(64, 64, "crop", shorter=64).batch([sides]).any()
    assert Preprocessing(64, 64, "squash", shorter=72).batch([sides]).any()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shorter", [224, 235, 256])
def test_cropping_is_torchvisions_to_the_last_bit(size: tuple[int, int], shorter: int) -> None:
    transforms = pytest.importorskip("torchvision.transforms", reason="needs torch: requirements.txt")
    reference = transforms.Compose(
        [
            transforms.Resize(shorter, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    pixels = scene(3, size)
    ours = Preprocessing(224, 224, "crop", shorter, mean=MEAN, std=STD).batch([pixels])[0]
    assert np.array_equal(ours, reference(Image.fromarray(pixels)).numpy())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [1.0, 0.875])
def test_squashing_is_timms_to_the_last_bit(size: tuple[int, int], share: float) -> None:
    timm_data = pytest.importorskip("timm.data", reason="needs torch and timm: requirements.txt")
    reference = timm_data.create_transform(
        (3, 224, 224), interpolation="bicubic", mean=MEAN, std=STD, crop_pct=share, crop_mode="squash"
    )
    pixels = scene(3, size)
    ours = Preprocessing(224, 224, "squash", int(224 / share), mean=MEAN, std=STD).batch([pixels])[0]
    assert np.array_equal(ours, reference(Image.fromarray(pixels)).numpy())
