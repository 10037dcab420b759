"""What a program or a notebook calls beside the models themselves: ``vanbench.verify`` and others.

Each function does what the command of its name does, by the same library functions, and returns an
object that shows itself as a table, has ``to_frame()`` (pandas) and ``to_json()`` (the document
that the command prints with ``--json``).
"""
