"""Names for the ids of the sample's ads, in the form of IAB Tech Lab's files.

A few rows of the Content Taxonomy 3.1 (IAB Tech Lab), so that pages say *Sailing* and not *530*.
"""

from __future__ import annotations

CATEGORIES = {
    "150": ("Attractions",),
    "153": ("Attractions", "Historic Site and Landmark Tours"),
    "160": ("Attractions", "Parks & Nature"),
    "186": ("Family and Relationships",),
    "188": ("Family and Relationships", "Dating"),
    "210": ("Food & Drink",),
    "216": ("Food & Drink", "Cooking"),
    "218": ("Food & Drink", "Dining Out"),
    "223": ("Healthy Living",),
    "225": ("Healthy Living", "Fitness and Exercise"),
    "227": ("Healthy Living", "Fitness and Exercise", "Running and Jogging"),
    "473": ("Shopping",),
    "483": ("Sports",),
    "530": ("Sports", "Sailing"),
}
"""Names from the first tier down, by id: those of the sample's ads and what is above them."""

_TIERS = 4


def taxonomy_tsv() -> str:
    """The text of the file: two lines of heads, then a category a line."""
    ids = {tiers: own for own, tiers in CATEGORIES.items()}
    heads = ["Unique ID", "Parent", "Name", *(f"Tier {n + 1}" for n in range(_TIERS))]
    rows = [["Relational ID System"], heads]
    for own, tiers in CATEGORIES.items():
        unused = [""] * (_TIERS - len(tiers))
        rows.append([own, ids.get(tiers[:-1], ""), tiers[-1], *tiers, *unused])
    return "".join("\t".join(row) + "\n" for row in rows)
