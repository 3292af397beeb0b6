"""The library `websockets` at both ends. Arguments: `serve` and a port, or `ask` and a
URL. Asking prints `ok`, or what came instead."""

import asyncio
import sys

import websockets


async def serve(port):
    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async with websockets.serve(echo, "127.0.0.1", int(port)):
        await asyncio.get_running_loop().create_future()


async def ask(url):
    messages = ["hello", "\u00e4" * 1000, b"\0\xff" * 500, "x" * 500_000, ""]
    async with websockets.connect(url, open_timeout=5) as connection:
        for message in messages:
            await connection.send(message)
            answer = await asyncio.wait_for(connection.recv(), 5)
            if answer != message:
                return print("another message came back:", answer[:40])
        await asyncio.wait_for(await connection.ping(), 5)
    print("ok" if connection.close_code == 1000 else connection.close_code)


asyncio.run({"serve": serve, "ask": ask}[sys.argv[1]](sys.argv[2]))
