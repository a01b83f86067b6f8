//! The schema of labql's own database, version by version, for SQLite and PostgreSQL.
//!
//! Each migration is plain SQL: what the two databases write differently (identity columns, the collation of text,
//! byte strings) is filled in by [`dialect`], everything else is the same text on both.

mod dialect;
mod m20261122_000001_accounts;
mod m20261122_000002_experiments;
mod m20261122_000003_events;
mod m20261122_000004_live_feed;
mod m20261122_000005_workers;
mod m20261122_000006_liveness;
mod m20261122_000007_speed;
mod m20261122_000008_graph_layouts;
mod m20261122_000009_configurations;
mod m20261122_000010_sections;
mod m20261122_000011_run_jobs;
mod m20261122_000012_actions;
mod m20261122_000015_datasets;
mod m20261122_000016_finding;
mod m20261122_000017_lineage;
mod m20261122_000018_dataset_notifications;
mod m20261123_000020_fplanes;
mod m20261123_000021_flows;

pub use sea_orm_migration::{MigrationStatus, MigratorTrait};
use sea_orm_migration::{MigrationTrait, async_trait};

/// All migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_accounts::Migration),
            Box::new(m20261122_000002_experiments::Migration),
            Box::new(m20261122_000003_events::Migration),
            Box::new(m20261122_000004_live_feed::Migration),
            Box::new(m20261122_000005_workers::Migration),
            Box::new(m20261122_000006_liveness::Migration),
            Box::new(m20261122_000007_speed::Migration),
            Box::new(m20261122_000008_graph_layouts::Migration),
            Box::new(m20261122_000009_configurations::Migration),
            Box::new(m20261122_000010_sections::Migration),
            Box::new(m20261122_000011_run_jobs::Migration),
            Box::new(m20261122_000012_actions::Migration),
            Box::new(m20261122_000015_datasets::Migration),
            Box::new(m20261122_000016_finding::Migration),
            Box::new(m20261122_000017_lineage::Migration),
            Box::new(m20261122_000018_dataset_notifications::Migration),
            Box::new(m20261123_000020_fplanes::Migration),
            Box::new(m20261123_000021_flows::Migration),
        ]
    }
}
