#!/usr/bin/env python3
"""What labql itself adds to a step on this machine, and how fast a queue goes: `bench/flows.py [BINARY]`.

Starts the real server (a release build, unless another binary is named) with a SQLite file of its own, or with a new database on
the server that LABQL_TEST_POSTGRES names; registers two workflows, and runs them through the API.

1. Runs of many steps, each of which is `true`. Between them the bare command is run as often, in the same way (a shell that has a
   shell run it). The difference of the medians is what labql adds to a step: claiming it, telling of it, beginning it, finding its
   end, keeping its log.
2. Runs of one step, all started at once, against the same number of bare commands, as many at a time as there are processors.

Times of runs are those that the API tells. Nothing is left behind.
"""

import json
import os
import pathlib
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

STEPS = int(os.environ.get("BENCH_STEPS", "20"))
RUNS = int(os.environ.get("BENCH_RUNS", "30"))
BURST = int(os.environ.get("BENCH_BURST", "1000"))
ROOT = pathlib.Path(__file__).resolve().parent.parent
BARE = ["/bin/sh", "-c", "/bin/sh -c true || exit\n"]


class Lab:
    def __init__(self, folder, binary):
        self.folder, self.binary = folder, binary
        self.environment = {
            "PATH": os.environ["PATH"],
            "LABQL_DATA_DIR": str(folder),
            "LABQL_LOG__FILTER": "warn",
            "LABQL_DATABASE__URL": database(folder),
        }
        self.labql("user", "add", "root", "--admin", input=secrets.token_urlsafe(16) + "\n")
        self.token = self.labql("token", "root").strip()
        self.server = subprocess.Popen(
            [binary, "serve", "--listen", "127.0.0.1:0"],
            env=self.environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        for line in self.server.stdout:
            if line.startswith("endpoint:"):
                self.url = line.split()[1]
                return
        sys.exit("the server ended before it listened")

    def labql(self, *arguments, input=None):
        done = subprocess.run(
            [self.binary, *arguments],
            env=self.environment,
            cwd=self.folder,
            input=input,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def register(self, name, steps):
        folder = self.folder / name
        folder.mkdir()
        manifest = {"name": name, "specfile": "workflow.json", "files": []}
        action = {"environment": "none", "commands": ["true"]}
        template = {"workflow": {"steps": [{"name": f"s{n}", "action": action} for n in range(steps)]}}
        (folder / "flowserv.json").write_text(json.dumps(manifest))
        (folder / "workflow.json").write_text(json.dumps(template))
        self.labql("workflow", "register", str(folder))

    def ask(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        with urllib.request.urlopen(urllib.request.Request(self.url, body, headers)) as answer:
            answer = json.load(answer)
        if "errors" in answer:
            sys.exit(json.dumps(answer["errors"]))
        return answer["data"]

    def start(self, workflow):
        query = """mutation ($workflow: ID!) {
            startRun(input: {workflow: $workflow}) { run { id } errors { message } } }"""
        started = self.ask(query, workflow=workflow)["startRun"]
        return started["run"]["id"] if started["run"] else sys.exit(str(started["errors"]))

    def ended(self, run):
        query = "query ($id: ID!) { run(id: $id) { state createdAt startedAt endedAt } }"
        while (told := self.ask(query, id=run)["run"])["endedAt"] is None:
            time.sleep(0.02)
        if told["state"] != "SUCCESS":
            sys.exit(f"a run ended as {told['state']}")
        return told

    def end(self):
        self.server.terminate()
        self.server.wait()


def database(folder):
    server = os.environ.get("LABQL_TEST_POSTGRES")
    if not server:
        return f"sqlite:{folder}/labql.db"
    name = f"bench_{secrets.token_hex(8)}"
    subprocess.run(["psql", "-q", server, "-c", f"CREATE DATABASE {name}"], check=True)
    return f"{server.rsplit('/', 1)[0]}/{name}"


def moment(text):
    import datetime

    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def bare(times):
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        os.waitpid(os.posix_spawn(BARE[0], BARE, {"PATH": os.environ["PATH"]}), 0)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def overhead(lab):
    lab.register("bench-steps", STEPS)
    steps, commands = [], []
    lab.ended(lab.start("bench-steps"))
    for _ in range(RUNS):
        told = lab.ended(lab.start("bench-steps"))
        steps.append((moment(told["endedAt"]) - moment(told["startedAt"])) / STEPS)
        commands.append(bare(STEPS))
    step, command = statistics.median(steps), statistics.median(commands)
    print(f"a step:            {step * 1e3:8.2f} ms (median of {RUNS} runs of {STEPS} steps)")
    print(f"the bare command:  {command * 1e3:8.2f} ms")
    print(f"what labql adds:   {(step - command) * 1e3:8.2f} ms")


def burst(lab):
    lab.register("bench-one", 1)
    begun = time.perf_counter()
    runs = [lab.start("bench-one") for _ in range(BURST)]
    starting = time.perf_counter() - begun
    told = [lab.ended(run) for run in runs]
    first = min(moment(run["createdAt"]) for run in told)
    last = max(moment(run["endedAt"]) for run in told)
    print(f"{BURST} runs started in {starting:.1f} s, all ended after {last - first:.1f} s: {BURST / (last - first):.0f} a second")
    begun, running = time.perf_counter(), []
    for _ in range(BURST):
        while len(running) >= (os.cpu_count() or 1):
            running.pop(0).wait()
        running.append(subprocess.Popen(BARE))
    for process in running:
        process.wait()
    taken = time.perf_counter() - begun
    print(f"{BURST} bare commands: {taken:.1f} s, {BURST / taken:.0f} a second")


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else ROOT / "target" / "release" / "labql"
    binary = str(pathlib.Path(binary).resolve())
    with tempfile.TemporaryDirectory(prefix="labql-bench.") as folder:
        lab = Lab(pathlib.Path(folder), binary)
        try:
            overhead(lab)
            burst(lab)
        finally:
            lab.end()


main()
