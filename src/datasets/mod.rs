//! Datasets as dtool writes them: folders and buckets with items, described by a README, tags and annotations.

pub mod changes;
pub mod document;
pub mod lineage;
pub mod mongo;
pub mod notifications;
pub mod read;
pub mod readers;
pub mod registration;
pub mod sync;
pub mod text;
pub mod write;
pub mod writers;
