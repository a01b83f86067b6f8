//! The configurations that runs recorded. They are long, and nearly every list of runs does without them: so they have a
//! table of their own.

crate::dialect::migration!();

const UP: &str = r"
CREATE TABLE run_configuration (
    experiment_id BIGINT NOT NULL REFERENCES experiment (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    hash {text} NOT NULL,
    body {bytes} NOT NULL,
    PRIMARY KEY (experiment_id, number)
)
";

const DOWN: &str = r"
DROP TABLE run_configuration
";
