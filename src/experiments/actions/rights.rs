//! Who may have Autosubmit do what. Each right is granted by an administrator, none is implied: not by another right, and
//! not by being an administrator.

use chrono::Utc;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Order, Query, SimpleExpr};
use sea_orm::{ActiveValue::NotSet, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use sea_orm::{QueryOrder, QuerySelect, Set};

use super::ActionKind;
use super::state::ActionState;
use crate::auth::accounts;
use crate::auth::changes::tell;
use crate::database::Database;
use crate::entity::action_right::{ActiveModel, Column, Entity, Model};
use crate::entity::{action, experiment, user};
use crate::failure::{Failure, RejectionCode};
use crate::time::Millis;

/// The longest pattern of expids, and the most wildcards in it.
const LONGEST: usize = 64;
const MOST_WILDCARDS: usize = 4;

/// A right in a grant: an action, and the experiments on which it may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// What may be done.
    pub kind: ActionKind,
    /// A pattern of expids, in which `*` stands for anything; none: the user's own experiments, which Autosubmit knows
    /// under the username or labql made for the user. To make an experiment, it says nothing.
    pub experiments: Option<String>,
}

impl Right {
    fn check(&self) -> Result<(), Failure> {
        let Some(pattern) = &self.experiments else {
            return Ok(());
        };
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '*';
        let wildcards = pattern.matches('*').count();
        if pattern.is_empty()
            || pattern.len() > LONGEST
            || wildcards > MOST_WILDCARDS
            || !pattern.chars().all(known)
        {
            return Err(Failure::bad_input(
                "experiments",
                format!(
                    "a pattern of expids has 1 to {LONGEST} small letters, digits and `*`, of these at most \
                     {MOST_WILDCARDS}"
                ),
            ));
        }
        if self.kind == ActionKind::Create {
            return Err(Failure::bad_input(
                "experiments",
                "an experiment that is yet to be made has no expid: leave this out",
            ));
        }
        Ok(())
    }

    fn stored(&self) -> String {
        self.experiments.clone().unwrap_or_default()
    }
}

/// Gives a user a right; once more is no error. True: it is new.
pub async fn grant(
    database: &Database,
    actor: &str,
    username: &str,
    right: &Right,
) -> Result<user::Model, Failure> {
    right.check()?;
    let transaction = database.begin().await?;
    let user = find_user(&transaction, username).await?;
    let row = ActiveModel {
        id: NotSet,
        user_id: Set(user.id),
        kind: Set(right.kind.as_str().to_owned()),
        experiments: Set(right.stored()),
        granted_at: Set(Utc::now().millis()),
        granted_by: Set(actor.to_owned()),
    };
    let unique = [Column::UserId, Column::Kind, Column::Experiments];
    let new = Entity::insert(row)
        .on_conflict(OnConflict::columns(unique).do_nothing().to_owned())
        .exec_without_returning(&transaction)
        .await?;
    if new > 0 {
        tell(&transaction, username, "action-right-granted", actor).await?;
        tracing::info!(
            actor,
            user = username,
            kind = right.kind.as_str(),
            "granted a right to act"
        );
    }
    transaction.commit().await?;
    Ok(user)
}

/// Takes a right away; one that is not there is no error. What has begun goes on.
pub async fn revoke(
    database: &Database,
    actor: &str,
    username: &str,
    right: &Right,
) -> Result<user::Model, Failure> {
    let transaction = database.begin().await?;
    let user = find_user(&transaction, username).await?;
    let gone = Entity::delete_many()
        .filter(Column::UserId.eq(user.id))
        .filter(Column::Kind.eq(right.kind.as_str()))
        .filter(Column::Experiments.eq(right.stored().replace('\0', "")))
        .exec(&transaction)
        .await?;
    if gone.rows_affected > 0 {
        tell(&transaction, username, "action-right-revoked", actor).await?;
        tracing::info!(
            actor,
            user = username,
            kind = right.kind.as_str(),
            "took a right to act"
        );
    }
    transaction.commit().await?;
    Ok(user)
}

async fn find_user(
    connection: &impl ConnectionTrait,
    username: &str,
) -> Result<user::Model, Failure> {
    let unknown = || {
        let message = "there is no such user";
        Failure::rejected(RejectionCode::NotFound, Some("username"), message)
    };
    let found = accounts::user_by_name(connection, username).await?;
    found.ok_or_else(unknown)
}

/// The rights of these users, by kind.
pub async fn of_users(database: &Database, users: &[i64]) -> Result<Vec<Model>, Failure> {
    Ok(Entity::find()
        .filter(Column::UserId.is_in(users.iter().copied()))
        .order_by_asc(Column::Kind)
        .order_by_asc(Column::Experiments)
        .all(database.read())
        .await?)
}

/// An experiment, as far as rights ask for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub expid: &'a str,
    pub owner: Option<&'a str>,
}

impl<'a> Subject<'a> {
    pub fn of(row: &'a experiment::Model) -> Self {
        Self {
            expid: &row.expid,
            owner: row.owner.as_deref(),
        }
    }
}

/// May this user do this to the experiment; to none: make one?
pub(super) async fn allows(
    connection: &impl ConnectionTrait,
    user_id: i64,
    username: &str,
    kind: ActionKind,
    experiment: Option<Subject<'_>>,
) -> Result<bool, DbErr> {
    let made = match experiment {
        Some(experiment) => maker(experiment.expid).eq(user_id),
        None => Expr::val(false),
    };
    let rights: Vec<(String, Option<bool>)> = Entity::find()
        .select_only()
        .column(Column::Experiments)
        .column_as(made, "made")
        .filter(Column::UserId.eq(user_id))
        .filter(Column::Kind.eq(kind.as_str()))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rights.iter().any(|(pattern, made)| {
        let made = made.unwrap_or_default();
        covers(pattern, username, made, experiment)
    }))
}

/// The row id of the user for whom labql made an experiment; null: nobody, or that is not kept any more. Autosubmit knows
/// such an experiment under labql's account. Its expid may be given out again after it was deleted: the last one counts.
fn maker(expid: &str) -> SimpleExpr {
    use action::Column as Made;
    let user = Query::select()
        .column((action::Entity, Made::ActorId))
        .from(action::Entity)
        .and_where(Made::Expid.eq(expid))
        .and_where(Made::Kind.eq(ActionKind::Create.as_str()))
        .and_where(Made::State.eq(ActionState::Succeeded.as_str()))
        .order_by((action::Entity, Made::Id), Order::Desc)
        .limit(1)
        .take();
    SimpleExpr::SubQuery(None, Box::new(user.into()))
}

fn covers(pattern: &str, username: &str, made: bool, experiment: Option<Subject<'_>>) -> bool {
    match experiment {
        None => true,
        Some(experiment) if pattern.is_empty() => made || experiment.owner == Some(username),
        Some(experiment) => matches(pattern, experiment.expid),
    }
}

/// Does the whole text match? `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        // The first place is the best: it leaves the most for what follows.
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_expids() {
        for (pattern, yes, no) in [
            ("a000", &["a000"][..], &["a0000", "ba000", ""][..]),
            ("*", &["a000", "t123"], &[]),
            ("a*", &["a000", "a"], &["b000"]),
            ("*0", &["a000", "0"], &["a001"]),
            ("a*0*1", &["a001", "a0x1"], &["a100", "a01x", "a1"]),
        ] {
            for expid in yes {
                assert!(matches(pattern, expid), "{pattern} {expid}");
            }
            for expid in no {
                assert!(!matches(pattern, expid), "{pattern} {expid}");
            }
        }
    }

    #[test]
    fn a_right_to_ones_own_is_none_to_those_of_others() {
        let of = |owner| {
            Some(Subject {
                expid: "a000",
                owner,
            })
        };
        assert!(covers("", "ada", false, of(Some("ada"))));
        assert!(!covers("", "ada", false, of(Some("bob"))));
        assert!(!covers("", "ada", false, of(None)));
        assert!(covers("", "ada", true, of(Some("labql"))));
        assert!(covers("a*", "ada", false, of(None)));
        assert!(!covers("b*", "ada", true, of(None)));
        assert!(covers("", "ada", false, None));
    }

    #[test]
    fn hostile_patterns_are_refused() {
        for pattern in ["", "A000", "a b", "%", "a\0", "*****", "a'"] {
            let right = Right {
                kind: ActionKind::Run,
                experiments: Some(pattern.to_owned()),
            };
            assert!(right.check().is_err(), "{pattern:?}");
        }
    }
}
