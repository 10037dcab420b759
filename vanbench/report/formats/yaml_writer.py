"""YAML as it is written here: keys in their order, texts quoted where they must be."""

from typing import Any


def yaml_text(document: Any) -> str:
    """The YAML of mappings, lists, texts and numbers."""
    import yaml

    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000))


def comment(text: str) -> str:
    """A line that is a comment."""
    return f"# {text}\n"
