//! Drawings of workflows, by what they were made of. Times are milliseconds since 1970-01-01 UTC.

crate::dialect::migration!();

const UP: &str = r"
CREATE TABLE graph_layout (
    key {text} PRIMARY KEY,
    engine {text} NOT NULL,
    drawing {bytes} NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE INDEX graph_layout_made ON graph_layout (made_at, key)
";

const DOWN: &str = r"
DROP TABLE graph_layout
";
