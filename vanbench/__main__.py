"""``python -m vanbench``."""

from vanbench.cli.group import main

if __name__ == "__main__":  # a process that is started with "spawn" imports this module again
    main()
