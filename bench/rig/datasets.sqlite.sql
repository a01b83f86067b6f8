-- What datasets.postgres.sql does, for SQLite.

PRAGMA foreign_keys = off;
PRAGMA journal_mode = off;
PRAGMA synchronous = off;
PRAGMA cache_size = -500000;
PRAGMA temp_store = memory;

BEGIN;

INSERT INTO users (username, display_name, is_admin, created_at)
SELECT username, CAST(id AS TEXT), false, unixepoch(created_at) * 1000
FROM rig.users
ORDER BY id;

UPDATE dataset SET
    annotations = theirs.annotations,
    manifest_count = (SELECT count(*) FROM rig.manifest_items WHERE dataset_id = theirs.id),
    registered_by = (SELECT id FROM users WHERE username = dataset.creator_username)
FROM rig.datasets AS theirs
WHERE theirs.uri = dataset.uri;

INSERT INTO dataset_item (dataset_id, identifier, relpath, hash, size_bytes, modified_at)
SELECT
    dataset.id, printf('%040d', item.id), item.relpath, item.hash, item.size_bytes, unixepoch(item.modified_at) * 1000000
FROM rig.manifest_items AS item
JOIN rig.datasets AS theirs ON theirs.id = item.dataset_id
JOIN dataset ON dataset.uri = theirs.uri
ORDER BY dataset.id, item.id;

COMMIT;

VACUUM;
ANALYZE;
PRAGMA journal_mode = wal;
