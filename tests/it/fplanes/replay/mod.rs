//! Whatever is told of a focal plane, in whatever order: at each instant, by what was known at any time, it is what a plain reading
//! of all that was told by then says ([`model`]).
//!
//! Messages, files, lists and corrections of few slots and instants are told over HTTP, many of them late, some twice, some only
//! to see what they would do. After each the plane is asked for at all instants at which it can become otherwise and beside
//! them, so the ends of the times for which planes hold are looked at from both sides; and the rows are looked at, of which
//! none may go, change or overlap another. In the end all is asked for again as it was known after each command and just before.

mod commands;
mod looks;
mod model;
mod rows;
mod texts;

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use labql::database::Database;
use labql::entity::{fplane_head, fplane_record};
use labql::fplanes::model::{Claims, Layer};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use self::commands::{Command, Told};
use self::model::Naive;
use super::site::{Site, kept, lines, micros};
use crate::support::Lab;

on_both_databases!(planes_are_what_was_told);

const SEQUENCES: u64 = 24;
const COMMANDS: usize = 15;

/// How often what was done.
#[derive(Debug, Default)]
struct Counts {
    kept: u32,
    dry: u32,
    repeated: u32,
    refused: u32,
    late: u32,
    compared: u32,
}

/// One focal plane, with what is known of it.
struct World<'a> {
    site: &'a Site,
    database: &'a Database,
    random: StdRng,
    naive: Naive,
    /// What was told, by its keys.
    told: HashSet<String>,
    newest: Option<String>,
    past: Vec<Command>,
    /// What was known since when.
    known: Vec<(DateTime<Utc>, Naive)>,
    rows: BTreeMap<i64, fplane_record::Model>,
    counts: &'a mut Counts,
}

async fn planes_are_what_was_told(mut lab: Lab) {
    let seed = std::env::var("LABQL_TEST_SEED").ok();
    let seed: u64 = seed.map_or(7, |seed| seed.parse().expect("a number"));
    println!("seed {seed}");
    lab.set("LABQL_FPLANES__NIGHT_ZONE", "UTC");
    let site = Site::of_any_age(lab).await;
    let database = site.lab.database().await;
    let mut counts = Counts::default();
    for sequence in 0..SEQUENCES {
        println!("sequence {sequence}");
        rows::forget(&database).await;
        let mut world = World {
            site: &site,
            database: &database,
            random: StdRng::seed_from_u64(seed * 1_000 + sequence),
            naive: Naive::default(),
            told: HashSet::new(),
            newest: None,
            past: Vec::new(),
            known: Vec::new(),
            rows: BTreeMap::new(),
            counts: &mut counts,
        };
        for _ in 0..COMMANDS {
            world.command().await;
            world.look(None, &world.naive.clone()).await;
            rows::check(world.database, &mut world.rows).await;
        }
        world.look_back().await;
    }
    println!("{counts:?}");
    // All of it happened.
    let Counts {
        kept,
        dry,
        repeated,
        refused,
        late,
        ..
    } = counts;
    assert!(
        kept > 150 && dry > 20 && repeated > 10 && refused > 0 && late > 20,
        "{counts:?}"
    );
}

/// Has a model hear what was told.
fn hear(naive: &mut Naive, told: &Told) {
    if told.is_correction {
        naive.correct(told.at, told.until, &told.claims);
    } else {
        let (is_file, is_table) = (
            told.key.starts_with("file "),
            told.key.starts_with("night "),
        );
        let mut claims = told.claims.clone();
        if is_file || is_table {
            naive.complete(told.at, &mut claims, is_table);
        }
        naive.claim(told.at, &claims);
    }
}

impl World<'_> {
    /// A new command, or one of before; kept, or only tried.
    async fn command(&mut self) {
        let command = match self.past.choose(&mut self.random) {
            Some(past) if self.random.random_bool(0.15) => past.clone(),
            _ => commands::command(&mut self.random),
        };
        let commit = self.random.random_bool(0.8);
        let mut input = command.input.clone();
        input["commit"] = json!(commit);
        let before = kept(self.database).await;
        let answer = self.site.tell(command.mutation, input).await;
        self.past.push(command.clone());

        let is_repeated = |told: &Told| {
            // A correction is another one as soon as something else was told.
            let is_newest = self.newest.as_ref() == Some(&told.key);
            if told.is_correction {
                is_newest
            } else {
                self.told.contains(&told.key)
            }
        };
        let new: Vec<bool> = command.told.iter().map(|told| !is_repeated(told)).collect();
        let Some(told) = self.settled(&command) else {
            // Nobody said yet where slot 600 is: unless exactly this was told before, when somebody had.
            let is_refused = answer["errors"][0]["code"] == "BAD_INPUT";
            assert!(
                is_refused || (new == [false] && answer["isRepeated"] == true),
                "{command:?}: {answer}"
            );
            assert_eq!(kept(self.database).await, before);
            self.counts.refused += 1;
            return;
        };
        assert_eq!(answer["errors"], json!([]), "{command:?}: {answer}");
        assert_eq!(answer["committed"], commit, "{answer}");
        assert_eq!(
            answer["isRepeated"],
            !new.contains(&true),
            "{command:?}: {answer}"
        );
        let mut next = self.naive.clone();
        let told_anew = told.iter().zip(&new).filter(|(_, is_new)| **is_new);
        told_anew
            .clone()
            .for_each(|(told, _)| hear(&mut next, told));
        self.check_answer(&command, &told, &next, &answer);
        if !new.contains(&true) {
            self.counts.repeated += 1;
        } else if !commit {
            self.counts.dry += 1;
        }
        if !commit || !new.contains(&true) {
            assert_eq!(kept(self.database).await, before, "{command:?}");
            return;
        }
        self.counts.kept += 1;
        let warnings = answer["warningDetails"].as_array().expect("warnings");
        self.counts.late += u32::from(warnings.iter().any(|it| it["code"] == "LATE"));
        for (told, _) in told_anew {
            self.told.insert(told.key.clone());
            self.newest = Some(told.key.clone());
        }
        self.naive = next;
        let head = fplane_head::Entity::find_by_id(1)
            .one(self.database.read())
            .await;
        let head = head.expect("a row").expect("the head");
        let known_at = DateTime::from_timestamp_micros(head.known_at).expect("a time");
        let last = self.known.last().map(|(known_at, _)| *known_at);
        assert!(last < Some(known_at), "{last:?} {known_at}");
        self.known.push((known_at, self.naive.clone()));
    }

    /// What the command says, with what it leaves as it is; none: nobody has said yet where slot 600 is.
    fn settled(&self, command: &Command) -> Option<Vec<Told>> {
        let settle = |told: &Told| {
            let mut told = told.clone();
            if let Some(unplaced) = &told.unplaced {
                let known = self.naive.special("600", told.at);
                let mut special = unplaced.special.clone();
                if !unplaced.has_position {
                    special.position = known?.position;
                }
                let known_name = known.and_then(|known| known.name.clone());
                let name = special.name.or(known_name);
                special.name = name.or_else(|| Some("HPFACAM".to_owned()));
                commands::special(&mut told.claims, "600", special);
            }
            Some(told)
        };
        command.told.iter().map(settle).collect()
    }

    /// The answer shows the plane as it is, or would be, at the last instant that is told of.
    fn check_answer(&self, command: &Command, told: &[Told], next: &Naive, answer: &Value) {
        let facts = |claims: &Claims| {
            let mut named = claims.facts.keys();
            named.any(|track| track.layer == Layer::Measured)
        };
        let is_measured = told.iter().any(|told| facts(&told.claims));
        let last = told.iter().map(|told| told.at).max().expect("an instant");
        let plane = &answer["fplane"];
        assert_eq!(micros(&plane["at"]), Some(last), "{command:?}");
        assert_eq!(lines(plane), next.lines(last, is_measured), "{command:?}");
        let range = (micros(&plane["validFrom"]), micros(&plane["validUntil"]));
        assert_eq!(range, next.range(last, is_measured), "{command:?}");
        assert_eq!(
            answer["steps"].as_array().map(Vec::len),
            Some(told.len()),
            "{answer}"
        );
        if told.len() == 1 {
            let (before, after) = (
                self.naive.lines(last, is_measured),
                next.lines(last, is_measured),
            );
            let mut changed: Vec<&str> = Vec::new();
            for line in before
                .iter()
                .filter(|line| !after.contains(line))
                .chain(after.iter().filter(|line| !before.contains(line)))
            {
                changed.extend(line.split(' ').next());
            }
            changed.sort_unstable();
            changed.dedup();
            let told: Vec<&str> = answer["changes"]
                .as_array()
                .expect("changes")
                .iter()
                .filter_map(|it| it["ifuslot"].as_str())
                .collect();
            assert_eq!(told, changed, "{command:?}: {answer}");
        }
    }
}
