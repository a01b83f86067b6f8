//! Who reads datasets.

use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, IdenStatic};

use crate::auth::Viewer;
use crate::entity::{base_uri, base_uri_grant, dataset};

/// Somebody who reads datasets: what they may see hangs on the grants of their account alone. An administrator is a reader
/// like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reader {
    /// The row of the account; who has none sees nothing.
    user: Option<i64>,
    /// Whether it is labql itself.
    is_labql: bool,
}

impl Reader {
    /// The viewer as a reader.
    pub fn of(viewer: &Viewer) -> Self {
        Self {
            user: viewer.user.as_ref().and_then(|user| user.id),
            is_labql: false,
        }
    }

    /// labql as a command of whoever has its configuration, and by that its database: it sees all.
    pub fn labql() -> Self {
        Self {
            user: None,
            is_labql: true,
        }
    }

    /// The account.
    pub fn user(self) -> Option<i64> {
        self.user
    }

    /// The condition on rows of `dataset` that every statement has which reads them for somebody: they may search there.
    pub fn may_see(self) -> SimpleExpr {
        base_uri_of_row().in_subquery(self.searchable())
    }

    /// The ids of the base URIs that they may search.
    pub fn searchable(self) -> SelectStatement {
        use base_uri_grant::Column::{BaseUriId, CanSearch, UserId};
        if self.is_labql {
            return Query::select()
                .column(base_uri::Column::Id)
                .from(base_uri::Entity)
                .to_owned();
        }
        // No row has this id.
        let user = self.user.unwrap_or(-1);
        Query::select()
            .column(BaseUriId)
            .from(base_uri_grant::Entity)
            .and_where(UserId.eq(user))
            .and_where(CanSearch.eq(true))
            .to_owned()
    }

    /// The same as text, for statements that are written as such; the first value of these is the account, or -1.
    pub(in crate::datasets) fn searchable_sql(self) -> &'static str {
        if self.is_labql {
            "SELECT id FROM base_uri WHERE CAST($1 AS BIGINT) = -1"
        } else {
            "SELECT base_uri_id FROM base_uri_grant WHERE user_id = $1 AND can_search"
        }
    }
}

/// The id of the base URI of a row of `dataset`, as an expression that no index has.
///
/// The sign keeps both databases from looking rows up by it: most readers may see most datasets, and the index that has the
/// rows in the order of a page is the one to take.
pub(super) fn base_uri_of_row() -> SimpleExpr {
    let column = dataset::Column::BaseUriId.as_str();
    Expr::cust(format!("+\"dataset\".\"{column}\""))
}
