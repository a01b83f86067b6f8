//! The jobs of a run as they were: attempts have the start date and the split of their job, and an index finds those of a
//! run by name. What is there already is read from its files once more, to have the new columns filled.

crate::dialect::migration!();

const UP: &str = r"
ALTER TABLE job_attempt ADD COLUMN date BIGINT;
ALTER TABLE job_attempt ADD COLUMN split BIGINT;
CREATE INDEX job_attempt_by_name ON job_attempt (experiment_id, run_number, LOWER(job_name), job_name, number);
UPDATE source_state SET fingerprint = ''
";

const DOWN: &str = r"
DROP INDEX job_attempt_by_name;
ALTER TABLE job_attempt DROP COLUMN split;
ALTER TABLE job_attempt DROP COLUMN date
";
