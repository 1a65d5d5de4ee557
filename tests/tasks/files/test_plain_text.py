"""Foreign text keeps its words and loses what a terminal would act on."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gexbench.tasks.files.plain_text import plain, plain_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a name", "a name"),
        (" Zellkörper µm² 細胞 ", "Zellkörper µm² 細胞"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hok", "ok"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\sixel", "sixel"),
        ("\x1b", ""),
        ("one\rtwo\ttabs\x00", "one two tabs"),
        ("\x9b31mC1", "31mC1"),
        ("user\u202etxt.exe", "user txt.exe"),
        ("half \ud800", "half"),
    ],
)
def test_controls_go_and_words_stay(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_lines_stay_lines() -> None:
    assert plain_lines("one\n \x1b[1mtwo\n") == "one\n two\n"


@given(st.text() | st.text("\x1b[]0;?m\x07\\ab\n\r\x9b\u202e"))
def test_nothing_that_acts_is_left(text: str) -> None:
    acting = {"Cc", "Cs"}
    assert not any(unicodedata.category(each) in acting for each in plain(text))
    assert not any(unicodedata.category(each) in acting for each in plain_lines(text) if each != "\n")
    assert plain(plain(text)) == plain(text)
