"""What a camera wrote into the file: when, with what and where the picture was taken."""

import re
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

CAMERA_LENGTH = 100
# Real EXIF is a few KB. Pillow turns each number into an object of some hundred bytes, so that
# megabytes of it are an attack on memory.
EXIF_BYTES = 1_000_000
# What Pillow raises for odd EXIF, XMP and text chunks.
ODD_EXIF = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)

_DATE = re.compile(r"(\d{4})[:/.-](\d\d?)[:/.-](\d\d?)[ T]+(\d\d?):(\d\d?):(\d\d?)")
_ZONE = re.compile(r"[+-]\d\d:\d\d|Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]+")


@dataclass(frozen=True)
class Metadata:
    """``taken_at`` is aware only if the file names its zone; degrees are WGS 84, north and east positive."""

    taken_at: datetime | None = None
    camera: str = ""
    latitude: float | None = None
    longitude: float | None = None


def read_metadata(image: Image.Image) -> Metadata:
    """The EXIF of a loaded picture. What is missing or odd is left out; never raises."""
    tags = _directory(image)
    details = _directory(image, IFD.Exif)
    latitude, longitude = _position(_directory(image, IFD.GPSInfo))
    return Metadata(_taken_at(tags, details), _camera(tags), latitude, longitude)


def read_orientation(image: Image.Image) -> int:
    """1 to 8 as EXIF or XMP has it; 1 where the file says nothing or nonsense. Never raises."""
    value = _directory(image).get(Base.Orientation)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _directory(image: Image.Image, group: int | None = None) -> dict[int, Any]:
    """The tags of an EXIF directory (IFD), or of the main one; {} if there is none, or it is odd or too large."""
    if len(image.info.get("exif") or b"") > EXIF_BYTES:
        return {}
    try:
        exif = image.getexif()
        return dict(exif) if group is None else dict(exif.get_ifd(group))
    except ODD_EXIF:
        return {}


def _text(value: object) -> str:
    """One printable line; "" for what is no text."""
    if isinstance(value, bytes):
        value = value[:1000].decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    return " ".join(_CONTROL.sub(" ", value[:1000]).split())


def _camera(tags: dict[int, Any]) -> str:
    """Maker and model, as in "Canon EOS 5D"."""
    make, model = _text(tags.get(Base.Make)), _text(tags.get(Base.Model))
    # Most makers begin the model with their name: "Canon" and "Canon EOS 5D".
    if make and model.lower().startswith(make.split()[0].lower()):
        make = ""
    return f"{make} {model}".strip()[:CAMERA_LENGTH].rstrip()


def _taken_at(tags: dict[int, Any], details: dict[int, Any]) -> datetime | None:
    """When the shutter opened; else when it was digitised; else when the file was last changed."""
    candidates = (
        (details.get(Base.DateTimeOriginal), details.get(Base.OffsetTimeOriginal)),
        (details.get(Base.DateTimeDigitized), details.get(Base.OffsetTimeDigitized)),
        (tags.get(Base.DateTime), details.get(Base.OffsetTime)),
    )
    dates = (_date(_text(date), _text(zone)) for date, zone in candidates)
    return next((date for date in dates if date), None)


def _date(date: str, zone: str) -> datetime | None:
    """Aware if the zone is one; None for dates that do not exist, such as 0000:00:00, which cameras write."""
    match = _DATE.match(date)
    if not match:
        return None
    try:
        moment = datetime.strptime(" ".join(match.groups()), "%Y %m %d %H %M %S")
        return datetime.fromisoformat(f"{moment.isoformat()}{zone}") if _ZONE.fullmatch(zone) else moment
    except ValueError:
        return None


def _position(tags: dict[int, Any]) -> tuple[float | None, float | None]:
    """Latitude and longitude; both None where one is missing."""
    latitude = _degrees(tags.get(GPS.GPSLatitude), tags.get(GPS.GPSLatitudeRef), "S", 90)
    longitude = _degrees(tags.get(GPS.GPSLongitude), tags.get(GPS.GPSLongitudeRef), "W", 180)
    # Cameras without a fix write zeros; nobody photographs the open sea at 0, 0.
    if latitude is None or longitude is None or latitude == longitude == 0:
        return None, None
    return latitude, longitude


def _degrees(parts: object, reference: object, negative: str, bound: int) -> float | None:
    """Degrees, minutes and seconds as one number; None if out of bounds or not numbers."""
    if not isinstance(parts, tuple) or not 1 <= len(parts) <= 3:
        return None
    try:
        value: float = sum(float(part) / 60**power for power, part in enumerate(parts))
    except ODD_EXIF:
        return None
    if not 0 <= value <= bound:
        return None
    return -value if _text(reference).upper() == negative else value
