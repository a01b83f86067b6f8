//! Datasets of which storage has told that something changed, until they have been read anew. However often storage tells
//! of one, it has one row; `notifications` counts, so that what is told while it is read is not taken for done.
//!
//! Times are milliseconds since 1970-01-01 UTC. `due_at` is 0 until reading it has failed.

crate::dialect::migration!();

const UP: &str = r"
CREATE TABLE dataset_notification (
    uri {text} PRIMARY KEY,
    base_uri_id BIGINT NOT NULL REFERENCES base_uri (id) ON DELETE CASCADE,
    notifications BIGINT NOT NULL,
    notified_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL
) {clustered};
CREATE INDEX dataset_notification_base_uri ON dataset_notification (base_uri_id)
";

const DOWN: &str = r"
DROP TABLE dataset_notification
";
