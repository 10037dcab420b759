"""Pillow's warnings go to the log where that is asked for, and nowhere else."""

import io
import logging
import warnings

from PIL import Image

from vanbench.data.decode import decode
from vanbench.data.pillow_warnings import log_pillow_warnings

DAMAGED_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x09\0" + b"\xff" * 5


def image_with_damaged_exif():
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "JPEG", exif=DAMAGED_EXIF)
    return decode(buffer.getvalue())


def test_warnings_of_pillow_are_logged_and_others_are_shown(caplog, recwarn):
    with warnings.catch_warnings(), caplog.at_level(logging.INFO, "vanbench"):
        warnings.simplefilter("error")
        log_pillow_warnings()
        image_with_damaged_exif().getexif()
        warnings.simplefilter("always")
        warnings.warn("of another module", UserWarning, stacklevel=1)
    assert [record.name for record in caplog.records] == ["vanbench.data.pillow_warnings"]
    assert "Pillow: Corrupt EXIF data" in caplog.text
    assert [str(warning.message) for warning in recwarn] == ["of another module"]


def test_decoding_alone_changes_no_warnings():
    before = warnings.showwarning, list(warnings.filters)
    image_with_damaged_exif()
    assert (warnings.showwarning, list(warnings.filters)) == before
