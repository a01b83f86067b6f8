//! The mirror of Autosubmit installations. Times are milliseconds since 1970-01-01 UTC.

crate::dialect::migration!();

const UP: &str = r"
CREATE TABLE source (
    id {id},
    kind {text} NOT NULL,
    location {text} NOT NULL,
    allowed_folders {text} NOT NULL,
    UNIQUE (kind, location)
);

CREATE TABLE source_state (
    id {id},
    source_id BIGINT NOT NULL REFERENCES source (id) ON DELETE CASCADE,
    owner {text} NOT NULL,
    fingerprint {text} NOT NULL,
    extra_paths {text} NOT NULL,
    UNIQUE (source_id, owner)
);

CREATE TABLE source_problem (
    id {id},
    source_id BIGINT NOT NULL REFERENCES source (id) ON DELETE CASCADE,
    owner {text} NOT NULL,
    path {text} NOT NULL,
    message {text} NOT NULL,
    first_seen_at BIGINT NOT NULL,
    UNIQUE (source_id, owner, path, message)
);
CREATE INDEX source_problem_owner ON source_problem (owner, path);

CREATE TABLE experiment (
    id {id},
    source_id BIGINT NOT NULL REFERENCES source (id) ON DELETE CASCADE,
    expid {text} NOT NULL UNIQUE,
    autosubmit_id BIGINT NOT NULL,
    description {text} NOT NULL,
    owner {text},
    hpc {text},
    autosubmit_version {text},
    kind SMALLINT NOT NULL,
    status SMALLINT NOT NULL,
    created_at BIGINT,
    modified_at BIGINT,
    archived_at BIGINT,
    chunk_size BIGINT,
    chunk_unit {text},
    model {text},
    branch {text},
    workflow_commit {text},
    job_counts {text} NOT NULL
);
CREATE INDEX experiment_created ON experiment ((COALESCE(created_at, -1)), expid);
CREATE INDEX experiment_modified ON experiment ((COALESCE(modified_at, -1)), expid);
CREATE INDEX experiment_description ON experiment (substr(description, 1, 200), expid);
CREATE INDEX experiment_status ON experiment (status, expid);
CREATE INDEX experiment_source ON experiment (source_id);

CREATE TABLE experiment_run (
    id {id},
    experiment_id BIGINT NOT NULL REFERENCES experiment (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    created_at BIGINT,
    modified_at BIGINT,
    started_at BIGINT,
    finished_at BIGINT,
    chunk_unit {text},
    chunk_size BIGINT,
    completed BIGINT NOT NULL,
    total BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    queuing BIGINT NOT NULL,
    running BIGINT NOT NULL,
    submitted BIGINT NOT NULL,
    suspended BIGINT NOT NULL,
    UNIQUE (experiment_id, number)
);

CREATE TABLE job (
    id {id},
    experiment_id BIGINT NOT NULL REFERENCES experiment (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    status SMALLINT NOT NULL,
    priority BIGINT,
    section {text},
    date BIGINT,
    member {text},
    chunk BIGINT,
    split BIGINT,
    splits BIGINT,
    platform {text},
    queue {text},
    processors BIGINT,
    wallclock {text},
    remote_id BIGINT,
    workflow_commit {text},
    submitted_at BIGINT,
    started_at BIGINT,
    finished_at BIGINT,
    out_log {text},
    err_log {text},
    UNIQUE (experiment_id, name)
);
CREATE INDEX job_by_name ON job (experiment_id, LOWER(name), name);
CREATE INDEX job_by_status ON job (experiment_id, status, LOWER(name), name);
CREATE INDEX job_by_section ON job (experiment_id, (COALESCE(section, '')), LOWER(name), name);
CREATE INDEX job_by_priority ON job (experiment_id, (COALESCE(priority, -1)), LOWER(name), name);
CREATE INDEX job_by_date ON job (experiment_id, (COALESCE(date, -9223372036854775807)), (COALESCE(member, '')), (COALESCE(chunk, -1)), LOWER(name), name);

CREATE TABLE job_edge (
    experiment_id BIGINT NOT NULL REFERENCES experiment (id) ON DELETE CASCADE,
    parent_id BIGINT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    child_id BIGINT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    PRIMARY KEY (experiment_id, parent_id, child_id)
);
CREATE INDEX job_edge_child ON job_edge (experiment_id, child_id, parent_id);
CREATE INDEX job_edge_parent_fk ON job_edge (parent_id);
CREATE INDEX job_edge_child_fk ON job_edge (child_id);

CREATE TABLE job_attempt (
    id {id},
    experiment_id BIGINT NOT NULL REFERENCES experiment (id) ON DELETE CASCADE,
    job_name {text} NOT NULL,
    number BIGINT NOT NULL,
    run_number BIGINT,
    is_last BOOLEAN NOT NULL,
    row_type BIGINT NOT NULL,
    status SMALLINT,
    created_at BIGINT,
    submitted_at BIGINT,
    started_at BIGINT,
    finished_at BIGINT,
    processors BIGINT,
    node_count BIGINT,
    wallclock {text},
    queue {text},
    platform {text},
    energy_joules DOUBLE PRECISION,
    section {text},
    member {text},
    chunk BIGINT,
    splits BIGINT,
    remote_id BIGINT,
    out_log {text},
    err_log {text},
    workflow_commit {text},
    UNIQUE (experiment_id, job_name, number)
);
CREATE INDEX job_attempt_run ON job_attempt (experiment_id, run_number, section);

CREATE TABLE wrapper (
    id {id},
    experiment_id BIGINT NOT NULL REFERENCES experiment (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    UNIQUE (experiment_id, name)
);

CREATE TABLE wrapper_job (
    wrapper_id BIGINT NOT NULL REFERENCES wrapper (id) ON DELETE CASCADE,
    job_id BIGINT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    PRIMARY KEY (wrapper_id, job_id)
);
CREATE INDEX wrapper_job_job ON wrapper_job (job_id)
";

const DOWN: &str = r"
DROP TABLE wrapper_job;
DROP TABLE wrapper;
DROP TABLE job_attempt;
DROP TABLE job_edge;
DROP TABLE job;
DROP TABLE experiment_run;
DROP TABLE experiment;
DROP TABLE source_problem;
DROP TABLE source_state;
DROP TABLE source
";
