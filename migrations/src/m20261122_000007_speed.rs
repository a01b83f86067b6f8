//! Indexes for pages of experiments that are filtered by a text and stand in the order of time; and indexes of events
//! without those that have no position yet, which nobody looks for by them: an event is entered once and not twice. Orders of
//! jobs leave the lower case of the name to the order by name.

crate::dialect::migration!();

const UP: &str = r"
CREATE INDEX experiment_hpc_created ON experiment (LOWER(hpc), (COALESCE(created_at, -1)), expid);
CREATE INDEX experiment_owner_created ON experiment (LOWER(owner), (COALESCE(created_at, -1)), expid);
CREATE INDEX experiment_version_created ON experiment (LOWER(autosubmit_version), (COALESCE(created_at, -1)), expid);
DROP INDEX job_by_status;
DROP INDEX job_by_section;
DROP INDEX job_by_priority;
DROP INDEX job_by_date;
CREATE INDEX job_by_status ON job (experiment_id, status, name);
CREATE INDEX job_by_section ON job (experiment_id, (COALESCE(section, '')), name);
CREATE INDEX job_by_priority ON job (experiment_id, (COALESCE(priority, -1)), name);
CREATE INDEX job_by_date ON job (experiment_id, (COALESCE(date, -9223372036854775807)), (COALESCE(member, '')), (COALESCE(chunk, -1)), name);
DROP INDEX event_topic;
DROP INDEX event_subject;
CREATE INDEX event_topic ON event (topic, position) WHERE position IS NOT NULL;
CREATE INDEX event_subject ON event (topic, subject, position) WHERE position IS NOT NULL
";

const DOWN: &str = r"
DROP INDEX job_by_date;
DROP INDEX job_by_priority;
DROP INDEX job_by_section;
DROP INDEX job_by_status;
CREATE INDEX job_by_status ON job (experiment_id, status, LOWER(name), name);
CREATE INDEX job_by_section ON job (experiment_id, (COALESCE(section, '')), LOWER(name), name);
CREATE INDEX job_by_priority ON job (experiment_id, (COALESCE(priority, -1)), LOWER(name), name);
CREATE INDEX job_by_date ON job (experiment_id, (COALESCE(date, -9223372036854775807)), (COALESCE(member, '')), (COALESCE(chunk, -1)), LOWER(name), name);
DROP INDEX event_subject;
DROP INDEX event_topic;
CREATE INDEX event_topic ON event (topic, position);
CREATE INDEX event_subject ON event (topic, subject, position);
DROP INDEX experiment_version_created;
DROP INDEX experiment_owner_created;
DROP INDEX experiment_hpc_created
";
