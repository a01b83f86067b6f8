"""Follows a subscription for as long as it takes: each change once, in order, whatever becomes of the connection."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.websockets import WebsocketsTransport


async def follow(
    transport: Callable[[], WebsocketsTransport], query: str, after: str, **variables: object
) -> AsyncIterator[dict]:
    """Gives the updates, and raises what coming back does not mend.

    The query is a subscription with the variable $after, whose one root field selects `cursor` under that name. `after`
    is a cursor, such as `eventCursor` of the query that you show, or `beginning`.
    """
    failures = 0
    while True:
        request = GraphQLRequest(query, variable_values={**variables, "after": after})
        try:
            async with Client(transport=transport()) as session:
                async for data in session.subscribe(request):
                    (update,) = data.values()
                    after = update["cursor"]
                    failures = 0
                    yield update
        except (TransportConnectionFailed, TransportQueryError, TimeoutError) as reason:
            if not passes(reason):
                raise
        await asyncio.sleep(min(2**failures, 30) * random.uniform(0.5, 1))
        failures += 1


def passes(reason: Exception) -> bool:
    """Whether it may go well next time: neither a refusal (close code 44xx) nor an error in the request."""
    if isinstance(reason, TransportQueryError):
        return all(error.get("extensions", {}).get("code") == "UNAVAILABLE" for error in reason.errors or [{}])
    close = getattr(reason.__cause__, "rcvd", None)
    return close is None or close.code < 4400
