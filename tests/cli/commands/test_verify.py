"""``vanbench verify``."""

from tests.support.command_line import run


def test_a_results_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    outcome = run(
        "verify", "van_b0", "--offline", "--cache", tmp_path, "--results", tmp_path / "file" / "r",
        code=3,
    )  # fmt: skip
    assert "Error:" in outcome.stderr
