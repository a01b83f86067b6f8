//! Datasets by the hundred thousand, the same for the same seed, written as an index writes them: with their items, tags,
//! links, values and words.

use std::collections::{BTreeMap, BTreeSet};

use labql::auth::accounts;
use labql::database::Database;
use labql::datasets::document::{Document, Item, Manifest};
use labql::datasets::readers::parse_readme;
use labql::datasets::write::{Before, Derived, base_uris, store};
use labql::failure::Failure;
use sea_orm::{ConnectionTrait, DatabaseBackend};
use serde_json::{Map, Value, json};

/// How many datasets are written in one transaction.
const BATCH: u64 = 500;

/// The base URIs, how many of a hundred datasets lie there, and who of [`USERS`] may search there.
pub const BASE_URIS: [(&str, u64, &[usize]); 5] = [
    ("s3://climate", 55, &[0, 1]),
    ("s3://imaging", 25, &[0, 2]),
    ("file://store/genomes", 12, &[0, 1, 2]),
    ("smb://archive/old", 6, &[0]),
    // Nobody may search here: what is read past.
    ("s3://private", 2, &[]),
];

/// The first may search nearly everywhere, the others at two places each.
pub const USERS: [&str; 3] = ["ada", "grace", "mary"];

const WORDS: [&str; 32] = [
    "ocean", "warm", "figure", "protein", "chunk", "wave", "sediment", "aerosol", "column",
    "noise", "sample", "tracer", "river", "salinity", "grid", "lattice", "phase", "plasma",
    "genome", "reads", "assembly", "sensor", "camera", "exposure", "spectrum", "filter", "cloud",
    "glacier", "soil", "turbine", "polymer", "catalyst",
];
const TAGS: [&str; 12] = [
    "raw",
    "processed",
    "published",
    "draft",
    "climate",
    "imaging",
    "genomics",
    "simulation",
    "checked",
    "public",
    "old",
    "pilot",
];

/// How many, and from which seed.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub datasets: u64,
    pub items: u64,
    pub seed: u64,
}

/// Writes the datasets into an empty register, and gives [`USERS`], who must be there, their grants.
pub async fn fill(database: &Database, plan: Plan) -> Result<(), Failure> {
    let mut ids = Vec::new();
    for (uri, _, users) in BASE_URIS {
        let (row, _) = base_uris::register(database, uri).await?;
        ids.push(row.id);
        for user in users {
            accounts::set_grant(database, "generator", USERS[*user], uri, true, *user == 0).await?;
        }
    }
    let mut number = 0;
    while number < plan.datasets {
        let transaction = database.begin().await?;
        let end = (number + BATCH).min(plan.datasets);
        for number in number..end {
            let (base_uri, document) = document(plan, number);
            store(
                &transaction,
                &document,
                &Derived::of(&document),
                ids[base_uri],
                None,
                Some("generated"),
                &Before::Any,
            )
            .await?;
        }
        transaction.commit().await?;
        number = end;
    }
    // As autovacuum does, and labql when it closes SQLite.
    let count = match database.backend() {
        DatabaseBackend::Postgres => "VACUUM (ANALYZE)",
        _ => "ANALYZE",
    };
    database.write().execute_unprepared(count).await?;
    Ok(())
}

/// A dataset, and at which of [`BASE_URIS`] it lies.
///
/// Seven of ten were derived from an earlier one, near or far; one of twenty is a copy, elsewhere, of one before it. The
/// annotation `sample` and the tag `batch-…` tell few apart, the others many.
pub fn document(plan: Plan, number: u64) -> (usize, Document) {
    let mut dice = Dice::new(plan.seed, number);
    let copied = (number > 100 && dice.one_in(20)).then(|| number - 1 - dice.below(100));
    let uuid = uuid(plan.seed, copied.unwrap_or(number));
    let place = dice.below(100);
    let mut share = 0;
    let base_uri = BASE_URIS.iter().position(|(_, of_hundred, _)| {
        share += of_hundred;
        place < share
    });
    let base_uri = base_uri.unwrap_or_default();
    let base = BASE_URIS[base_uri].0;
    let name = format!("{}-{}-{number:06}", dice.word(), dice.word());
    // A few people make most.
    let creator = dice.below(200) * dice.below(200) / 200;
    let created_at = 1_500_000_000_000_000 + i64_of(dice.below(200_000_000)) * 1_000_000;
    let mut tags: BTreeSet<String> = (0..dice.below(5))
        .map(|_| TAGS[index(dice.below(TAGS.len() as u64) * dice.below(100) / 100)].to_owned())
        .collect();
    tags.insert(format!("batch-{}", number / 50));
    let sentence = |dice: &mut Dice, words| {
        (0..words)
            .map(|_| dice.word())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut readme = format!(
        "---\ndescription: {}\nproject: {}\nsample_id: {number}\nowners:\n  - name: creator{creator}\n    email: creator{creator}@lab.example\n",
        sentence(&mut dice, 30),
        dice.word(),
    );
    if number > 0 && !dice.one_in(3) {
        let reach = if dice.one_in(4) {
            number
        } else {
            number.min(50)
        };
        let parent = number - 1 - dice.below(reach);
        readme.push_str(&format!(
            "derived_from:\n  - uuid: {}\n",
            self::uuid(plan.seed, parent)
        ));
    }
    let phase = ["liquid", "solid", "gas"][index(dice.below(3))];
    let annotations = json!({
        "sample": number,
        "temperature": dice.below(400),
        "phase": phase,
        "settings": { "steps": dice.below(1_000), "is_final": dice.one_in(2) },
    });
    let mut items: Vec<Item> = (0..plan.items)
        .map(|item| Item {
            identifier: dice.hex(40),
            relpath: format!("{}/{}_{item:03}.nc", dice.word(), dice.word()),
            hash: dice.hex(32),
            size_bytes: i64_of(dice.below(50_000_000)),
            modified_at: created_at + i64_of(item),
        })
        .collect();
    items.sort_by(|left, right| left.identifier.cmp(&right.identifier));
    let overlays = dice.one_in(10).then(|| {
        let checked = items.iter().map(|item| {
            (
                item.identifier.clone(),
                Value::from(item.size_bytes % 2 == 0),
            )
        });
        ("is_checked".to_owned(), checked.collect::<Map<_, _>>())
    });
    let manifest = Manifest {
        dtoolcore_version: Some("3.19.0".to_owned()),
        hash_function: Some("md5sum_hexdigest".to_owned()),
        items,
    };
    let document = Document {
        uri: format!("{base}/{name}"),
        base_uri: base.to_owned(),
        uuid,
        name,
        creator_username: format!("creator{creator}"),
        created_at: Some(created_at),
        frozen_at: Some(created_at + i64_of(dice.below(86_400)) * 1_000_000),
        dtoolcore_version: Some("3.19.0".to_owned()),
        readme: parse_readme(readme),
        annotations: annotations.as_object().cloned().unwrap_or_default(),
        tags,
        item_count: Some(manifest.item_count()),
        size_bytes: Some(manifest.size_bytes()),
        manifest: Some(manifest),
        overlays: overlays.into_iter().collect::<BTreeMap<_, _>>(),
    };
    (base_uri, document)
}

fn uuid(seed: u64, number: u64) -> String {
    format!(
        "{:08x}-0000-4000-8000-{number:012x}",
        Dice::new(seed ^ 1, number).below(1 << 32)
    )
}

fn i64_of(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// `SplitMix64`: few lines, and the same numbers whatever version of whatever crate.
struct Dice(u64);

impl Dice {
    fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed);
        Self(dice.next() ^ number.wrapping_mul(0xd129_0d3b_9c1a_94a5))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    fn word(&mut self) -> &'static str {
        WORDS[index(self.below(WORDS.len() as u64))]
    }

    fn hex(&mut self, digits: usize) -> String {
        let mut text = String::with_capacity(digits + 16);
        while text.len() < digits {
            text.push_str(&format!("{:016x}", self.next()));
        }
        text.truncate(digits);
        text
    }
}
