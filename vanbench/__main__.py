"""``python -m vanbench``."""

from vanbench.cli.group import main

main()
