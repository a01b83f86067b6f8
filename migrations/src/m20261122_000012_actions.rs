//! What people have Autosubmit do, and who may. Times are milliseconds since 1970-01-01 UTC, lengths bytes.
//!
//! An action is part of what is kept of its actor: it stays when the account goes. `lane` names what two actions on one
//! experiment cannot use at once; the index lets one of a lane be under way.

crate::dialect::migration!();

const UP: &str = r"
CREATE TABLE action (
    id {id},
    kind {text} NOT NULL,
    expid {text},
    lane {text} NOT NULL,
    profile {text} NOT NULL,
    arguments {text} NOT NULL,
    actor_id BIGINT NOT NULL,
    actor {text} NOT NULL,
    state {text} NOT NULL,
    requested_at BIGINT NOT NULL,
    began_at BIGINT,
    ended_at BIGINT,
    exit_code BIGINT,
    reason {text},
    message {text},
    cancel_requested_at BIGINT,
    cancel_requested_by {text},
    keeper {text},
    host {text},
    holder {text},
    lease_until BIGINT,
    output_bytes BIGINT NOT NULL,
    output_tail {text} NOT NULL
);
CREATE UNIQUE INDEX action_under_way ON action (expid, lane) WHERE state IN ('REQUESTED', 'RUNNING');
CREATE INDEX action_open ON action (state, id) WHERE state IN ('REQUESTED', 'RUNNING');
CREATE INDEX action_expid ON action (expid, id);
CREATE INDEX action_actor ON action (actor_id, id);
CREATE INDEX action_actor_expid ON action (expid, actor_id, id);

CREATE TABLE action_right (
    id {id},
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    experiments {text} NOT NULL,
    granted_at BIGINT NOT NULL,
    granted_by {text} NOT NULL,
    UNIQUE (user_id, kind, experiments)
)
";

/// What was made by these mutations is gone, and row ids begin again: a key that is kept, or an event, would tell of another
/// action. The places of the events in the log stay, since a log has no gaps; nobody hears of a topic without a name.
const DOWN: &str = r"
UPDATE event SET topic = '', subject = '', kind = '', payload = '{}', actor = NULL WHERE topic = 'action';
DELETE FROM idempotency_key WHERE mutation IN ('runExperiment', 'stopExperiment', 'createExperiment', 'createJobList', 'setJobStatus', 'updateExperimentDescription');
DROP TABLE action_right;
DROP TABLE action
";
