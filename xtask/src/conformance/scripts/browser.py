"""A browser without a window opens a page that opens a WebSocket. Arguments: the browser,
the page's URL, a folder for its profile, and the protocol that both are to be spoken over:
`http/1.1` or `h2`. Prints `ok`, or what came instead."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request

import websockets

browser, url, profile, protocol = sys.argv[1:5]
# RFC 6455 is answered with 101, RFC 8441 with 200.
expected = {"page": protocol, "socket": 200 if protocol == "h2" else 101, "came": "ok"}


class Page:
    """What the browser tells of a page over its DevTools protocol."""

    def __init__(self, connection):
        self.connection = connection
        self.count = 0
        self.seen = {}

    async def call(self, method, **parameters):
        self.count += 1
        await self.connection.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            message = json.loads(await self.connection.recv())
            if message.get("id") == self.count:
                return message.get("result", message)
            self.notice(message)

    def notice(self, message):
        parameters = message.get("params", {})
        if message.get("method") == "Network.responseReceived" and parameters["type"] == "Document":
            self.seen["page"] = parameters["response"].get("protocol")
        if message.get("method") == "Network.webSocketHandshakeResponseReceived":
            self.seen["socket"] = parameters["response"]["status"]


def page_of(port):
    """The address of its first page, which it opens by itself."""
    while True:
        with urllib.request.urlopen("http://127.0.0.1:%d/json" % port, timeout=5) as answer:
            for target in json.load(answer):
                if target["type"] == "page":
                    return target["webSocketDebuggerUrl"]
        time.sleep(0.05)


async def ask(address):
    async with websockets.connect(address, max_size=None) as connection:
        page = Page(connection)
        await page.call("Network.enable")
        await page.call("Page.enable")
        await page.call("Page.navigate", url=url)
        while True:
            result = await page.call(
                "Runtime.evaluate", expression="typeof came == 'undefined' ? null : came", awaitPromise=True)
            if (value := result.get("result", {}).get("value")) is not None:
                break
            await asyncio.sleep(0.05)
        shown = await page.call("Runtime.evaluate", expression="document.getElementById('came').textContent")
        page.seen["came"] = shown["result"]["value"]
    return page.seen


shutil.rmtree(profile, ignore_errors=True)
started = subprocess.Popen(
    [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-dev-shm-usage", "--ignore-certificate-errors", "--remote-debugging-port=0",
        "--user-data-dir=" + profile, "about:blank",
    ],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
try:
    place = os.path.join(profile, "DevToolsActivePort")
    deadline = time.monotonic() + 30
    while not (os.path.exists(place) and open(place).read().count("\n")):
        if started.poll() is not None or time.monotonic() > deadline:
            sys.exit("the browser does not start")
        time.sleep(0.05)
    port = int(open(place).read().split()[0])
    seen = asyncio.run(asyncio.wait_for(ask(page_of(port)), 40))
finally:
    started.terminate()
    started.wait()
print("ok" if seen == expected else seen)
