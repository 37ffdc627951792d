"""Numbers that JSON does not have."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from mediafm.strict_json import without_nan

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values)
def test_anything_can_be_written_and_read_back(value):
    plain = without_nan(value)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_only_what_json_does_not_have_is_left_out():
    found = without_nan({1: (0.5, math.nan, [-math.inf, True, "nan"])})
    assert found == {"1": [0.5, None, [None, True, "nan"]]}
