"""The browser that pages are tested with: it must see what is wrong, and drive what is right."""

import json
import sys
from types import ModuleType

import pytest
from bokeh.embed import file_html
from bokeh.layouts import column
from bokeh.models import Button, ColumnDataSource, CustomJS, Div, TextInput
from bokeh.plotting import figure
from bokeh.resources import INLINE

from explorer import browser as harness


def page(tmp_path, text):
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><meta charset=utf-8>{text}")
    return path


def test_quiet_page_passes(browser, tmp_path):
    browser.open(page(tmp_path, "<p>quiet</p><script>console.log('only a word')</script>"), bokeh=False)
    assert browser.problems() == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<script>throw new Error('planted')</script>", "planted"),
        ("<script>console.error('planted')</script>", "planted"),
        ("<img src='missing.png'>", "missing.png"),
        ("<img src='http://example.org/a.png'>", "request to http://example.org/a.png"),
        ("<script src='https://cdn.bokeh.org/bokeh.js'></script>", "request to https://cdn.bokeh.org/bokeh.js"),
        ("<script>fetch('http://127.0.0.1:9/').catch(() => 0)</script>", "request to http://127.0.0.1:9/"),
        ("<script>new WebSocket('ws://example.org/')</script>", "request to ws://example.org/"),
    ],
)
def test_control_page_fails(browser, tmp_path, text, told):
    browser.open(page(tmp_path, text), bokeh=False)
    with pytest.raises(AssertionError) as raised:
        browser.check()
    assert told in str(raised.value)
    browser.check()  # it was told of once


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="its page tells of an error")
def test_control_test_fails(browser, tmp_path):
    """The check comes at the end of every test that uses the browser: this one, which asks for none, has to fail."""
    browser.open(page(tmp_path, "<script>throw new Error('planted')</script>"), bokeh=False)


@pytest.fixture
def drawn(browser, tmp_path):
    """A page of a figure, a text input that copies what is typed to a source, and a button that downloads it."""
    source = ColumnDataSource({"x": [1.0, 2.0, 3.0], "y": [3.0, float("nan"), 1.0]}, name="points")
    plot = figure(
        name="plot", width=300, height=300, x_range=(0, 4), y_range=(0, 4), tools="tap", toolbar_location=None
    )
    plot.scatter("x", "y", source=source, size=20)
    typed = TextInput(name="typed")
    shown = Div(name="shown", text="")
    typed.js_on_change("value", CustomJS(args={"shown": shown}, code="shown.text = cb_obj.value"))
    save = Button(name="save", label="save")
    code = """
      const link = document.createElement("a")
      link.href = URL.createObjectURL(new Blob([JSON.stringify(shown.text)]))
      link.download = "shown.json"
      link.click()
    """
    save.js_on_click(CustomJS(args={"shown": shown}, code=code))
    path = tmp_path / "bokeh.html"
    path.write_text(file_html(column(typed, plot, shown, save), INLINE, "a page"))
    browser.open(path)
    return browser


def test_models_are_read_and_set(drawn):
    assert drawn.get("points", "data.x") == [1, 2, 3]
    assert drawn.get("points", "data.y") == [3, None, 1]
    drawn.set("typed", "value", "from Python")
    assert drawn.get("shown", "text") == "from Python"
    with pytest.raises(Exception, match="no model is called nobody"):
        drawn.get("nobody", "text")


def test_mouse_and_keyboard(drawn):
    from selenium.webdriver.common.keys import Keys

    [field] = drawn.find("input")
    field.click()
    drawn.keys("by hand", Keys.ENTER)
    assert drawn.get("shown", "text") == "by hand"
    drawn.point("plot", 3, 1, click=True)
    assert drawn.get("points", "selected.indices") == [2]
    drawn.point("plot", 2, 2, click=True)
    assert drawn.get("points", "selected.indices") == []


def test_download_and_screenshot(drawn):
    drawn.set("typed", "value", "kept")
    drawn.press("save")
    assert json.loads(drawn.downloaded("shown.json").read_text()) == "kept"
    with pytest.raises(TimeoutError, match=r"no download other\.json"):
        drawn.downloaded("other.json", seconds=0.1)
    assert drawn.screenshot("page").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(TimeoutError, match="this was not true"):
        drawn.wait("return false", seconds=0.1)


@pytest.mark.parametrize(("selenium", "missing"), [(ModuleType("selenium"), []), (None, ["selenium"])])
def test_missing_parts_are_named(monkeypatch, selenium, missing):
    """Whatever this machine has: `None` in `sys.modules` is a module that cannot be imported."""
    monkeypatch.setattr(harness.shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "selenium", selenium)
    assert harness.what_is_missing() == ["chromium", "chromedriver", *missing]
