//! What datasets were derived from, by the dependency keys in force; and overlays a value at a time, so that they have pages.
//!
//! A link has the UUID and the base URI of its dataset once more: a walk along links needs no other table. Links of datasets
//! that were registered before are made when the server starts, from row `rebuilt_to` on; overlays when their datasets are
//! read again.

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
VALUES (1, '["readme.derived_from.uuid","annotations.source_dataset_uuid"]', 0);

UPDATE dataset SET fingerprint = '' WHERE id IN (SELECT dataset_id FROM dataset_overlay);
DROP TABLE dataset_overlay;
CREATE TABLE dataset_overlay (
    id {id},
    dataset_id BIGINT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    value_count BIGINT NOT NULL,
    UNIQUE (dataset_id, name)
);
CREATE TABLE dataset_overlay_value (
    overlay_id BIGINT NOT NULL REFERENCES dataset_overlay (id) ON DELETE CASCADE,
    identifier {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (overlay_id, identifier)
) {clustered}
"#;

const DOWN: &str = r"
UPDATE dataset SET fingerprint = '' WHERE id IN (SELECT dataset_id FROM dataset_overlay);
DROP TABLE dataset_overlay_value;
DROP TABLE dataset_overlay;
CREATE TABLE dataset_overlay (
    dataset_id BIGINT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    content {text} NOT NULL,
    PRIMARY KEY (dataset_id, name)
);
DROP TABLE dataset_lineage;
DROP TABLE dataset_link
";
