"""A client of another family: gql for Python, over HTTP and over graphql-transport-ws."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport

URL = os.environ["LABQL_URL"].rstrip("/") + "/graphql"
AUTHORIZATION = {"authorization": f"Bearer {os.environ['LABQL_TOKEN']}"}
USERNAME = os.environ["LABQL_USER"]
TIMEOUT_SECONDS = 120

VIEWER = gql("{ viewer { username } }")
PAGE = gql(
    """
    query ExperimentPage($first: Int, $after: String) {
      experiments(first: $first, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { id expid status createdAt jobCounts { status count } }
      }
    }
    """
)
UNKNOWN_FIELD = gql("{ noSuchField }")
UPDATES = gql(
    """
    subscription ExperimentUpdates($after: String) {
      experimentUpdates(after: $after) { cursor recordedAt experiment { expid } }
    }
    """
)


def over_http(authorization: dict[str, str] | None = None, fetch_schema: bool = False) -> Client:
    transport = AIOHTTPTransport(url=URL, headers=authorization or AUTHORIZATION)
    return Client(transport=transport, fetch_schema_from_transport=fetch_schema)


def over_websocket() -> Client:
    transport = WebsocketsTransport(
        url="ws" + URL.removeprefix("http"),
        init_payload=AUTHORIZATION,
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    return Client(transport=transport)


async def introspection() -> None:
    """introspection gives a schema with queries, mutations and subscriptions"""
    client = over_http(fetch_schema=True)
    async with client:
        schema = client.schema
    assert schema is not None
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert root is not None and root.fields


async def validated_query() -> None:
    """a query that was checked against the schema is answered"""
    async with over_http(fetch_schema=True) as session:
        PAGE.variable_values = {"first": 1}
        answer = await session.execute(PAGE)
    assert len(answer["experiments"]["nodes"]) == 1, answer


async def viewer() -> None:
    """the token says who asks"""
    async with over_http() as session:
        answer = await session.execute(VIEWER)
    assert answer["viewer"]["username"] == USERNAME, answer


async def request_error() -> None:
    """a request error arrives as a GraphQL error with a message"""
    async with over_http() as session:
        try:
            await session.execute(UNKNOWN_FIELD)
        except TransportQueryError as error:
            assert error.errors and "noSuchField" in error.errors[0]["message"], error.errors
        else:
            raise AssertionError("the query was accepted")


async def bad_token() -> None:
    """a bad token is refused"""
    try:
        async with over_http({"authorization": "Bearer not-a-token"}) as session:
            await session.execute(VIEWER)
    except TransportError:
        return
    raise AssertionError("the token was accepted")


async def subscription() -> None:
    """a subscription over graphql-transport-ws gives an event with a cursor"""
    async with over_websocket() as session:
        UPDATES.variable_values = {"after": "beginning"}
        async for event in session.subscribe(UPDATES):
            assert event["experimentUpdates"]["cursor"], event
            return
    raise AssertionError("the subscription ended without an event")


async def query_over_websocket() -> None:
    """a query over graphql-transport-ws is answered too"""
    async with over_websocket() as session:
        answer = await session.execute(VIEWER)
    assert answer["viewer"]["username"] == USERNAME, answer


CHECKS: list[Callable[[], Awaitable[None]]] = [
    introspection,
    validated_query,
    viewer,
    request_error,
    bad_token,
    subscription,
    query_over_websocket,
]


async def main() -> int:
    failed = 0
    for check in CHECKS:
        try:
            await asyncio.wait_for(check(), TIMEOUT_SECONDS)
        except Exception as error:  # whatever goes wrong is the finding
            failed += 1
            print(f"FAILED  python: {check.__doc__}: {type(error).__name__}: {error}")
        else:
            print(f"ok      python: {check.__doc__}")
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
