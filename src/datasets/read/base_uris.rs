//! Base URIs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Reader;
use crate::auth::Viewer;
use crate::database::{Database, is_one_of};
use crate::entity::base_uri::{Column, Entity, Model};
use crate::entity::{base_uri_grant, user};
use crate::failure::Failure;
use crate::narrow::{self, Columns};
use crate::paging::{self, KeyKind, KeyValue, OrderPart, Ordering, Page, Slice};

/// Base URIs by their texts, for pages.
pub fn by_uri() -> Ordering {
    Ordering {
        tag: "baseUris".into(),
        parts: vec![OrderPart {
            sql: "uri",
            kind: KeyKind::Text,
            descending: false,
        }],
    }
}

/// The key of a base URI.
pub fn key(row: &Model) -> Vec<KeyValue> {
    vec![KeyValue::Text(row.uri.clone())]
}

/// Those that the viewer may know of: an administrator all, since they manage them; others those that they may search or
/// register at.
fn known_to(viewer: &Viewer) -> Condition {
    use base_uri_grant::Column::{BaseUriId, UserId};
    if viewer.user.as_ref().is_some_and(|user| user.is_admin) {
        return Condition::all();
    }
    let user = Reader::of(viewer).user().unwrap_or(-1);
    let granted = sea_orm::sea_query::Query::select()
        .column(BaseUriId)
        .from(base_uri_grant::Entity)
        .and_where(UserId.eq(user))
        .to_owned();
    Condition::all().add(Column::Id.in_subquery(granted))
}

/// A page of the base URIs that the viewer may know of.
pub async fn page(
    database: &Database,
    viewer: &Viewer,
    page: &Page,
) -> Result<Slice<Arc<Model>>, Failure> {
    let (condition, columns) = (known_to(viewer), Columns::all());
    Ok(paging::fetch::<Entity>(database, condition, columns, &by_uri(), page).await?)
}

/// How many base URIs the viewer may know of.
pub async fn count(database: &Database, viewer: &Viewer) -> Result<u64, Failure> {
    let known = Entity::find().filter(known_to(viewer));
    Ok(known.count(database.read()).await?)
}

/// The base URI of this text, if the viewer may know of it.
pub async fn by_text(
    database: &Database,
    viewer: &Viewer,
    uri: &str,
) -> Result<Option<Arc<Model>>, Failure> {
    if uri.contains('\0') {
        return Ok(None);
    }
    let condition = known_to(viewer).add(Column::Uri.eq(uri));
    let found = narrow::find::<Entity>(database, condition, Columns::all());
    Ok(found.await?.pop())
}

/// What somebody may do at a base URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserGrant {
    /// Who.
    pub username: String,
    /// May find and read its datasets.
    pub can_search: bool,
    /// May register datasets there.
    pub can_register: bool,
}

/// Who may do what at each of these base URIs, by name. An administrator sees the grants of all, others their own.
pub async fn grants(
    database: &Database,
    viewer: &Viewer,
    base_uris: &[i64],
) -> Result<HashMap<i64, Vec<UserGrant>>, Failure> {
    use base_uri_grant::Column::{BaseUriId, UserId};
    let mut query = base_uri_grant::Entity::find()
        .find_also_related(user::Entity)
        .filter(is_one_of(database, BaseUriId.as_column_ref(), base_uris))
        .order_by_asc(user::Column::Username);
    if !viewer.user.as_ref().is_some_and(|user| user.is_admin) {
        query = query.filter(UserId.eq(Reader::of(viewer).user().unwrap_or(-1)));
    }
    let mut grants: HashMap<i64, Vec<UserGrant>> = HashMap::new();
    for (grant, user) in query.all(database.read()).await? {
        let Some(user) = user else { continue };
        let of = grants.entry(grant.base_uri_id).or_default();
        of.push(UserGrant {
            username: user.username,
            can_search: grant.can_search,
            can_register: grant.can_register,
        });
    }
    Ok(grants)
}

/// May this reader search the base URI with this row id?
pub async fn may_search(
    database: &Database,
    reader: Reader,
    base_uri: i64,
) -> Result<bool, Failure> {
    let found = searchable(database, reader, &[base_uri]).await?;
    Ok(found.contains(&base_uri))
}

/// Which of these base URIs this reader may search.
pub async fn searchable(
    database: &Database,
    reader: Reader,
    base_uris: &[i64],
) -> Result<HashSet<i64>, Failure> {
    let ids: Vec<i64> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(is_one_of(database, Column::Id.as_column_ref(), base_uris))
        .filter(Column::Id.in_subquery(reader.searchable()))
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(ids.into_iter().collect())
}

/// At which of these base URIs something is granted to this reader.
pub async fn granted(
    database: &Database,
    reader: Reader,
    base_uris: &[i64],
) -> Result<HashSet<i64>, Failure> {
    use base_uri_grant::Column::{BaseUriId, UserId};
    let Some(user) = reader.user() else {
        return Ok(HashSet::new());
    };
    let ids: Vec<i64> = base_uri_grant::Entity::find()
        .select_only()
        .column(BaseUriId)
        .filter(UserId.eq(user))
        .filter(is_one_of(database, BaseUriId.as_column_ref(), base_uris))
        .into_tuple()
        .all(database.read())
        .await?;
    Ok(ids.into_iter().collect())
}
