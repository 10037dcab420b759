"""The progress display that shows nothing."""

from vanbench.progress import ignore, silent


def test_silent_accepts_what_every_display_does(capsys):
    with silent("checking", "images") as update:
        update(1, 2)
        update(2, None, note="note")
        update(3, 4, "note")
    ignore(1, None)
    assert capsys.readouterr() == ("", "")
