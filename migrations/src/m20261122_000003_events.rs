//! The log of changes. Times are milliseconds since 1970-01-01 UTC.

crate::dialect::migration!();

const UP: &str = r"
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

const DOWN: &str = r"
DROP TABLE event
";
