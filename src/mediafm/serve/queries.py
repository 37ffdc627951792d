"""Encoders of sentences that several requests use at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mediafm.encoders import QueryEncoder, Vocabulary

_KEPT = 512  # sentences whose vectors are kept: people turn pages, and change filters


class _Shared:
    """One sentence at a time goes through the encoder, which is not made for several threads."""

    def __init__(self, encoder: QueryEncoder):
        self._encoder, self._lock = encoder, threading.Lock()
        self._known: OrderedDict[str, npt.NDArray[np.float32]] = OrderedDict()

    def encode_queries(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """See :class:`~mediafm.encoders.QueryEncoder`."""
        with self._lock:
            for query in dict.fromkeys(texts):
                if query not in self._known:
                    self._known[query] = self._encoder.encode_queries([query])[0]
                self._known.move_to_end(query)
            found: npt.NDArray[np.float32] = np.stack([self._known[query] for query in texts])
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
            return found


class _SharedWithVocabulary(_Shared):
    def __init__(self, encoder: QueryEncoder, vocabulary: Vocabulary):
        super().__init__(encoder)
        self._vocabulary = vocabulary

    def foreign(self, query: str) -> float:
        """See :class:`~mediafm.encoders.Vocabulary`."""
        with self._lock:
            return self._vocabulary.foreign(query)


def shared(encoder: QueryEncoder) -> QueryEncoder:
    """An encoder for several threads that remembers the last sentences."""
    if isinstance(encoder, Vocabulary):
        return _SharedWithVocabulary(encoder, encoder)
    return _Shared(encoder)
