-- Gives the datasets that register.py has registered what it left out: items, annotations, and who registered them.

\set ON_ERROR_STOP on
SET session_replication_role = replica;

BEGIN;

-- The id of a person stands in the name to show.
INSERT INTO users (username, display_name, is_admin, created_at)
SELECT username, id::text, false, extract(epoch FROM created_at)::bigint * 1000
FROM public.users
ORDER BY id;

UPDATE dataset SET
    annotations = rig.annotations::text,
    manifest_count = coalesce(manifest.items, 0),
    registered_by = person.id
FROM public.datasets AS rig
LEFT JOIN (
    SELECT dataset_id, count(*) AS items FROM public.manifest_items GROUP BY dataset_id
) AS manifest ON manifest.dataset_id = rig.id
CROSS JOIN users AS person
WHERE rig.uri = dataset.uri AND person.username = dataset.creator_username;

-- The id of an item stands in its identifier, which is as long as one of dtool.
INSERT INTO dataset_item (dataset_id, identifier, relpath, hash, size_bytes, modified_at)
SELECT
    dataset.id, lpad(item.id::text, 40, '0'), item.relpath, item.hash, item.size_bytes,
    extract(epoch FROM item.modified_at)::bigint * 1000000
FROM public.manifest_items AS item
JOIN public.datasets AS rig ON rig.id = item.dataset_id
JOIN dataset ON dataset.uri = rig.uri
ORDER BY item.id;

COMMIT;

-- Each dataset was written twice: in the rig no row was.
VACUUM (FULL) dataset;
VACUUM (ANALYZE, FREEZE) dataset, dataset_item, dataset_tag, base_uri, base_uri_grant, users;
