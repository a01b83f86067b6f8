#!/usr/bin/env python3
"""The rig with labql in it: everything that the rig's own run.py takes, and the targets `labql` and `labql-sqlite`.

    BENCH_RIG=/the/rig BENCH_WORK=/its/work LABQL=/the/binary \\
        $BENCH_WORK/venv-rig/bin/python run.py --targets labql,mercurius --workloads W1,W2 --rounds 4 --out today.json

The rig checks mutations by the rows of its own table in PostgreSQL. What labql wrote is counted in its own log instead:
in the table or the SQLite file that `reports` of the target names.
"""
import os
import sqlite3
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RIG = Path(os.environ.get("BENCH_RIG") or sys.exit("BENCH_RIG: the folder of the rig's run.py")).resolve()
sys.path.remove(str(HERE))
sys.path.insert(0, str(RIG))
import run  # noqa: E402

COUNT = "select count(*) from events"


class Target(run.Target):
    """A target; those of this folder are known by name, as the rig's are."""

    def __init__(self, path, port):
        own = HERE / f"{path}.json"
        super().__init__(own if own.exists() else path, port)


class Bench(run.Bench):
    """Measures, and knows whose rows are to be counted."""

    reports = None

    def measure(self, target, workload, secs):
        Bench.reports = target.spec.get("reports")
        try:
            return super().measure(target, workload, secs)
        finally:
            Bench.reports = None


def psql(sql, in_postgres=run.psql):
    """The answer of PostgreSQL, unless rows are counted that are elsewhere."""
    if Bench.reports is None or sql != COUNT:
        return in_postgres(sql)
    if not Bench.reports.startswith("/"):
        return in_postgres(f"SELECT count(*) FROM {Bench.reports} WHERE topic = 'run'")
    database = sqlite3.connect(f"file:{Bench.reports}?mode=ro", uri=True)
    try:
        return database.execute("SELECT count(*) FROM event WHERE topic = 'run'").fetchone()[0]
    finally:
        database.close()


def canonical(value, shape, in_rig=run.spec.canonical):
    """A text may be the one field of an object: a README has its text beside what it says."""
    if shape == run.spec.STR and isinstance(value, dict):
        value = run.spec.scalar(value)
    return in_rig(value, shape)


def key(folder):
    """The API key that load.sh left there."""
    path = run.WORK / folder / "key"
    return path.read_text().strip() if path.exists() else ""


if __name__ == "__main__":
    os.environ["LABQL_KEY"] = key("labql")
    os.environ["LABQL_SQLITE_KEY"] = key("labql-sqlite")
    run.Target, run.Bench, run.psql, run.spec.canonical = Target, Bench, psql, canonical
    run.main()
