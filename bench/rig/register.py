#!/usr/bin/env python3
"""Registers the rig's datasets at a labql that serves: names, READMEs and tags, of which labql makes the words that are found.

    register.py URL ADMIN_TOKEN RIG_SQLITE

The token is an administrator's; the user `rig` may search and register then. What nothing is found by in the rig, items
and annotations, comes by SQL afterwards (datasets.*.sql). labql would find words in these, too, and the rig does not.
"""
import http.client
import json
import sqlite3
import sys
import threading
import urllib.parse
from queue import Queue

URL, TOKEN, RIG = sys.argv[1:]
BASE_URI = "ds://store"
CONNECTIONS = 4
REGISTER = """mutation($input: RegisterDatasetInput!) {
  registerDataset(input: $input) { created errors { field message } }
}"""


class Labql:
    """One connection to it."""

    def __init__(self):
        self.url = urllib.parse.urlsplit(URL)
        self.connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)

    def ask(self, query, variables):
        body = json.dumps({"query": query, "variables": variables})
        self.connection.request("POST", self.url.path, body.encode(), {
            "Content-Type": "application/json", "Accept": "application/json", "Authorization": f"Bearer {TOKEN}"})
        answer = json.loads(self.connection.getresponse().read())
        payload = next(iter(answer["data"].values())) if answer.get("data") else {"errors": answer}
        if payload["errors"]:
            sys.exit(f"{query}: {payload['errors']}")
        return payload


def descriptions(rig):
    """Each dataset as the client of dtool describes it; its id stands in the number of items and in its time."""
    tags = {}
    for dataset, tag in rig.execute("SELECT dataset_id, tag FROM dataset_tags"):
        tags.setdefault(dataset, []).append(tag)
    for number, uri, name, creator, size, frozen_at, readme in rig.execute(
            "SELECT d.id, uri, name, username, size_bytes, unixepoch(frozen_at), readme "
            "FROM datasets AS d JOIN users AS u ON u.id = d.creator_id ORDER BY d.id"):
        yield {
            "uuid": uri.rsplit("/", 1)[1], "uri": uri, "base_uri": BASE_URI, "name": name, "type": "dataset",
            "readme": readme, "creator_username": creator, "created_at": number, "frozen_at": frozen_at,
            "number_of_items": number, "size_in_bytes": size, "tags": tags.get(number, []), "annotations": {},
            "manifest": {"hash_function": "md5sum_hexdigest", "items": {}},
        }


def work(queue):
    labql = Labql()
    while (info := queue.get()) is not None:
        labql.ask(REGISTER, {"input": {"info": info}})


def main():
    labql = Labql()
    labql.ask("mutation($input: RegisterBaseUriInput!) { registerBaseUri(input: $input) { errors { message } } }",
              {"input": {"uri": BASE_URI}})
    for user in ["rig", "keeper"]:
        labql.ask("mutation($input: GrantBaseUriInput!) { grantBaseUri(input: $input) { errors { message } } }",
                  {"input": {"username": user, "baseUri": BASE_URI, "canSearch": True, "canRegister": True}})
    queue = Queue(100)
    workers = [threading.Thread(target=work, args=(queue,), daemon=True) for _ in range(CONNECTIONS)]
    for worker in workers:
        worker.start()
    for info in descriptions(sqlite3.connect(f"file:{RIG}?mode=ro", uri=True)):
        queue.put(info)
    for _ in workers:
        queue.put(None)
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
