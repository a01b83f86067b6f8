//! Until when an experiment counts as running. Times are milliseconds since 1970-01-01 UTC.

crate::dialect::migration!();

const UP: &str = r"
ALTER TABLE experiment ADD COLUMN announced_at BIGINT;
ALTER TABLE experiment ADD COLUMN active_until BIGINT;
CREATE INDEX experiment_active_until ON experiment (source_id, active_until) WHERE active_until IS NOT NULL
";

const DOWN: &str = r"
DROP INDEX experiment_active_until;
ALTER TABLE experiment DROP COLUMN active_until;
ALTER TABLE experiment DROP COLUMN announced_at
";
