"""RewriteConfig as JSON, strictly."""

import json

import pytest

from vanbench.inference.rewrite_config import RewriteConfig
from vanbench.typed_json import to_json


def test_choices_come_back_from_their_json():
    choices = RewriteConfig(regroup=(True, False, True, False), micro_batch=2, parallel=False)
    assert RewriteConfig.from_json(json.dumps(to_json(choices))) == choices


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ("[]", "should be an object"),
        ('{"other": 1}', "unknown key 'other'"),
        ('{"pack": 1}', "key 'pack': Input should be a valid boolean, found 1"),
        ('{"micro_batch": -1}', "must be 0 or more"),
        ('{"part_bytes": true}', "key 'part_bytes': Input should be a valid integer, found True"),
        ('{"regroup": [true]}', "missing key 'regroup.1'"),
    ],
)
def test_choices_that_are_none_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        RewriteConfig.from_json(text)
