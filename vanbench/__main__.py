"""``python -m vanbench``."""

from vanbench.cli import main

main()
