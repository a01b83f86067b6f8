//! Background work. Times are milliseconds since 1970-01-01 UTC, lengths of time milliseconds.

crate::dialect::migration!();

const UP: &str = r"
CREATE TABLE worker (
    id {id},
    name {text} NOT NULL UNIQUE,
    kind {text} NOT NULL,
    status {text} NOT NULL,
    schedule {text} NOT NULL,
    interval_ms BIGINT NOT NULL,
    next_due_at BIGINT NOT NULL,
    paused_at BIGINT,
    paused_by {text},
    requested_at BIGINT,
    requested_by {text},
    holder {text},
    host {text},
    lease_ms BIGINT NOT NULL,
    lease_until BIGINT,
    heartbeat_at BIGINT,
    started_at BIGINT,
    failures BIGINT NOT NULL,
    last_started_at BIGINT,
    last_finished_at BIGINT,
    last_outcome {text},
    last_changes BIGINT NOT NULL,
    last_problems {text} NOT NULL,
    last_error {text}
)
";

const DOWN: &str = r"
DROP TABLE worker
";
