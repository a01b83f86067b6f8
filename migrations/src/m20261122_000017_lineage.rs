//! What datasets were derived from, by the dependency keys in force.
//!
//! A link has the UUID and the base URI of its dataset once more: a walk along links needs no other table. Links of datasets
//! that were registered before are made when the server starts, from row `rebuilt_to` on.

crate::dialect::migration!();

const UP: &str = r#"
CREATE TABLE dataset_link (
    dataset_id BIGINT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    parent {text} NOT NULL,
    dependency_key {text} NOT NULL,
    uuid {text} NOT NULL,
    base_uri_id BIGINT NOT NULL,
    PRIMARY KEY (dataset_id, parent, dependency_key)
) {clustered};
CREATE INDEX dataset_link_uuid ON dataset_link (uuid, base_uri_id, parent);
CREATE INDEX dataset_link_parent ON dataset_link (parent, base_uri_id, uuid);

CREATE TABLE dataset_lineage (
    id BIGINT PRIMARY KEY,
    dependency_keys {text} NOT NULL,
    rebuilt_to BIGINT
);
INSERT INTO dataset_lineage (id, dependency_keys, rebuilt_to)
VALUES (1, '["readme.derived_from.uuid","annotations.source_dataset_uuid"]', 0)
"#;

const DOWN: &str = r"
DROP TABLE dataset_lineage;
DROP TABLE dataset_link
";
