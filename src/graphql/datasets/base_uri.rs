//! The type `BaseUri`.

use std::sync::Arc;

use async_graphql::{Context, Result};
use chrono::{DateTime, Utc};
use macros::row;

use crate::datasets::read::{Reader, base_uris};
use crate::datasets::sync::{self, IndexReport};
use crate::entity::base_uri;
use crate::graphql::accounts::BaseUriGrant;
use crate::graphql::connection::connection;
use crate::graphql::context::{ContextExt, failed};
use crate::graphql::number::count;
use crate::graphql::rows::Rows;
use crate::time::from_millis;

/// What datasets lie in: a folder or a bucket. Who may do what with them is granted by administrators.
#[derive(Clone)]
pub struct BaseUri(pub Arc<base_uri::Model>);

connection!(
    BaseUriConnection,
    BaseUriEdge,
    BaseUri,
    "A page of base URIs.",
    "A base URI in a page."
);

/// What datasets lie in: a folder or a bucket. Who may do what with them is granted by administrators.
#[row]
impl BaseUri {
    /// The URI, without a slash at the end.
    fn uri(&self) -> &str {
        &self.0.uri
    }

    /// When it was registered.
    fn created_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.0.created_at)
    }

    /// When it was last read as a whole; null: not yet.
    fn indexed_at(&self) -> Option<DateTime<Utc>> {
        self.0.indexed_at.and_then(from_millis)
    }

    /// How many datasets are registered there; null: you may not search there. (An administrator manages base URIs, and
    /// reads no datasets by that.)
    async fn dataset_count(
        base_uris: &[BaseUri],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&BaseUri) -> Option<i32>> {
        let ids: Vec<i64> = base_uris.iter().map(|it| it.0.id).collect();
        let reader = Reader::of(ctx.viewer()?);
        let searchable = base_uris::searchable(ctx.database()?, reader, &ids).await;
        let searchable = searchable.map_err(failed)?;
        Ok(move |base_uri: &BaseUri| {
            let row = &base_uri.0;
            searchable
                .contains(&row.id)
                .then(|| count(row.dataset_count))
        })
    }

    /// How the datasets there were read last, or how far that is; null: they were not, or you may neither search nor register
    /// there.
    async fn last_index(
        base_uris: &[BaseUri],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&BaseUri) -> Option<BaseUriIndex>> {
        let ids: Vec<i64> = base_uris.iter().map(|it| it.0.id).collect();
        let reader = Reader::of(ctx.viewer()?);
        let granted = base_uris::granted(ctx.database()?, reader, &ids).await;
        let granted = granted.map_err(failed)?;
        Ok(move |base_uri: &BaseUri| {
            let report = base_uri.0.last_index.as_deref();
            let report = report.filter(|_| granted.contains(&base_uri.0.id))?;
            IndexReport::from_json(report).map(BaseUriIndex)
        })
    }

    /// Who may do what there: of all users, if you are an administrator, else of you.
    async fn grants(
        base_uris: &[BaseUri],
        ctx: &Context<'_>,
    ) -> Result<impl Fn(&BaseUri) -> Vec<BaseUriGrant>> {
        let ids: Vec<i64> = base_uris.iter().map(|it| it.0.id).collect();
        let found = base_uris::grants(ctx.database()?, ctx.viewer()?, &ids).await;
        let found = found.map_err(failed)?;
        ctx.charge(found.values().map(Vec::len).sum())?;
        Ok(move |base_uri: &BaseUri| {
            let grants = found.get(&base_uri.0.id).into_iter().flatten();
            let grant = |grant: &base_uris::UserGrant| BaseUriGrant {
                username: grant.username.clone(),
                base_uri: base_uri.0.uri.clone(),
                can_search: grant.can_search,
                can_register: grant.can_register,
            };
            grants.map(grant).collect()
        })
    }
}

/// How the datasets of a base URI were read last, or how far that is.
pub struct BaseUriIndex(IndexReport);

/// How the datasets of a base URI were read last, or how far that is.
#[row]
impl BaseUriIndex {
    /// When it began.
    fn started_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.0.started_at)
    }

    /// When it was last heard of. What has not ended and has not been heard of for a minute goes on no more.
    fn updated_at(&self) -> Option<DateTime<Utc>> {
        from_millis(self.0.updated_at)
    }

    /// When it ended; null: it has not.
    fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at.and_then(from_millis)
    }

    /// Has it ended, and could all of the base URI be looked through? If not, what is gone may still be registered.
    fn complete(&self) -> bool {
        self.0.complete
    }

    /// Datasets that were new in the register.
    fn registered(&self) -> i32 {
        count(self.0.registered)
    }

    /// Datasets that had changed, and were read anew.
    fn updated(&self) -> i32 {
        count(self.0.updated)
    }

    /// Datasets that had not changed, and were not read.
    fn unchanged(&self) -> i32 {
        count(self.0.unchanged)
    }

    /// Datasets that were gone, and were taken out of the register.
    fn removed(&self) -> i32 {
        count(self.0.removed)
    }

    /// How many things could not be read.
    fn problem_count(&self) -> i32 {
        count(self.0.problem_count)
    }

    /// The first 100 of them.
    fn problems(&self) -> Rows<IndexProblem> {
        self.0.problems.iter().cloned().map(IndexProblem).collect()
    }
}

/// Something in a base URI that could not be read.
#[derive(Clone)]
pub struct IndexProblem(pub sync::IndexProblem);

/// Something in a base URI that could not be read.
#[row]
impl IndexProblem {
    /// With what: the base URI or a dataset, perhaps followed by the path of a file in it.
    fn source(&self) -> &str {
        &self.0.source
    }

    /// What is wrong with it.
    fn message(&self) -> &str {
        &self.0.message
    }
}
