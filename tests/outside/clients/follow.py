"""Runs docs/examples/follow.py: reads what to follow from the standard input, and writes an update a line."""

import asyncio
import json
import sys
from pathlib import Path

from gql.transport.websockets import WebsocketsTransport

sys.path.insert(0, str(Path(__file__).parents[3] / "docs" / "examples"))
sys.dont_write_bytecode = True
import follow  # noqa: E402


async def main() -> None:
    task = json.load(sys.stdin)

    def transport() -> WebsocketsTransport:
        return WebsocketsTransport(
            url=task["url"],
            init_payload={"authorization": task["authorization"]},
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        )

    async for update in follow.follow(transport, task["query"], task["after"]):
        print(json.dumps(update), flush=True)


asyncio.run(main())
