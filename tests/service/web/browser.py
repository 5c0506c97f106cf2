"""A real browser for the tests: Chromium without a window, driven over a pair of pipes.

The protocol is Chrome's own (https://chromedevtools.github.io/devtools-protocol/): JSON objects, each with a zero byte.
"""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.processes import end, start
from tests.service.waiting import until
from tests.sources import ROOT

AXE = ROOT / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
"""Looks for what keeps people from using a page (`make test` puts it there; tests/package-lock.json says which)."""
KEYS = {
    "Enter": (13, "\r"),
    "Tab": (9, ""),
    "Escape": (27, ""),
    " ": (32, " "),
    "ArrowRight": (39, ""),
    "End": (35, ""),
}
"""Keys by their names: Windows' number of each, and what it types."""
CONTROL = 2
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",  # it refuses to run as root with one; it sees this server's pages only
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)


def chromium() -> str | None:
    """The program, if this machine has it."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """A running browser, asked over a pair of pipes."""

    def __init__(self, to: int, back: int) -> None:
        self._to = to
        self._back = back
        self._received = bytearray()
        self._number = 0

    def ask(self, method: str, parameters: Mapping[str, object], **session: str) -> Any:
        """The result of a command. AssertionError when the browser ends or refuses it."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters, **session}
        os.write(self._to, json.dumps(command).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            pass
        assert "result" in answer, answer
        return answer["result"]

    @contextmanager
    def tab(self) -> Iterator["Page"]:
        """A tab that shares nothing with others."""
        context = self.ask("Target.createBrowserContext", {})
        target = self.ask("Target.createTarget", {"url": "about:blank", **context})
        attached = self.ask("Target.attachToTarget", {**target, "flatten": True})
        try:
            yield Page(self, attached["sessionId"], context)
        finally:
            self.ask("Target.disposeBrowserContext", context)

    def close(self) -> None:
        os.close(self._back)
        os.close(self._to)

    def _receive(self) -> dict[str, Any]:
        while (end := self._received.find(b"\0")) < 0:
            piece = os.read(self._back, 1 << 16)
            assert piece, "the browser has ended"
            self._received += piece
        message = bytes(self._received[:end])
        del self._received[: end + 1]
        found: dict[str, Any] = json.loads(message)
        return found


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str, context: Mapping[str, object]) -> None:
        self._browser = browser
        self._session = session
        self._context = context

    def send(self, method: str, **parameters: object) -> Any:
        """The result of a command to this tab."""
        return self._browser.ask(method, parameters, sessionId=self._session)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def save_to(self, folder: Path) -> None:
        """Where downloads go."""
        asked = {"behavior": "allow", "downloadPath": str(folder), **self._context}
        self._browser.ask("Browser.setDownloadBehavior", asked)

    def visit(self, address: str) -> None:
        """Loads a page with its modules."""
        self.send("Page.navigate", url=address)
        until(lambda: self.run("document.readyState") == "complete")

    def look(self, width: int, scheme: str = "light") -> None:
        """The size of the window, and the colours: light or dark."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def press(self, key: str, modifiers: int = 0) -> None:
        """A key of the keyboard."""
        number, text = KEYS[key]
        event = {"key": key, "code": key, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        self.send("Input.dispatchKeyEvent", type="keyDown", text="" if modifiers else text, **event)
        self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        """Text from the keyboard, to where the focus is."""
        self.send("Input.insertText", text=text)

    def violations(self) -> list[str]:
        """The rules of axe-core that the page breaks as it stands, and where."""
        assert AXE.is_file(), f"{AXE} is missing: make test installs it"
        self.run(f"if (!window.axe) {{ {AXE.read_text('utf-8')} }}; null")
        found: list[str] = self.run(
            "axe.run().then(({ violations }) => violations.flatMap((rule) => "
            "rule.nodes.map((node) => `${rule.id}: ${node.html}: ${node.failureSummary}`)))"
        )
        return found

    def photograph(self, width: int) -> bytes:
        """The whole page as PNG, in a window so wide and as high as it takes."""
        self.look(width)
        height = self.run("document.documentElement.scrollHeight")
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        return base64.b64decode(self.send("Page.captureScreenshot")["data"])


@contextmanager
def browsing(program: str, profile: Path) -> Iterator[Browser]:
    """A fresh browser."""
    from_us, to = os.pipe()
    back, to_us = os.pipe()
    command = [program, *FLAGS, f"--user-data-dir={profile}"]
    # The browser reads from descriptor 3 and writes to 4.
    shell = ["bash", "-c", f'exec "$@" 3<&{from_us} 4>&{to_us}', "bash", *command]
    process = start(shell, pass_fds=(from_us, to_us), stderr=subprocess.DEVNULL)
    os.close(from_us)
    os.close(to_us)
    browser = Browser(to, back)
    try:
        yield browser
    finally:
        browser.close()
        end(process)
