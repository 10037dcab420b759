"""The table of architectures, and its JSON form."""

from dataclasses import replace

import pytest

from vanbench.model.architecture import ARCHITECTURES, Architecture

B6_OF_THE_TABLE = Architecture((96, 192, 480, 768), (6, 6, 90, 6))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_published_architecture_has_its_name_with_any_head(name):
    assert ARCHITECTURES[name].name == name
    assert replace(ARCHITECTURES[name], num_classes=0).name == name


def test_other_widths_are_custom():
    assert B6_OF_THE_TABLE.name == "custom"
    assert not B6_OF_THE_TABLE.same_body(ARCHITECTURES["van_b6"])


@pytest.mark.parametrize("architecture", [*ARCHITECTURES.values(), B6_OF_THE_TABLE])
def test_json_and_back(architecture):
    assert Architecture.from_dict(architecture.as_dict()) == architecture
    assert Architecture.from_dict(architecture) is architecture


DOCUMENT = ARCHITECTURES["van_b0"].as_dict()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "an object"),
        ({**DOCUMENT, "more": 1}, "an object"),
        ({k: v for k, v in DOCUMENT.items() if k != "arch"}, "an object"),
        ({**DOCUMENT, "depths": [3, 3, 5, 2.0]}, "whole numbers"),
        ({**DOCUMENT, "depths": [3, 3, 5, True]}, "whole numbers"),
        ({**DOCUMENT, "num_classes": -1}, "whole numbers"),
        ({**DOCUMENT, "depths": [3, 3, 5]}, "four numbers"),
        ({**DOCUMENT, "depths": 3}, "four numbers"),
        ({**DOCUMENT, "arch": "van_b1"}, "expected arch 'van_b0'"),
    ],
)
def test_other_documents_are_refused(document, words):
    with pytest.raises(ValueError, match=words):
        Architecture.from_dict(document)
