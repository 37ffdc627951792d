"""A small catalog of generated films, so that everything can be tried without any file.

>>> from mediafm.sample import generate, load_truth  # doctest: +SKIP
>>> generate(Path("films"))  # doctest: +SKIP
"""

from mediafm.sample.generate import generate
from mediafm.sample.truth import Boundary, TrueScene, TrueShot, Truth, load_truth

__all__ = ["Boundary", "TrueScene", "TrueShot", "Truth", "generate", "load_truth"]
