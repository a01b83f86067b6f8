//! What the configuration says of the kinds of job, as far as performance and statistics need it. Experiments that were
//! mirrored before are read once more.

crate::dialect::migration!();

const UP: &str = r"
CREATE TABLE job_section (
    id {id},
    experiment_id BIGINT NOT NULL REFERENCES experiment (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    platform {text},
    processing_elements BIGINT NOT NULL,
    wallclock {text},
    carbon_factor DOUBLE PRECISION,
    pue DOUBLE PRECISION,
    UNIQUE (experiment_id, name)
);
UPDATE source_state SET fingerprint = ''
";

const DOWN: &str = r"
DROP TABLE job_section
";
