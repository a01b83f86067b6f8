//! Whatever is granted to whom, and in whatever way somebody asks: nothing is seen, counted, summed, reached or told of what
//! they may not search, nor that it is there.
//!
//! Every dataset has a word of its own in its name, README, tags, annotations, paths, overlays and content. No answer may hold
//! the word of a dataset in a base URI that whoever asks may not search, whatever else the answer says; and what it says is
//! compared with a plain reading of the rules ([`model`]).

mod commands;
mod listeners;
mod model;
mod questions;

use std::fs;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use self::listeners::Listeners;
use self::model::{Dataset, Model};
use super::fixture::item;
use super::{ADMIN, Register, info, uuid};
use crate::support::Lab;

on_both_databases!(nothing_is_reached_by_anybody);

/// Nothing at all is granted to the last one but what is granted to everybody.
const USERS: [&str; 4] = ["ada", "bob", "eve", ADMIN];
/// Two folders and two buckets.
const BASES: [&str; 4] = [
    "file://storage.example.org/srv/dtool/a",
    "file://storage.example.org/srv/dtool/b",
    "s3://cave",
    "s3://dock",
];
/// Where everybody may search: what is registered there shows that listeners have heard all that was before.
const OPEN: &str = "s3://open";
/// Words that several datasets have in their READMEs.
const WORDS: [&str; 4] = ["amber", "birch", "cedar", "delta"];
const TAGS: [&str; 3] = ["x", "y", "z"];
/// So many UUIDs there are for all datasets, so that some are copies; and some that nothing has.
const UUIDS: u64 = 7;
const PARENTS: u64 = 9;
const ROUNDS: usize = 30;
/// The item that every dataset has.
const ITEM: &str = "47ddfe38b8c66c0f9d98b9d802f220c84b4b30d4";

/// A register with its model.
struct World {
    register: Register,
    model: Model,
    random: StdRng,
    /// How many datasets were made: each has another word.
    made: u32,
}

impl World {
    fn any<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.random).expect("one")
    }

    fn maybe(&mut self) -> bool {
        self.random.random_bool(0.5)
    }

    /// A dataset at this place, with a word of its own.
    fn invent(&mut self, base: &'static str, place: u32) -> Dataset {
        self.made += 1;
        let mut parents: Vec<u64> = Vec::new();
        for _ in 0..self.random.random_range(0..3) {
            parents.push(self.random.random_range(0..PARENTS));
        }
        let tags = TAGS.into_iter().filter(|_| self.maybe()).collect();
        let words = WORDS.into_iter().filter(|_| self.maybe()).collect();
        Dataset {
            base,
            uri: format!("{base}/n{place}"),
            uuid: self.random.random_range(0..UUIDS),
            secret: format!("zq{}x", self.made),
            creator: self.any(&["alice", "carol"]),
            tags,
            words,
            parents,
            size: self.random.random_range(0..1_000),
            level: self.random.random_range(0..5),
        }
    }
}

/// The dataset as the client of dtool describes it.
fn described(dataset: &Dataset) -> Value {
    let place = dataset.uri.rsplit('/').next().expect("a name");
    let mut sent = info(dataset.base, place, dataset.uuid);
    sent["name"] = json!(dataset.secret);
    sent["creator_username"] = json!(dataset.creator);
    sent["readme"] = json!(dataset.readme());
    sent["tags"] = json!(dataset.all_tags());
    sent["annotations"] = dataset.annotations();
    sent["size_in_bytes"] = json!(dataset.size);
    sent["manifest"]["items"] = item(&format!("{}.txt", dataset.secret));
    sent
}

/// Writes the dataset into its folder.
fn write(lab: &Lab, dataset: &Dataset) {
    let path = dataset
        .uri
        .strip_prefix("file://storage.example.org/srv/")
        .expect("a folder");
    let folder = lab.path(path);
    let file = |name: &str, content: String| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("a file");
    };
    let sent = described(dataset);
    let mut manifest = sent["manifest"].clone();
    manifest["items"][ITEM]["size_in_bytes"] = json!(dataset.size);
    let admin = json!({
        "uuid": uuid(dataset.uuid), "name": dataset.secret, "type": "dataset", "dtoolcore_version": "3.19.0",
        "creator_username": dataset.creator, "created_at": 1_604_860_720.5, "frozen_at": 1_604_864_525.5,
    });
    // As long as its size says, and beginning with the word as far as there is room.
    let size = usize::try_from(dataset.size).expect("a size");
    let word = format!("{} ", dataset.secret);
    let content: String = word.chars().cycle().take(size).collect();
    file(&format!("data/{}.txt", dataset.secret), content);
    file("README.yml", dataset.readme());
    file(".dtool/manifest.json", manifest.to_string());
    let overlay = json!({ ITEM: dataset.secret });
    file(".dtool/overlays/about.json", overlay.to_string());
    for tag in dataset.all_tags() {
        file(&format!(".dtool/tags/{tag}"), String::new());
    }
    for (name, value) in dataset.annotations().as_object().expect("an object") {
        file(
            &format!(".dtool/annotations/{name}.json"),
            value.to_string(),
        );
    }
    file(".dtool/dtool", admin.to_string());
}

async fn nothing_is_reached_by_anybody(mut lab: Lab) {
    let seed = std::env::var("LABQL_TEST_SEED").ok();
    let seed = seed.map_or(26, |seed| seed.parse().expect("a number"));
    println!("seed {seed}");
    let path = lab.path("dtool");
    let folders = format!(
        r#"[{{uri="file://storage.example.org/srv/dtool",path="{}"}}]"#,
        path.display()
    );
    lab.set("LABQL_DATASETS__FOLDERS", folders);
    for folder in ["a", "b"] {
        fs::create_dir_all(path.join(folder)).expect("a folder");
    }
    let register = Register::open(lab, &USERS[..3]).await;
    let mut world = World {
        register,
        model: Model::default(),
        random: StdRng::seed_from_u64(seed),
        made: 0,
    };
    for base in BASES {
        world.register.base_uri(base, &[]).await;
    }
    let everybody = USERS.map(|user| (user, true, user == "ada"));
    world.register.base_uri(OPEN, &everybody).await;
    for base in &BASES[..2] {
        for place in 0..3 {
            let dataset = world.invent(base, place);
            write(&world.register.lab, &dataset);
            // One by one: an index takes them in no order.
            world
                .register
                .lab
                .done(&["dataset", "register", &dataset.uri]);
            world.model.register(dataset);
        }
        world.register.lab.done(&["index", base]);
    }
    for (user, base) in [("ada", BASES[0]), ("ada", BASES[2]), ("bob", BASES[1])] {
        world.register.grant(user, base, true, true).await;
        world.model.grants.insert((user, base), (true, true));
    }
    let mut listeners = Listeners::open(&world).await;
    for round in 0..ROUNDS {
        commands::one(&mut world).await;
        listeners.hear(&mut world).await;
        let reader = world.any(&USERS);
        questions::all(&mut world, reader).await;
        commands::forbidden(&mut world, reader).await;
        if round % 5 == 4 {
            listeners::come_back(&mut world, reader).await;
        }
    }
    for reader in USERS {
        questions::all(&mut world, reader).await;
        listeners::come_back(&mut world, reader).await;
    }
    let counts = &world.model.asked;
    println!("{counts:?}");
    // Something was seen and something was hidden.
    assert!(counts.seen > 20 && counts.hidden > 20, "{counts:?}");
}
