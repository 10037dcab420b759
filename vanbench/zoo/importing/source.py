"""What a source says of its models, whatever its form: texts, none of them judged yet."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SourceModel:
    """One row of a README's table, or one model of a metafile; empty for what it does not say.

    ``name`` and ``figures`` (the keys of ``reported`` in a zoo file) are as printed; ``url`` is
    that of the checkpoint; ``dataset`` names what the accuracies are about; ``resolution`` is the
    side of the input in pixels, 0 if the source does not say.
    """

    name: str
    url: str
    figures: dict[str, str] = field(default_factory=dict)
    dataset: str = ""
    resolution: int = 0
    pretrain: str = ""
    config: str = ""
    note: str = ""


@dataclass(frozen=True)
class Source:
    """A list of models: ``where`` it was published, its title, and what it asks to cite."""

    where: str
    title: str
    models: tuple[SourceModel, ...]
    citation: str = ""
