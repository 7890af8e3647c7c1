"""When, with what and where: what is read from EXIF, sound or odd."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational

from gallery.decoding import decode
from gallery.metadata import Metadata
from tests.support.images import encode, scene


def with_exif(values: Mapping[Any, Any], groups: Mapping[Any, Mapping[Any, Any]] | None = None) -> bytes:
    exif = Image.Exif()
    exif.update(values)
    for group, tags in (groups or {}).items():
        exif.get_ifd(group).update(tags)
    return encode(scene(), "JPEG", exif=exif)


def test_the_camera_date_and_place_are_read() -> None:
    details = {Base.DateTimeOriginal: "2021:06:05 14:13:12", Base.OffsetTimeOriginal: "+02:00"}
    place = {
        GPS.GPSLatitudeRef: "S",
        GPS.GPSLatitude: (33.0, 51.0, 36.0),
        GPS.GPSLongitudeRef: "E",
        GPS.GPSLongitude: (151.0, 12.0, 0.0),
    }
    camera = {Base.Make: "Canon\0\0", Base.Model: "Canon EOS 5D"}
    metadata = decode(with_exif(camera, {IFD.Exif: details, IFD.GPSInfo: place})).metadata
    assert metadata.taken_at == datetime(2021, 6, 5, 14, 13, 12, tzinfo=timezone(timedelta(hours=2)))
    assert metadata.camera == "Canon EOS 5D"
    assert metadata.latitude == pytest.approx(-33.86)
    assert metadata.longitude == pytest.approx(151.2)


def test_make_and_model_are_joined_cleaned_and_cut() -> None:
    assert decode(with_exif({Base.Make: " NIKON\x07 ", Base.Model: "D800\n"})).metadata.camera == "NIKON D800"
    assert len(decode(with_exif({Base.Make: "A", Base.Model: "B" * 5000})).metadata.camera) == 100


@pytest.mark.parametrize("date", ["0000:00:00 00:00:00", "2021:13:45 99:99:99", "    ", "yesterday", "\0" * 19])
def test_an_impossible_date_is_no_date(date: str) -> None:
    assert decode(with_exif({Base.DateTime: date})).metadata.taken_at is None


def test_a_date_without_a_zone_is_naive() -> None:
    assert decode(with_exif({Base.DateTime: "2021:06:05 14:13:12"})).metadata.taken_at == datetime(
        2021, 6, 5, 14, 13, 12
    )


@pytest.mark.parametrize("latitude", [(0.0, 0.0, 0.0), (95.0, 0.0, 0.0), (IFDRational(1, 0), 0.0, 0.0)])
def test_an_impossible_place_is_no_place(latitude: tuple[Any, ...]) -> None:
    place = {GPS.GPSLatitude: latitude, GPS.GPSLongitude: (0.0, 0.0, 0.0)}
    metadata = decode(with_exif({}, {IFD.GPSInfo: place})).metadata
    assert (metadata.latitude, metadata.longitude) == (None, None)


def test_garbage_for_exif_is_no_metadata() -> None:
    for exif in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(60_000)):
        assert decode(encode(scene(), "JPEG", exif=exif)).metadata == Metadata()
