-- Fills labql's tables, which are those of `main` and empty, from the rig's, which are attached as `rig`.
-- Row ids are the rig's ids. What stands in which column is told in load.postgres.sql.

PRAGMA foreign_keys = off;
PRAGMA journal_mode = off;
PRAGMA synchronous = off;
PRAGMA cache_size = -500000;
PRAGMA temp_store = memory;

BEGIN;

INSERT INTO source (id, kind, location, allowed_folders) VALUES (1, 'autosubmit', '/rig', '[]');

CREATE TEMPORARY TABLE code (status TEXT PRIMARY KEY, code INTEGER NOT NULL);
INSERT INTO code VALUES
    ('FAILED', -1), ('WAITING', 0), ('READY', 1), ('QUEUING', 3), ('RUNNING', 4), ('COMPLETED', 5);

INSERT INTO experiment (
    id, source_id, expid, autosubmit_id, description, owner, hpc, kind, status, created_at, modified_at, model,
    job_counts
)
SELECT
    e.id, 1, CAST(e.id AS TEXT), e.id, e.description, u.username, e.status, 0, 0,
    unixepoch(e.created_at) * 1000, unixepoch(e.updated_at) * 1000, e.name,
    coalesce(c.counts, '{}')
FROM rig.experiments AS e
JOIN rig.users AS u ON u.id = e.owner_id
LEFT JOIN (
    SELECT experiment_id, json_group_object(CAST(code AS TEXT), jobs) AS counts
    FROM (
        SELECT experiment_id, code, count(*) AS jobs
        FROM rig.jobs JOIN code USING (status)
        GROUP BY experiment_id, code
    )
    GROUP BY experiment_id
) AS c ON c.experiment_id = e.id
ORDER BY e.id;

INSERT INTO experiment_run (
    id, experiment_id, number, created_at, modified_at, started_at, finished_at, chunk_unit,
    completed, total, failed, queuing, running, submitted, suspended
)
SELECT
    id, experiment_id, number, unixepoch(started_at) * 1000, unixepoch(coalesce(finished_at, started_at)) * 1000,
    unixepoch(started_at) * 1000, unixepoch(finished_at) * 1000, status, 0, id, 0, 0, 0, 0, 0
FROM rig.runs
ORDER BY id;

INSERT INTO experiment (
    id, source_id, expid, autosubmit_id, description, kind, status, archived_at, job_counts
)
SELECT max(id) + 1, 1, 'reports', max(id) + 1, 'Runs that are reported on', 0, 0, 0, '{}' FROM experiment;
INSERT INTO experiment_run (
    id, experiment_id, number, started_at, chunk_unit,
    completed, total, failed, queuing, running, submitted, suspended
)
SELECT
    r.id + (SELECT max(id) FROM rig.runs), e.id, r.id, unixepoch(r.started_at) * 1000, r.status, 0, 0, 0, 0, 0, 0, 0
FROM rig.runs AS r
CROSS JOIN experiment AS e
WHERE e.expid = 'reports'
ORDER BY r.id;

INSERT INTO job (
    id, experiment_id, name, status, priority, section, chunk, processors, wallclock, remote_id,
    submitted_at, started_at, finished_at
)
SELECT
    id, experiment_id, name, code, priority, section, row_number() OVER (PARTITION BY experiment_id ORDER BY id),
    exit_code, CAST(wallclock AS TEXT), id,
    unixepoch(submitted_at) * 1000, unixepoch(started_at) * 1000, unixepoch(finished_at) * 1000
FROM rig.jobs JOIN code USING (status)
ORDER BY id;

INSERT INTO job_edge (experiment_id, parent_id, child_id)
SELECT j.experiment_id, d.parent_id, d.child_id
FROM rig.job_dependencies AS d
JOIN rig.jobs AS j ON j.id = d.child_id
ORDER BY j.experiment_id, d.parent_id, d.child_id;

-- Datasets come by register.py and datasets.*.sql. Flows with their runs (W7) come here when there are tables for them.

COMMIT;

VACUUM;
ANALYZE;
PRAGMA journal_mode = wal;
