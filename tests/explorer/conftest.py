"""One browser for all tests of pages; after each test that used it, its pages must have run without an error."""

import os

import pytest

from explorer.browser import start, what_is_missing

PROXIES = [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy")]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A `Browser`; where it cannot be had, tests are skipped, or fail if BROWSER_REQUIRED is set to 1."""
    if missing := what_is_missing():
        stop = pytest.fail if os.environ.get("BROWSER_REQUIRED") == "1" else pytest.skip
        stop(f"no browser: {', '.join(missing)} not installed (apt install chromium chromium-driver, pip: selenium)")
    with pytest.MonkeyPatch.context() as patch:
        for name in PROXIES:  # through which selenium would talk to the browser
            patch.delenv(name)
        browser = start(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Fail a test whose pages told of errors, or sent a request that leaves the machine."""
    try:
        return (yield)
    finally:
        if "browser" in pyfuncitem.funcargs:
            pyfuncitem.funcargs["browser"].check()
