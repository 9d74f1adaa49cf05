"""Chromium without a window, as tests drive it: pages of Bokeh models, their downloads, and what they send out."""

import json
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

LOCAL = {"file", "data", "blob", "about"}  # schemes of what a page may load: none of them leaves the machine
PATIENCE = 15.0  # seconds
WINDOW = 1280, 1000  # pixels, wide and high
SENT = {  # events of a request: where its address is
    "Network.requestWillBeSent": lambda event: event["request"]["url"],
    "Network.webSocketCreated": lambda event: event["url"],
}

# What every script below starts with: a model by its name, a property by its path ("source.selected.indices") as plain
# lists and objects, and all elements that a selector fits, in shadow trees, too, where Bokeh puts everything.
HELPERS = """
const model = name => {
  const found = Bokeh.documents.map(each => each.get_model_by_name(name)).find(each => each != null)
  if (found == null) throw new Error(`no model is called ${name}`)
  return found
}
const plain = value => {
  if (value instanceof Map) value = Object.fromEntries(value)
  if (ArrayBuffer.isView(value) || Array.isArray(value)) return Array.from(value, plain)
  if (value == null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]))
}
const part = (whole, path) =>
  path.split(".").reduce((value, key) => value instanceof Map ? value.get(key) : value[key], whole)
const all = (selector, root = document) => [
  ...root.querySelectorAll(selector),
  ...[...root.querySelectorAll("*")].filter(each => each.shadowRoot).flatMap(each => all(selector, each.shadowRoot)),
]
"""
DRAWN = """
  const fonts = document.fonts.status === "loaded" && document.readyState === "complete"
  return fonts && (arguments[0] ? window.Bokeh && Bokeh.documents.length > 0 : true)
    && (window.Bokeh ? Bokeh.documents.every(each => each.is_idle) : true)
"""
FRAME = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
AT = """
  const view = Bokeh.index.find_one(model(arguments[0])), {left, top} = view.el.getBoundingClientRect()
  const {x_scale, y_scale, bbox} = view.frame
  return [left + x_scale.compute(arguments[1]), top + y_scale.compute(arguments[2])]
"""


class Browser:
    """A running Chromium.

    Parameters
    ----------
    driver : selenium.webdriver.Chrome
    folder : Path
        Screenshots and downloads go there.
    """

    def __init__(self, driver, folder):
        self.driver, self.folder = driver, folder

    # ---- pages --------------------------------------------------------------

    def open(self, path, bokeh=True):
        """Open a page from the disk and wait until it is drawn; `bokeh=False` for one without Bokeh models."""
        self.driver.get(Path(path).resolve().as_uri())
        self.wait(DRAWN, bokeh)
        self.driver.execute_async_script(FRAME)

    def run(self, script, *arguments):
        """What a script returns; it can use HELPERS, and `arguments`."""
        return self.driver.execute_script(HELPERS + script, *arguments)

    def wait(self, script, *arguments, seconds=PATIENCE):
        """Wait until a script returns something true, and return that.

        Raises
        ------
        TimeoutError
            Where it does not do so in time.
        """
        end = time.monotonic() + seconds
        while not (found := self.run(script, *arguments)):
            if time.monotonic() > end:
                raise TimeoutError(f"for {seconds:g} s this was not true in {self.driver.current_url}: {script}")
            time.sleep(0.02)
        return found

    def settle(self):
        """Wait until what was changed is drawn."""
        self.driver.execute_async_script(FRAME)
        self.wait(DRAWN, False)

    # ---- models -------------------------------------------------------------

    def get(self, name, path):
        """A property of the model of this name, such as get("table", "source.selected.indices"); NaN comes as None."""
        return self.run("return plain(part(model(arguments[0]), arguments[1]))", name, path)

    def set(self, name, path, value):
        """Set a property of a model, with the callbacks that belong to it, and wait until all is drawn."""
        script = """
          const keys = arguments[1].split("."), last = keys.pop(), owner = model(arguments[0])
          const holder = keys.length ? part(owner, keys.join(".")) : owner
          holder.setv({[last]: arguments[2]})
        """
        self.run(script, name, path, value)
        self.settle()

    def press(self, name):
        """Press a Bokeh button, and wait until what that changed is drawn."""
        self.run(
            "const el = Bokeh.index.find_one(model(arguments[0])).el; all('button', el.shadowRoot)[0].click()", name
        )
        self.settle()

    @contextmanager
    def theme(self, name):
        """Ask pages that are opened meanwhile for this theme, "dark" or "light"; it is light else."""
        for wish in (name, ""):
            features = [{"name": "prefers-color-scheme", "value": wish}]
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            if wish:
                yield

    # ---- mouse and keyboard -------------------------------------------------

    def find(self, selector):
        """All elements that a CSS selector fits, whether or not they are in shadow trees."""
        return self.run("return all(arguments[0])", selector)

    def keys(self, *keys):
        """Press keys (of selenium's `Keys`, or letters) where the focus is."""
        self._actions().send_keys(*keys).perform()
        self.settle()

    def point(self, name, x, y, click=False):
        """Move the mouse to a place of the figure of this name, in units of its axes, and click there if asked to."""
        actions = self._actions()
        actions.w3c_actions.pointer_action.move_to_location(*map(round, self.run(AT, name, x, y)))
        if click:
            actions.click()
            actions.w3c_actions.pointer_action.pause(0.4)  # else the next click makes it a double one
        actions.perform()
        self.settle()

    def _actions(self):
        from selenium.webdriver import ActionChains

        return ActionChains(self.driver, duration=0)

    # ---- what comes out -----------------------------------------------------

    @property
    def downloads(self):
        """Folder that downloads go to."""
        return self.folder / "downloads"

    def downloaded(self, name, seconds=PATIENCE):
        """Path of the download of this name, once it is there whole.

        Raises
        ------
        TimeoutError
            Where it does not come in time.
        """
        path, end = self.downloads / name, time.monotonic() + seconds
        while not path.exists() or not path.stat().st_size:  # Chromium renames it once it is whole
            if time.monotonic() > end:
                there = sorted(each.name for each in self.downloads.glob("*"))
                raise TimeoutError(f"no download {name} in {seconds:g} s; there are: {there}")
            time.sleep(0.02)
        return path

    def screenshot(self, name="page", element=None):
        """Path of a picture (PNG) of the window, or of an element."""
        path = self.folder / f"{name}.png"
        (element.screenshot if element else self.driver.save_screenshot)(str(path))
        return path

    def problems(self):
        """Errors on the console, and requests that would have left the machine, since this was last asked."""
        told = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [SENT[event["method"]](event["params"]) for event in events if event["method"] in SENT]
        left = [url for url in urls if urlsplit(url).scheme not in LOCAL]
        return [f"error on the console: {each}" for each in told] + [f"request to {url[:200]}" for url in left]

    def check(self):
        """Raise AssertionError where a page told of errors or sent a request away, and forget the downloads."""
        shutil.rmtree(self.downloads, ignore_errors=True)
        self.downloads.mkdir(parents=True)
        problems = self.problems()
        assert not problems, "\n".join(problems)

    def close(self):
        """End Chromium."""
        with suppress(Exception):
            self.driver.quit()


def what_is_missing():
    """What a browser would need and is not installed, a list of names."""
    missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    try:
        import selenium  # noqa: F401
    except ImportError:
        missing.append("selenium")
    return missing


def start(folder):
    """Start Chromium and return the `Browser`; nothing it does leaves the machine, whatever a page asks for."""
    from selenium import webdriver

    browser = Browser(None, folder)
    browser.downloads.mkdir(parents=True)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    wide, high = WINDOW
    for argument in (
        "--headless=new",
        "--no-sandbox",  # which root cannot have
        "--disable-dev-shm-usage",  # small in containers
        "--no-proxy-server",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--force-device-scale-factor=1",
        f"--window-size={wide},{high}",
        f"--user-data-dir={folder / 'profile'}",
    ):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(browser.downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    browser.driver = webdriver.Chrome(options=options, service=service)
    browser.driver.set_script_timeout(PATIENCE)
    browser.driver.get("about:blank")
    browser.problems()  # of the page that Chromium starts with
    return browser
