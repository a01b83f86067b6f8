-- Fills labql's tables, which are in the schema of the search path and empty, from the rig's, which are in `public`.
-- Row ids are the rig's ids.

\set ON_ERROR_STOP on
-- The rig's rows keep the foreign keys: they are not checked row by row.
SET session_replication_role = replica;

BEGIN;

INSERT INTO source (id, kind, location, allowed_folders) VALUES (1, 'autosubmit', '/rig', '[]');

-- The rig's jobs with the code of their status and their place in the experiment.
CREATE TEMPORARY TABLE rig_job ON COMMIT DROP AS
SELECT
    jobs.*,
    CASE status
        WHEN 'FAILED' THEN -1 WHEN 'WAITING' THEN 0 WHEN 'READY' THEN 1
        WHEN 'QUEUING' THEN 3 WHEN 'RUNNING' THEN 4 WHEN 'COMPLETED' THEN 5
    END AS code,
    row_number() OVER (PARTITION BY experiment_id ORDER BY id) AS place
FROM public.jobs;

-- The rig's experiments have a status that Autosubmit does not know. What a page is filtered by there is the main
-- platform here, the kept counts of jobs are those that the mirror would keep.
INSERT INTO experiment (
    id, source_id, expid, autosubmit_id, description, owner, hpc, kind, status, created_at, modified_at, model,
    job_counts
)
SELECT
    e.id, 1, e.id::text, e.id, e.description, u.username, e.status, 0, 0,
    extract(epoch FROM e.created_at)::bigint * 1000, extract(epoch FROM e.updated_at)::bigint * 1000, e.name,
    coalesce(c.counts, '{}')
FROM public.experiments AS e
JOIN public.users AS u ON u.id = e.owner_id
LEFT JOIN (
    SELECT experiment_id, jsonb_object_agg(code, jobs)::text AS counts
    FROM (SELECT experiment_id, code, count(*) AS jobs FROM rig_job GROUP BY experiment_id, code) AS by_status
    GROUP BY experiment_id
) AS c ON c.experiment_id = e.id
ORDER BY e.id;

-- The status of a run stands in the unit of its chunks, its id in the number of its jobs.
INSERT INTO experiment_run (
    id, experiment_id, number, created_at, modified_at, started_at, finished_at, chunk_unit,
    completed, total, failed, queuing, running, submitted, suspended
)
SELECT
    id, experiment_id, number, extract(epoch FROM started_at)::bigint * 1000,
    extract(epoch FROM coalesce(finished_at, started_at))::bigint * 1000, extract(epoch FROM started_at)::bigint * 1000,
    extract(epoch FROM finished_at)::bigint * 1000, status, 0, id, 0, 0, 0, 0, 0
FROM public.runs
ORDER BY id;

-- One more experiment has a run for each run of the rig, under its id: mutations report on these. It is archived, so
-- that no page of experiments has it.
INSERT INTO experiment (
    id, source_id, expid, autosubmit_id, description, kind, status, archived_at, job_counts
)
SELECT max(id) + 1, 1, 'reports', max(id) + 1, 'Runs that are reported on', 0, 0, 0, '{}' FROM experiment;
INSERT INTO experiment_run (
    id, experiment_id, number, started_at, chunk_unit,
    completed, total, failed, queuing, running, submitted, suspended
)
SELECT
    r.id + (SELECT max(id) FROM public.runs), e.id, r.id, extract(epoch FROM r.started_at)::bigint * 1000, r.status,
    0, 0, 0, 0, 0, 0, 0
FROM public.runs AS r
CROSS JOIN experiment AS e
WHERE e.expid = 'reports'
ORDER BY r.id;

INSERT INTO job (
    id, experiment_id, name, status, priority, section, chunk, processors, wallclock, remote_id,
    submitted_at, started_at, finished_at
)
SELECT
    id, experiment_id, name, code, priority, section, place, exit_code, wallclock::text, id,
    extract(epoch FROM submitted_at)::bigint * 1000, extract(epoch FROM started_at)::bigint * 1000,
    extract(epoch FROM finished_at)::bigint * 1000
FROM rig_job
ORDER BY id;

INSERT INTO job_edge (experiment_id, parent_id, child_id)
SELECT j.experiment_id, d.parent_id, d.child_id
FROM public.job_dependencies AS d
JOIN public.jobs AS j ON j.id = d.child_id
ORDER BY j.experiment_id, d.parent_id, d.child_id;

-- Datasets come by register.py and datasets.*.sql. Flows with their runs (W7) come here when there are tables for them.

SELECT setval(pg_get_serial_sequence(name, 'id'), newest) FROM (
    SELECT 'source' AS name, max(id) AS newest FROM source
    UNION ALL SELECT 'experiment', max(id) FROM experiment
    UNION ALL SELECT 'experiment_run', max(id) FROM experiment_run
    UNION ALL SELECT 'job', max(id) FROM job
) AS newest;

COMMIT;

VACUUM (ANALYZE, FREEZE) experiment, experiment_run, job, job_edge, source;
