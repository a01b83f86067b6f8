//! Focal planes: what is known of each layer of each slot, for which times, since when, and from whom.
//!
//! Times are microseconds since 1970-01-01 UTC. A record is a rectangle: what a track holds in `[valid_from, valid_until)` as
//! it is known in `[known_from, known_until)`; no end: for good. The database itself refuses rectangles of a track that
//! overlap. `reaches` is the latest instant that any source of by then tells of: no record that was known then begins or
//! ends later, so that questions about what was known leave out what was told since.
//!
//! Columns that can be long stand last, so that rows are read without them.

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait, prelude::DeriveMigrationName};

use crate::dialect;

const UP: &str = r"
CREATE TABLE fplane_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    known_at BIGINT NOT NULL,
    reaches BIGINT
);
INSERT INTO fplane_head (id, known_at) VALUES (1, 0);

CREATE TABLE fplane_source (
    id {id},
    kind {text} NOT NULL,
    name {text},
    valid_from BIGINT NOT NULL,
    valid_until BIGINT,
    recorded_at BIGINT NOT NULL,
    recorded_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    author {text} NOT NULL,
    reaches BIGINT NOT NULL,
    digest {text} NOT NULL UNIQUE,
    reason {text},
    layers BIGINT NOT NULL,
    mentions {text} NOT NULL,
    content {text} NOT NULL,
    CHECK (valid_until > valid_from)
);
CREATE INDEX fplane_source_valid ON fplane_source (valid_from, id, layers);
CREATE INDEX fplane_source_kind ON fplane_source (kind, id);
CREATE INDEX fplane_source_recorded ON fplane_source (recorded_at, id);
CREATE INDEX fplane_source_recorded_by ON fplane_source (recorded_by, id);
CREATE INDEX fplane_source_correction ON fplane_source (valid_until) WHERE kind = 'CORRECTION';

CREATE TABLE fplane_track (
    id {id},
    layer {text} NOT NULL,
    ifuslot {text} NOT NULL,
    UNIQUE (layer, ifuslot)
);

CREATE TABLE fplane_record (
    id {id},
    track_id BIGINT NOT NULL REFERENCES fplane_track (id),
    layer {text} NOT NULL,
    ifuslot {text} NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_until BIGINT,
    known_from BIGINT NOT NULL,
    known_until BIGINT,
    source_id BIGINT NOT NULL REFERENCES fplane_source (id),
    ifuid {text},
    specid {text},
    specslot {text},
    cntlid {text},
    muxid {text},
    active BOOLEAN,
    rotation DOUBLE PRECISION,
    plate_scale DOUBLE PRECISION,
    x DOUBLE PRECISION,
    y DOUBLE PRECISION,
    name {text},
    CHECK (valid_until > valid_from),
    CHECK (known_until > known_from){no_overlap}
);
CREATE UNIQUE INDEX fplane_record_current ON fplane_record (track_id, valid_from) WHERE known_until IS NULL;
CREATE INDEX fplane_record_track ON fplane_record (track_id, valid_from, known_from);
CREATE INDEX fplane_record_start ON fplane_record (layer, valid_from) WHERE known_until IS NULL;
CREATE INDEX fplane_record_end ON fplane_record (layer, valid_until) WHERE known_until IS NULL;
CREATE INDEX fplane_record_known_start ON fplane_record (layer, valid_from, known_from);
CREATE INDEX fplane_record_known_end ON fplane_record (layer, valid_until, known_from);
CREATE INDEX fplane_record_source ON fplane_record (source_id, valid_from, id);
CREATE INDEX fplane_record_valid ON fplane_record (valid_from, id);
CREATE INDEX fplane_record_layer ON fplane_record (layer, valid_from, id);
CREATE INDEX fplane_record_ifuslot ON fplane_record (ifuslot, valid_from, id);
CREATE INDEX fplane_record_ifuid ON fplane_record (ifuid, valid_from, id);
CREATE INDEX fplane_record_specid ON fplane_record (specid, valid_from, id);
CREATE INDEX fplane_record_specslot ON fplane_record (specslot, valid_from, id);
CREATE INDEX fplane_record_cntlid ON fplane_record (cntlid, valid_from, id);
CREATE INDEX fplane_record_muxid ON fplane_record (muxid, valid_from, id);

CREATE TABLE fplane_tag (
    id {id},
    name {text} NOT NULL,
    at BIGINT NOT NULL,
    known_at BIGINT,
    frozen BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    created_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    author {text} NOT NULL,
    superseded_at BIGINT,
    description {text},
    CHECK (known_at IS NOT NULL OR NOT frozen)
);
CREATE UNIQUE INDEX fplane_tag_current ON fplane_tag (name) WHERE superseded_at IS NULL;
CREATE INDEX fplane_tag_name ON fplane_tag (name, id);
CREATE INDEX fplane_tag_at ON fplane_tag (at, id) WHERE superseded_at IS NULL;
CREATE INDEX fplane_tag_created_by ON fplane_tag (created_by)
";

// A track is a range too: an equality in such a constraint takes an extension, which not every server has.
const NO_OVERLAP_POSTGRES: &str = r",
    CONSTRAINT fplane_record_overlap EXCLUDE USING gist (
        int8range(track_id, track_id, '[]') WITH &&,
        int8range(valid_from, valid_until) WITH &&,
        int8range(known_from, known_until) WITH &&
    )";

/// What of the records of a track that have an end of being known can overlap a new one, which has none by then.
const SUPERSEDED_SQLITE: &str = r"
CREATE INDEX fplane_record_superseded ON fplane_record (track_id, known_until) WHERE known_until IS NOT NULL
";

// Records that are known overlap each other nowhere. So of those that begin before a new one ends only the last is looked
// at: whatever the track has been through, it costs two look-ups.
const TRIGGERS_SQLITE: [&str; 2] = [
    r"CREATE TRIGGER fplane_record_insert BEFORE INSERT ON fplane_record
      WHEN EXISTS (
          SELECT 1 FROM (
              SELECT valid_until FROM fplane_record
              WHERE track_id = NEW.track_id AND known_until IS NULL
                  AND valid_from < COALESCE(NEW.valid_until, 9223372036854775807)
              ORDER BY valid_from DESC LIMIT 1
          ) AS last
          WHERE NEW.known_until IS NULL AND (last.valid_until IS NULL OR last.valid_until > NEW.valid_from)
      ) OR EXISTS (
          SELECT 1 FROM fplane_record AS other
          WHERE other.track_id = NEW.track_id AND other.known_until > NEW.known_from
              AND (NEW.known_until IS NULL OR other.known_from < NEW.known_until)
              AND (NEW.valid_until IS NULL OR other.valid_from < NEW.valid_until)
              AND (other.valid_until IS NULL OR other.valid_until > NEW.valid_from)
      ) OR (NEW.known_until IS NOT NULL AND EXISTS (
          SELECT 1 FROM fplane_record AS other
          WHERE other.track_id = NEW.track_id AND other.known_until IS NULL AND other.known_from < NEW.known_until
              AND (NEW.valid_until IS NULL OR other.valid_from < NEW.valid_until)
              AND (other.valid_until IS NULL OR other.valid_until > NEW.valid_from)
      ))
      BEGIN SELECT RAISE(ABORT, 'fplane_record_overlap'); END",
    // A record that becomes a part of what it was overlaps nothing new.
    r"CREATE TRIGGER fplane_record_update
      BEFORE UPDATE OF track_id, valid_from, valid_until, known_from, known_until ON fplane_record
      WHEN NOT (
          NEW.track_id = OLD.track_id AND NEW.valid_from >= OLD.valid_from AND NEW.known_from >= OLD.known_from
          AND (OLD.valid_until IS NULL OR COALESCE(NEW.valid_until <= OLD.valid_until, FALSE))
          AND (OLD.known_until IS NULL OR COALESCE(NEW.known_until <= OLD.known_until, FALSE))
      ) AND EXISTS (
          SELECT 1 FROM fplane_record AS other
          WHERE other.track_id = NEW.track_id AND other.id <> OLD.id
              AND (NEW.known_until IS NULL OR other.known_from < NEW.known_until)
              AND (other.known_until IS NULL OR other.known_until > NEW.known_from)
              AND (NEW.valid_until IS NULL OR other.valid_from < NEW.valid_until)
              AND (other.valid_until IS NULL OR other.valid_until > NEW.valid_from)
      )
      BEGIN SELECT RAISE(ABORT, 'fplane_record_overlap'); END",
];

const DOWN: &str = r"
DROP TABLE fplane_tag;
DROP TABLE fplane_record;
DROP TABLE fplane_track;
DROP TABLE fplane_source;
DROP TABLE fplane_head
";

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DatabaseBackend::Postgres {
            return dialect::run(manager, &UP.replace("{no_overlap}", NO_OVERLAP_POSTGRES)).await;
        }
        dialect::run(manager, &UP.replace("{no_overlap}", "")).await?;
        dialect::run(manager, SUPERSEDED_SQLITE).await?;
        for trigger in TRIGGERS_SQLITE {
            manager.get_connection().execute_unprepared(trigger).await?;
        }
        Ok(())
    }

    // Triggers go with their table.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, DOWN).await
    }
}
