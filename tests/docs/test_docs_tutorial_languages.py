"""The tutorial says the same in both languages: the same programs, commands, settings and links; only words differ."""

from __future__ import annotations

import ast
import re

from tests.docs.tutorial import TEXTS, blocks, programs


def parts(code: str) -> tuple[str, list[str]]:
    """A program without its texts and comments, and its texts."""
    tree, texts = ast.parse(code), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
            node.value = ""
    return ast.dump(tree), texts


def test_programs_are_the_same_but_for_texts() -> None:
    english, chinese = programs("en"), programs("zh")
    assert list(english) == list(chinese)
    for name in english:
        (code, texts), (other, translated) = parts(english[name]), parts(chinese[name])
        assert code == other, name
        for text, translation in zip(texts, translated, strict=True):
            assert text == translation or not translation.isascii()
            assert skeleton(text) == skeleton(translation), name


def skeleton(markup: str) -> list[str]:
    """Its tags, the names of their attributes, and what is put in."""
    return re.findall(r"</?\w+|\w+=(?=[\"'])|\{+.*?\}+", markup)


def test_what_is_beside_the_programs_is_the_same() -> None:
    def told(language: str) -> list[list[str]]:
        files = [re.findall(r"^[^;\n]*[^; \n]", text, re.MULTILINE) for text in blocks(language, "ini")]
        commands = re.findall(r"^    ((?:\$|sudo) .*?)(?:  +# .*)?$", TEXTS[language], re.MULTILINE)
        map_ = re.findall(r"\]\((?!tutorial)([^)]+)\)", TEXTS[language])
        return [*files, commands, map_, skeleton(blocks(language, "html")[0]), blocks(language, "diff")]

    assert told("zh") == told("en")
    assert len(told("en")) == 6
