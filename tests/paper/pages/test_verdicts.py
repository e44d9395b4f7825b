"""Verdicts in notebooks: every one has a colour that can be read, and parts that fold hold all rows once."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from csqcfs.paper.claims import audit, judge
from csqcfs.paper.claims.claim import Verdict
from csqcfs.paper.pages import page, verdicts
from csqcfs.paper.pages.formats import to_markdown
from matplotlib.colors import to_rgb


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(colour)]
    return sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("verdict", sorted({*judge.VERDICTS.values(), *map(str, audit.VERDICTS)}))
def test_every_verdict_is_legible_on_its_colour(verdict):
    assert 1.05 / (luminance(verdicts.GROUNDS[verdict]) + 0.05) >= 4.5
    assert re.sub("<[^>]*>", "", verdicts.coloured(verdict)) == verdict


def test_colours_change_no_word():
    frame = audit.shown(audit.select("eq9-start", "half-threshold"))
    plain, coloured = to_markdown(frame), verdicts.shown(frame)
    words = [re.sub("</?span[^>]*>|-{3,}", "", text).split() for text in (plain, coloured)]
    assert words[0] == words[1] and coloured.count("<span") == 2
    other = pd.DataFrame({"T": [1.0], "Found": [str(Verdict.HOLDS)]})
    assert verdicts.shown(other) == to_markdown(other)


def test_parts_hold_every_claim_once_under_its_verdict():
    frame = judge.judge(page.open("claims", "quick"))
    text = verdicts.folding(frame, "claim")
    parts = re.findall(r"<details( open)?><summary>(.*?)</summary>\n\n(.*?)\n</details>", text, re.DOTALL)
    found = {}
    for _, head, table in parts:
        verdict, number = re.fullmatch(r"<span[^>]*>(.*)</span> (\d+) claims?", head).groups()
        numbers = re.findall(r"^\| +(\d+) \|", table, re.MULTILINE)
        assert len(numbers) == int(number)
        found |= dict.fromkeys(map(int, numbers), verdict)
    assert found == frame["Verdict"].to_dict() and sum(bool(opened) for opened, *_ in parts) >= len(parts) - 1
