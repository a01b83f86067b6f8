//! Base URIs, what users may do there, and the datasets below them. Grants named base URIs by their text so far; those that
//! are named become base URIs. Overlays stand a value at a time, so that they have pages.
//!
//! What is unknown stands before all numbers in the orders by size and by number of items. These have columns of their own:
//! SQLite finds the beginning of a page in an index over columns, and not in one over expressions.
//!
//! Times are milliseconds since 1970-01-01 UTC, but those that dtool recorded (`created_at` and `frozen_at` of a dataset,
//! `modified_at` of an item): these are microseconds. Columns that can be long stand last, so that rows are read without
//! them.

crate::dialect::migration!();

const UP: &str = r"
CREATE TABLE base_uri (
    id {id},
    uri {text} NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    indexed_at BIGINT,
    dataset_count BIGINT NOT NULL,
    last_index {text}
);
INSERT INTO base_uri (uri, created_at, dataset_count)
SELECT named.base_uri, MIN(users.created_at), 0
FROM base_uri_grant AS named JOIN users ON users.id = named.user_id
GROUP BY named.base_uri;

ALTER TABLE base_uri_grant RENAME TO base_uri_grant_by_text;
CREATE TABLE base_uri_grant (
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    base_uri_id BIGINT NOT NULL REFERENCES base_uri (id) ON DELETE CASCADE,
    can_search BOOLEAN NOT NULL,
    can_register BOOLEAN NOT NULL,
    PRIMARY KEY (user_id, base_uri_id)
);
CREATE INDEX base_uri_grant_base_uri ON base_uri_grant (base_uri_id, user_id);
INSERT INTO base_uri_grant (user_id, base_uri_id, can_search, can_register)
SELECT named.user_id, base_uri.id, named.can_search, named.can_register
FROM base_uri_grant_by_text AS named JOIN base_uri ON base_uri.uri = named.base_uri;
DROP TABLE base_uri_grant_by_text;

CREATE TABLE dataset (
    id {id},
    base_uri_id BIGINT NOT NULL REFERENCES base_uri (id),
    base_uri {text} NOT NULL,
    uri {text} NOT NULL UNIQUE,
    uuid {text} NOT NULL,
    name {text} NOT NULL,
    creator_username {text} NOT NULL,
    created_at BIGINT NOT NULL,
    frozen_at BIGINT NOT NULL,
    item_count BIGINT,
    size_bytes BIGINT,
    manifest_count BIGINT NOT NULL,
    hash_function {text},
    manifest_version {text},
    dtoolcore_version {text},
    fingerprint {text},
    registered_at BIGINT NOT NULL,
    registered_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    updated_at BIGINT NOT NULL,
    tags {text} NOT NULL,
    annotations {text} NOT NULL,
    readme_problem {text},
    readme_text {text} NOT NULL,
    readme {text},
    size_order BIGINT NOT NULL GENERATED ALWAYS AS (COALESCE(size_bytes, -1)) STORED,
    items_order BIGINT NOT NULL GENERATED ALWAYS AS (COALESCE(item_count, -1)) STORED
);
CREATE INDEX dataset_name ON dataset (name, uri);
CREATE INDEX dataset_uuid ON dataset (uuid, uri);
CREATE INDEX dataset_base_uri ON dataset (base_uri, uri);
CREATE INDEX dataset_created ON dataset (created_at, uri);
CREATE INDEX dataset_frozen ON dataset (frozen_at, uri);
CREATE INDEX dataset_registered ON dataset (registered_at, uri);
CREATE INDEX dataset_registered_by ON dataset (registered_by, uri);
CREATE INDEX dataset_size ON dataset (size_order, uri);
CREATE INDEX dataset_items ON dataset (items_order, uri);
CREATE INDEX dataset_creator ON dataset (creator_username, uri);
CREATE INDEX dataset_creator_created ON dataset (creator_username, created_at, uri);
CREATE INDEX dataset_creator_frozen ON dataset (creator_username, frozen_at, uri);
CREATE INDEX dataset_of_base_uri_name ON dataset (base_uri, name, uri);
CREATE INDEX dataset_of_base_uri_uuid ON dataset (base_uri, uuid, uri);
CREATE INDEX dataset_of_base_uri_created ON dataset (base_uri, created_at, uri);
CREATE INDEX dataset_of_base_uri_frozen ON dataset (base_uri, frozen_at, uri);
CREATE INDEX dataset_of_base_uri_registered ON dataset (base_uri, registered_at, uri);
CREATE INDEX dataset_of_base_uri_size ON dataset (base_uri, size_order, uri);
CREATE INDEX dataset_of_base_uri_items ON dataset (base_uri, items_order, uri);
CREATE INDEX dataset_of_base_uri_creator ON dataset (base_uri, creator_username, uri);
CREATE INDEX dataset_sums ON dataset (base_uri_id, creator_username, base_uri, size_bytes);
CREATE INDEX dataset_known ON dataset (base_uri_id, uri, fingerprint, updated_at);

CREATE TABLE dataset_tag (
    dataset_id BIGINT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    tag {text} NOT NULL,
    PRIMARY KEY (dataset_id, tag)
) {clustered};
CREATE INDEX dataset_tag_tag ON dataset_tag (tag, dataset_id);

CREATE TABLE dataset_item (
    dataset_id BIGINT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    identifier {text} NOT NULL,
    relpath {text} NOT NULL,
    hash {text} NOT NULL,
    size_bytes BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (dataset_id, identifier)
) {clustered};

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
) {clustered};

CREATE TABLE dataset_change (
    id {id},
    dataset_id BIGINT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    what {text} NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    before {text} NOT NULL,
    after {text} NOT NULL
);
CREATE INDEX dataset_change_dataset ON dataset_change (dataset_id, id);
CREATE INDEX dataset_change_changed_by ON dataset_change (changed_by)
";

const DOWN: &str = r"
DROP TABLE dataset_change;
DROP TABLE dataset_overlay_value;
DROP TABLE dataset_overlay;
DROP TABLE dataset_item;
DROP TABLE dataset_tag;
DROP TABLE dataset;
ALTER TABLE base_uri_grant RENAME TO base_uri_grant_by_id;
CREATE TABLE base_uri_grant (
    id {id},
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    base_uri {text} NOT NULL,
    can_search BOOLEAN NOT NULL,
    can_register BOOLEAN NOT NULL,
    UNIQUE (user_id, base_uri)
);
INSERT INTO base_uri_grant (user_id, base_uri, can_search, can_register)
SELECT named.user_id, base_uri.uri, named.can_search, named.can_register
FROM base_uri_grant_by_id AS named JOIN base_uri ON base_uri.id = named.base_uri_id;
DROP TABLE base_uri_grant_by_id;
DROP TABLE base_uri
";
