"""Elements, escaping and the drawn intervals of the page."""

import pytest

from gexbench.leaderboards.pages.html_markup import Markup, element, interval_bar


def test_an_element_escapes_all_but_markup() -> None:
    made = element("p", "<b> & '", element("b", "x"), Markup("<br>"), title='"<', hidden=True, lang=None, class_="a")
    expected = '<p title="&quot;&lt;" hidden class="a">&lt;b&gt; &amp; &#x27;<b>x</b><br></p>'
    assert made == expected
    assert element("p", " a\u202eb\n") == "<p> a b </p>"
    with pytest.raises(ValueError, match="no element"):
        element("p onload=x")
    with pytest.raises(ValueError, match="no element"):
        element("br", "x")


def test_a_bar_is_drawn_to_scale_and_cut_at_the_ends_of_its_axis() -> None:
    bar = interval_bar(0.5, 0.25, 0.0, 1.0, 108, mark=0.0)
    assert 'cx="54.0"' in bar
    assert "M29.0 6H79.0" in bar
    assert "M4.0 0V12" in bar
    assert "M4.0 6H104.0" in interval_bar(0.5, 9.0, 0.0, 1.0, 108)
    assert "whisker" not in interval_bar(0.5, float("nan"), 0.0, 1.0, 108)
    assert interval_bar(float("nan"), 0.1, 0.0, 1.0, 108) == ""
