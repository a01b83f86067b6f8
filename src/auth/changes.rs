//! Events about accounts: who may do what has changed. They tell connections that are open to ask again whom they
//! serve, and administrators what was done. No secret and no personal data is in them.

use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::{Map, Value};

use crate::events::{self, NewEvent, Topic};

/// Tells in the transaction of the command what was done to an account.
pub(crate) async fn tell(
    transaction: &DatabaseTransaction,
    username: &str,
    kind: &'static str,
    actor: &str,
) -> Result<(), DbErr> {
    let event = NewEvent {
        topic: Topic::Account,
        subject: username.to_owned(),
        kind,
        payload: Value::Object(Map::new()),
        actor: Some(actor.to_owned()),
    };
    events::append(transaction, vec![event]).await?;
    Ok(())
}
