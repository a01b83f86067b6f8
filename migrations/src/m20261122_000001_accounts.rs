//! Users, their API keys and what they may do with base URIs. Times are milliseconds since 1970-01-01 UTC.

crate::dialect::migration!();

const UP: &str = r"
CREATE TABLE users (
    id {id},
    username {text} NOT NULL UNIQUE,
    display_name {text},
    email {text},
    password_hash {text},
    is_admin BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE TABLE api_key (
    id {id},
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label {text} NOT NULL,
    secret_hash {text} NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX api_key_user ON api_key (user_id, id);

CREATE TABLE idempotency_key (
    id {id},
    actor {text} NOT NULL,
    mutation {text} NOT NULL,
    key {text} NOT NULL,
    request_hash {text} NOT NULL,
    subject_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (actor, mutation, key)
);

CREATE TABLE base_uri_grant (
    id {id},
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    base_uri {text} NOT NULL,
    can_search BOOLEAN NOT NULL,
    can_register BOOLEAN NOT NULL,
    UNIQUE (user_id, base_uri)
)
";

const DOWN: &str = r"
DROP TABLE base_uri_grant;
DROP TABLE idempotency_key;
DROP TABLE api_key;
DROP TABLE users
";
