//! What datasets are found by: the values in their documents, and their words.

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait, prelude::DeriveMigrationName};

use crate::dialect;

// `path` is a hash, so that the index is short; `head` is the beginning of a text, since PostgreSQL indexes none that is long.
const UP: &str = r"
CREATE TABLE dataset_value (
    dataset_id BIGINT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    path BIGINT NOT NULL,
    node INTEGER NOT NULL,
    last INTEGER NOT NULL,
    kind SMALLINT NOT NULL,
    is_element BOOLEAN NOT NULL,
    number DOUBLE PRECISION NOT NULL,
    head {text} NOT NULL,
    rest {text} NOT NULL,
    places {text} NOT NULL,
    PRIMARY KEY (dataset_id, path, node)
) {clustered};
CREATE INDEX dataset_value_value ON dataset_value (path, kind, number, head, dataset_id)
";

// In the row of the dataset: what is found is put into the order of a page by other columns of the row.
const WORDS_POSTGRES: &str = r"
ALTER TABLE dataset ADD COLUMN words TSVECTOR NOT NULL DEFAULT '';
CREATE INDEX dataset_words ON dataset USING gin (words)
";

// Virtual tables take part in no foreign key: a trigger does what ON DELETE CASCADE does elsewhere.
const WORDS_SQLITE: [&str; 2] = [
    r#"CREATE VIRTUAL TABLE dataset_text
       USING fts5(names, about, rest, content='', contentless_delete=1, tokenize="ascii tokenchars '_'")"#,
    "CREATE TRIGGER dataset_text_goes_with_dataset AFTER DELETE ON dataset
     BEGIN DELETE FROM dataset_text WHERE rowid = OLD.id; END",
];

const DOWN: &str = "DROP TABLE dataset_value";
const DOWN_POSTGRES: &str = "ALTER TABLE dataset DROP COLUMN words";
const DOWN_SQLITE: &str = "DROP TRIGGER dataset_text_goes_with_dataset; DROP TABLE dataset_text";

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, UP).await?;
        let connection = manager.get_connection();
        if manager.get_database_backend() == DatabaseBackend::Postgres {
            return dialect::run(manager, WORDS_POSTGRES).await;
        }
        for statement in WORDS_SQLITE {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let words = match manager.get_database_backend() {
            DatabaseBackend::Postgres => DOWN_POSTGRES,
            _ => DOWN_SQLITE,
        };
        dialect::run(manager, words).await?;
        dialect::run(manager, DOWN).await
    }
}
