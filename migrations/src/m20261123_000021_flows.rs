//! Flows: workflows in versions that never change, groups of people who run them, what they upload, and runs with their
//! steps, attempts, logs, files and results.
//!
//! Times are milliseconds since 1970-01-01 UTC. Columns that can be long stand last, so that rows are read without them.

crate::dialect::migration!();

const UP: &str = r"
CREATE TABLE workflow (
    id {id},
    name {text} NOT NULL UNIQUE,
    latest BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    archived_at BIGINT,
    executor {text},
    priority BIGINT NOT NULL,
    most_running BIGINT,
    most_running_per_user BIGINT,
    most_open_per_user BIGINT,
    timeout_seconds BIGINT,
    keep_days BIGINT,
    keep_failed_days BIGINT,
    keep_number BIGINT,
    keep_ranked BIGINT,
    post_processing BOOLEAN NOT NULL,
    ranking BIGINT NOT NULL,
    processed_ranking BIGINT NOT NULL,
    processed_set {text}
);
CREATE INDEX workflow_unprocessed ON workflow (id) WHERE ranking <> processed_ranking;

CREATE TABLE workflow_version (
    id {id},
    workflow_id BIGINT NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    digest {text} NOT NULL,
    created_at BIGINT NOT NULL,
    created_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    creator {text} NOT NULL,
    folder {text} NOT NULL,
    source_kind {text} NOT NULL,
    source {text},
    revision {text},
    template {text} NOT NULL,
    UNIQUE (workflow_id, number)
);
CREATE INDEX workflow_version_created_by ON workflow_version (created_by);

CREATE TABLE flow_group (
    id {id},
    workflow_id BIGINT NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    personal_of BIGINT REFERENCES users (id) ON DELETE SET NULL,
    created_at BIGINT NOT NULL,
    parameters {text} NOT NULL,
    UNIQUE (workflow_id, name),
    UNIQUE (workflow_id, personal_of)
);
CREATE INDEX flow_group_workflow ON flow_group (workflow_id, id);
CREATE INDEX flow_group_personal_of ON flow_group (personal_of);

CREATE TABLE flow_group_member (
    group_id BIGINT NOT NULL REFERENCES flow_group (id) ON DELETE CASCADE,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role {text} NOT NULL,
    PRIMARY KEY (group_id, user_id)
) {clustered};
CREATE INDEX flow_group_member_user ON flow_group_member (user_id, group_id);

CREATE TABLE flow_upload (
    id {id},
    key {text} NOT NULL UNIQUE,
    group_id BIGINT REFERENCES flow_group (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    media_type {text} NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 {text} NOT NULL,
    created_at BIGINT NOT NULL,
    created_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    creator {text} NOT NULL
);
CREATE INDEX flow_upload_group ON flow_upload (group_id, id);
CREATE INDEX flow_upload_created_by ON flow_upload (created_by, id);

CREATE TABLE flow_run (
    id {id},
    workflow_id BIGINT NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    version_id BIGINT NOT NULL REFERENCES workflow_version (id) ON DELETE CASCADE,
    group_id BIGINT REFERENCES flow_group (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    state {text} NOT NULL,
    reason {text},
    message {text},
    executor {text} NOT NULL,
    priority BIGINT NOT NULL,
    timeout_seconds BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    starter_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    starter {text} NOT NULL,
    cancel_requested_at BIGINT,
    cancel_requested_by {text},
    host {text},
    holder {text},
    lease_until BIGINT,
    folder {text} NOT NULL UNIQUE,
    is_ranked BOOLEAN NOT NULL,
    result_problem {text},
    files_bytes BIGINT NOT NULL,
    cleaned_at BIGINT,
    retry_limit BIGINT,
    arguments {text} NOT NULL,
    inputs {text}
);
CREATE INDEX flow_run_queue ON flow_run (priority DESC, id, starter_id, workflow_id, executor) WHERE state = 'PENDING';
CREATE INDEX flow_run_active ON flow_run (lease_until, id) WHERE state = 'RUNNING' OR state = 'CANCELING';
CREATE INDEX flow_run_open ON flow_run (starter_id, workflow_id) WHERE ended_at IS NULL;
CREATE INDEX flow_run_uncleaned ON flow_run (id) WHERE ended_at IS NOT NULL AND cleaned_at IS NULL;
CREATE INDEX flow_run_workflow ON flow_run (workflow_id, id);
CREATE INDEX flow_run_workflow_kind ON flow_run (workflow_id, kind, id);
CREATE INDEX flow_run_workflow_state ON flow_run (workflow_id, state, id);
CREATE INDEX flow_run_version ON flow_run (version_id, id);
CREATE INDEX flow_run_group ON flow_run (group_id, id);
CREATE INDEX flow_run_group_state ON flow_run (group_id, state, id);
CREATE INDEX flow_run_starter ON flow_run (starter_id, id);
CREATE INDEX flow_run_state ON flow_run (state, id);
CREATE INDEX flow_run_started ON flow_run (COALESCE(started_at, 0), id);
CREATE INDEX flow_run_ended ON flow_run (COALESCE(ended_at, 0), id);
CREATE INDEX flow_run_ranked ON flow_run (workflow_id, id) WHERE is_ranked;

CREATE TABLE flow_step (
    run_id BIGINT NOT NULL REFERENCES flow_run (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    name {text} NOT NULL,
    state {text} NOT NULL,
    attempts BIGINT NOT NULL,
    reason {text},
    message {text},
    exit_code BIGINT,
    remote_id {text},
    not_before BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    is_left_out BOOLEAN NOT NULL,
    PRIMARY KEY (run_id, position)
) {clustered};

CREATE TABLE flow_attempt (
    run_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    number BIGINT NOT NULL,
    ticket {text} NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    remote_id {text},
    exit_code BIGINT,
    reason {text},
    message {text},
    wall_ms BIGINT,
    user_ms BIGINT,
    system_ms BIGINT,
    peak_memory_bytes BIGINT,
    output_bytes BIGINT NOT NULL,
    errors_bytes BIGINT NOT NULL,
    PRIMARY KEY (run_id, position, number),
    FOREIGN KEY (run_id, position) REFERENCES flow_step (run_id, position) ON DELETE CASCADE
) {clustered};

CREATE TABLE flow_log (
    id {id},
    run_id BIGINT NOT NULL REFERENCES flow_run (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    stream {text} NOT NULL,
    start_byte BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    text {text} NOT NULL
);
CREATE INDEX flow_log_run ON flow_log (run_id, id);
CREATE INDEX flow_log_step ON flow_log (run_id, position, id);

CREATE TABLE flow_file (
    id {id},
    run_id BIGINT NOT NULL REFERENCES flow_run (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    place BIGINT NOT NULL,
    path {text} NOT NULL,
    title {text},
    caption {text},
    media_type {text} NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 {text} NOT NULL,
    display {text} NOT NULL,
    UNIQUE (run_id, name)
);
CREATE INDEX flow_file_run ON flow_file (run_id, place, id);

CREATE TABLE flow_result (
    run_id BIGINT NOT NULL REFERENCES flow_run (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    int_value BIGINT,
    float_value DOUBLE PRECISION,
    text_value {text},
    PRIMARY KEY (run_id, name)
) {clustered}
";

const DOWN: &str = r"
DROP TABLE flow_result;
DROP TABLE flow_file;
DROP TABLE flow_log;
DROP TABLE flow_attempt;
DROP TABLE flow_step;
DROP TABLE flow_run;
DROP TABLE flow_upload;
DROP TABLE flow_group_member;
DROP TABLE flow_group;
DROP TABLE workflow_version;
DROP TABLE workflow
";
