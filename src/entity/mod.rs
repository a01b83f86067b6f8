//! sea-orm entities: a file a table, no logic. Times are milliseconds since 1970-01-01 UTC (those that dtool recorded
//! microseconds), so that both databases store, compare and sort them alike.

pub mod action;
pub mod action_right;
pub mod api_key;
pub mod base_uri;
pub mod base_uri_grant;
pub mod dataset;
pub mod dataset_change;
pub mod dataset_item;
pub mod dataset_lineage;
pub mod dataset_link;
pub mod dataset_notification;
pub mod dataset_overlay;
pub mod dataset_overlay_value;
pub mod dataset_tag;
pub mod event;
pub mod event_log;
pub mod experiment;
pub mod experiment_run;
pub mod graph_layout;
pub mod idempotency_key;
pub mod job;
pub mod job_attempt;
pub mod job_edge;
pub mod job_section;
pub mod run_configuration;
pub mod source;
pub mod source_problem;
pub mod source_state;
pub mod user;
pub mod worker;
pub mod wrapper;
pub mod wrapper_job;
