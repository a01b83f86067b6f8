//! The log of changes. Times are milliseconds since 1970-01-01 UTC.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, DOWN).await
    }
}

const UP: &str = r"
CREATE TABLE event (
    position BIGINT PRIMARY KEY,
    recorded_at BIGINT NOT NULL,
    topic {text} NOT NULL,
    subject {text} NOT NULL,
    kind {text} NOT NULL,
    payload {text} NOT NULL
);
CREATE INDEX event_topic ON event (topic, position)
";

const DOWN: &str = r"
DROP TABLE event
";
