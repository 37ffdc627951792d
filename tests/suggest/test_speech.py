"""The share of speech, beside counting every microsecond."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mediafm.suggest.speech import spoken_share
from mediafm.timeline import Cue, Span

times = st.integers(0, 60)
spans = st.tuples(times, times).map(lambda pair: Span(min(pair), max(pair)))
cues = st.builds(Cue, spans, st.just("words"), st.sampled_from(["speech", "sound"]))


@given(st.lists(spans), st.lists(cues))
def test_the_share_of_speech(asked, said):
    spoken = {
        t for cue in said if cue.kind == "speech" for t in range(cue.span.start, cue.span.end)
    }
    counted = [len(spoken & set(range(one.start, one.end))) / max(one.duration, 1) for one in asked]
    np.testing.assert_allclose(spoken_share(asked, said), counted, atol=1e-12)
