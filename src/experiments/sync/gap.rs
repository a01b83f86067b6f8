//! What is gone for a moment. Autosubmit replaces some things in two steps: it deletes the row of a pickle (on a server), or
//! the edges of a structure, commits, and inserts them anew. Who looks in between sees an experiment without jobs, or
//! without dependencies. So where there had been some, what is mirrored is kept, with a problem that says so, and is
//! looked at again; what is still gone after a while is gone.

use std::collections::HashSet;

use chrono::{TimeDelta, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use crate::entity::{experiment, job_edge, source_problem};
use crate::experiments::readers::{ExperimentRecord, JobListForm, Part, Problem, Root, SourceFile};
use crate::time::Millis;

/// How long a gap lasts at most.
const PATIENCE: TimeDelta = TimeDelta::minutes(1);

/// What is mirrored of an experiment.
#[derive(Clone, Debug, Default)]
pub struct Mirrored {
    jobs: bool,
    edges: bool,
    /// Its problems that are older than any gap: where they are, and what.
    lasting: HashSet<(String, String)>,
}

impl Mirrored {
    /// What is mirrored of this experiment.
    pub async fn of(
        connection: &impl ConnectionTrait,
        row: &experiment::Model,
    ) -> Result<Self, DbErr> {
        use source_problem::Column;
        let jobs = row.job_counts != "{}";
        if !jobs {
            return Ok(Self::default());
        }
        let edge: Option<i64> = job_edge::Entity::find()
            .select_only()
            .column(job_edge::Column::ParentId)
            .filter(job_edge::Column::ExperimentId.eq(row.id))
            .limit(1)
            .into_tuple()
            .one(connection)
            .await?;
        let lasting = source_problem::Entity::find()
            .select_only()
            .columns([Column::Path, Column::Message])
            .filter(Column::SourceId.eq(row.source_id))
            .filter(Column::Owner.eq(row.expid.as_str()))
            .filter(Column::FirstSeenAt.lte((Utc::now() - PATIENCE).millis()))
            .into_tuple()
            .all(connection)
            .await?;
        Ok(Self {
            jobs,
            edges: edge.is_some(),
            lasting: lasting.into_iter().collect(),
        })
    }

    /// Makes what is gone from a record, and had not been, unknown.
    pub fn bridge(&self, root: &Root, record: &mut ExperimentRecord) {
        if let Some(problem) = record.absent_list.take() {
            let passing = self.jobs && !self.lasts(&problem);
            record.problems.push(if passing {
                problem.transient()
            } else {
                problem
            });
        }
        let Some(list) = &record.job_list else { return };
        let of_list = match list.form {
            JobListForm::Sqlite => SourceFile::JobListDatabase,
            _ => SourceFile::JobListPickle,
        };
        if self.jobs && list.jobs.is_empty() {
            let problem = gone(root, record, of_list, "jobs");
            if !self.lasts(&problem) {
                record.job_list = None;
                record.problems.push(problem);
            }
            return;
        }
        let no_edges = matches!(&record.edges, Part::Present(edges) if edges.is_empty());
        if self.edges && no_edges {
            let of_edges = match of_list {
                SourceFile::JobListDatabase => of_list,
                _ => SourceFile::Structure,
            };
            let problem = gone(root, record, of_edges, "dependencies");
            if !self.lasts(&problem) {
                record.edges = Part::Broken;
                record.problems.push(problem);
            }
        }
    }

    fn lasts(&self, problem: &Problem) -> bool {
        let problem = (problem.source.clone(), problem.message.clone());
        self.lasting.contains(&problem)
    }
}

fn gone(root: &Root, record: &ExperimentRecord, source: SourceFile, what: &str) -> Problem {
    let name = root.name_of(source, &record.expid);
    let message = format_args!("there are no {what} just now, where there were some");
    Problem::new(name, message).transient()
}
