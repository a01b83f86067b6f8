//! The log of changes gets its own identity, and numbers of events that are given after the commit.
//! Times are milliseconds since 1970-01-01 UTC.

crate::dialect::migration!();

const UP: &str = r"
DROP TABLE event;
CREATE TABLE event (
    id {id},
    position BIGINT UNIQUE,
    recorded_at BIGINT NOT NULL,
    topic {text} NOT NULL,
    subject {text} NOT NULL,
    kind {text} NOT NULL,
    payload {text} NOT NULL,
    actor {text}
);
CREATE INDEX event_topic ON event (topic, position);
CREATE INDEX event_subject ON event (topic, subject, position);
CREATE INDEX event_unnumbered ON event (id) WHERE position IS NULL;

CREATE TABLE event_log (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    log {text} NOT NULL,
    head BIGINT NOT NULL,
    head_recorded_at BIGINT NOT NULL,
    floor BIGINT NOT NULL,
    floor_recorded_at BIGINT NOT NULL
);
INSERT INTO event_log VALUES (1, {random}, 0, 0, 0, 0)
";

const DOWN: &str = r"
DROP TABLE event_log;
DROP TABLE event;
CREATE TABLE event (
    position BIGINT PRIMARY KEY,
    recorded_at BIGINT NOT NULL,
    topic {text} NOT NULL,
    subject {text} NOT NULL,
    kind {text} NOT NULL,
    payload {text} NOT NULL
);
CREATE INDEX event_topic ON event (topic, position)
";
