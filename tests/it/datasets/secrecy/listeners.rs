//! Those who listen all the time, and those who come back.

use rand::RngExt;
use serde_json::{Value, json};

use super::super::{Register, kind_and_uri};
use super::{ADMIN, OPEN, USERS, World, described};
use crate::support::Socket;

const UPDATES: &str = "subscription($filter: DatasetFilter, $after: String) {
    datasetUpdates(filter: $filter, after: $after) { cursor kind dataset {
        uri name tags annotations readme { text } copies { uri name } derivatives { uri name }
        derivedFrom { dataset { uri name } } lineage { nodes { dataset { uri name } } } manifest { items { nodes { relpath } } }
    } }
}";

/// One of everybody.
pub struct Listeners {
    sockets: Vec<(&'static str, Socket)>,
    /// How many changes all have heard of, or must not.
    told: usize,
    /// Where the log stood then, to come back to.
    cursors: Vec<(usize, Value)>,
}

async fn listen(register: &Register, who: &str, variables: Value) -> Socket {
    let mut socket = Socket::signed_in(&register.server, register.token(who)).await;
    let payload = json!({ "query": UPDATES, "variables": variables });
    socket
        .say(json!({ "type": "subscribe", "id": "1", "payload": payload }))
        .await;
    socket
}

async fn cursor(register: &Register) -> Value {
    let data = register.data(ADMIN, "{ eventCursor }", json!({})).await;
    data["eventCursor"].clone()
}

/// Kind and URI of the next update, which says nothing that it must not.
async fn next(world: &World, user: &'static str, socket: &mut Socket) -> (String, String) {
    let heard = socket.hear().await;
    world.model.check(user, "", &heard.to_string());
    kind_and_uri(&heard)
}

impl Listeners {
    pub async fn open(world: &World) -> Self {
        let from = cursor(&world.register).await;
        let mut sockets = Vec::new();
        for user in USERS {
            let variables = json!({ "after": from });
            sockets.push((user, listen(&world.register, user, variables).await));
        }
        Self {
            sockets,
            told: world.model.changes.len(),
            cursors: vec![(world.model.changes.len(), from)],
        }
    }

    /// All hear of what has changed since, by the rights that they have now, and of nothing else: a change that everybody may see
    /// comes after it.
    pub async fn hear(&mut self, world: &mut World) {
        let last = world.invent(OPEN, 0);
        world.register.registered("ada", &described(&last)).await;
        world.model.register(last);
        for (user, socket) in &mut self.sockets {
            for (kind, uri, base) in &world.model.changes[self.told..] {
                if world.model.may(user, base).0 {
                    let heard = next(world, user, socket).await;
                    assert_eq!(heard, ((*kind).to_owned(), uri.clone()), "{user}");
                }
            }
        }
        self.told = world.model.changes.len();
        self.cursors
            .push((self.told, cursor(&world.register).await));
        world.model.cursors.clone_from(&self.cursors);
    }
}

/// Somebody comes back with a cursor of before, and is told by the rights of now.
pub async fn come_back(world: &mut World, user: &'static str) {
    let (from, after) = if world.maybe() {
        (0, json!("beginning"))
    } else {
        let place = world.random.random_range(0..world.model.cursors.len());
        world.model.cursors[place].clone()
    };
    let mut socket = listen(&world.register, user, json!({ "after": after })).await;
    for (kind, uri, base) in &world.model.changes[from..] {
        if world.model.may(user, base).0 {
            let heard = next(world, user, &mut socket).await;
            assert_eq!(heard, ((*kind).to_owned(), uri.clone()), "{user}");
        }
    }
}
