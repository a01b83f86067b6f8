//! What all commands that tell something of the plane have in common.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};

use super::bench::{Bench, Origin};
use super::{Author, Outcome, Step, Warning, lock, mentions, store, warnings};
use crate::database::Database;
use crate::entity::{fplane_head, fplane_source};
use crate::events;
use crate::failure::Failure;
use crate::fplanes::model::{Claims, Layer, Plane, Positions};
use crate::fplanes::read::{AsOf, SourceKind, planes};
use crate::fplanes::timeline::Window;
use crate::fplanes::{changes, difference};
use crate::text::without_zero;
use crate::time::{Micros, from_micros};

/// Something that is told.
pub(super) struct Told {
    /// Of which kind the source is.
    pub kind: SourceKind,
    /// What whoever tells it calls it.
    pub name: Option<String>,
    /// Since when it holds.
    pub valid_from: DateTime<Utc>,
    /// Until when a correction holds; none: for good.
    pub valid_until: Option<DateTime<Utc>>,
    /// Why a correction is made.
    pub reason: Option<String>,
    /// By what it is seen that the same was told before.
    pub digest: String,
    /// As it came.
    pub content: String,
    /// What it says.
    pub claims: Claims,
}

/// The digest of what a source of a kind says of an instant.
pub(super) fn digest(kind: SourceKind, at: DateTime<Utc>, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(kind.as_str());
    hash.update(at.micros().to_be_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// The turn of a command: nobody else tells anything until it ends. Unless it is kept, nothing of it stays.
pub(super) struct Turn<'a> {
    database: &'a Database,
    pub transaction: DatabaseTransaction,
    pub head: fplane_head::Model,
    /// With which positions planes and changes are shown.
    positions: Option<Positions>,
}

impl<'a> Turn<'a> {
    pub(super) async fn begin(database: &'a Database) -> Result<Self, Failure> {
        let transaction = database.begin().await?;
        let head = lock(&transaction).await?;
        Ok(Self {
            database,
            transaction,
            head,
            positions: None,
        })
    }

    /// Shows planes and changes with these positions; none: with measured ones if any are told.
    pub(super) fn showing(self, positions: Option<Positions>) -> Self {
        Self { positions, ..self }
    }

    /// The plane, as it is known in this turn.
    pub(super) async fn plane(
        &self,
        at: DateTime<Utc>,
        positions: Positions,
    ) -> Result<Plane, Failure> {
        let as_of = AsOf { at, known_at: None };
        Ok(planes::read(&self.transaction, as_of, positions).await?)
    }

    /// Is there a source of this digest?
    pub(super) async fn was_told(&self, digest: &str) -> Result<bool, Failure> {
        let digests = [digest.to_owned()];
        let known = store::known_sources(self.database, &self.transaction, &digests).await?;
        Ok(!known.is_empty())
    }

    /// Tells these things, in order of time, and ends the turn. There is one at least; a correction comes alone.
    pub(super) async fn tell(
        self,
        author: &Author<'_>,
        told: Vec<Told>,
        mut odd: Vec<Warning>,
        commit: bool,
        now: DateTime<Utc>,
    ) -> Result<Outcome, Failure> {
        let positions = self.positions.unwrap_or_else(|| shown(&told));
        let last = told.iter().map(|told| told.valid_from).max().unwrap_or(now);
        let (repeated, new) = self.sift(told).await?;
        if new.is_empty() {
            odd.push(warnings::repeated());
            return Ok(Outcome {
                committed: commit,
                is_repeated: true,
                warnings: odd,
                plane: self.plane(last, positions).await?,
                steps: repeated,
            });
        }
        let mut bench = self.bench(&new).await?;
        let mut steps = Vec::new();
        let mut late = None;
        for (place, told) in new.iter().enumerate() {
            let (at, source) = (told.valid_from.micros(), Origin::New(place));
            let was = bench.slots(at, positions);
            let claims = bench.completed(at, &told.claims, told.kind);
            if told.kind == SourceKind::Correction {
                let until = told.valid_until.map(|until| until.micros());
                bench.correct(at, until, &claims, source);
            } else if let Some(next) = bench.claim(at, &claims, source) {
                late = late.or(Some((told.valid_from, next)));
            }
            steps.push(Step {
                source: None,
                valid_from: told.valid_from,
                valid_until: told.valid_until,
                changes: difference::between(&was, &bench.slots(at, positions)),
            });
        }
        if let Some((from, next)) = late
            && let Some(next) = from_micros(next)
        {
            odd.push(warnings::late(from, next));
        }
        let sources = self.write(author, &new, &bench, &steps).await?;
        let plane = self.plane(last, positions).await?;
        odd.extend(warnings::duplicates(&plane));
        if commit {
            self.transaction.commit().await?;
            for (step, source) in steps.iter_mut().zip(&sources) {
                step.source = Some(source.id);
            }
        } else {
            self.transaction.rollback().await?;
        }
        steps.extend(repeated);
        steps.sort_by_key(|step| step.valid_from);
        Ok(Outcome {
            committed: commit,
            is_repeated: false,
            warnings: odd,
            plane,
            steps,
        })
    }

    /// Tells what was told before from what is new.
    async fn sift(&self, told: Vec<Told>) -> Result<(Vec<Step>, Vec<Told>), Failure> {
        let digests: Vec<String> = told.iter().map(|told| told.digest.clone()).collect();
        let known: HashMap<String, i64> =
            store::known_sources(self.database, &self.transaction, &digests).await?;
        let (mut repeated, mut new, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for told in told {
            if let Some(source) = known.get(&told.digest) {
                repeated.push(Step {
                    source: Some(*source),
                    valid_from: told.valid_from,
                    valid_until: told.valid_until,
                    changes: Vec::new(),
                });
            } else if seen.insert(told.digest.clone()) {
                new.push(told);
            }
        }
        Ok((repeated, new))
    }

    /// The tracks of all slots of which something is told.
    async fn bench(&self, told: &[Told]) -> Result<Bench, Failure> {
        let starts = || told.iter().map(|told| told.valid_from.micros());
        let (first, last) = (starts().min(), starts().max());
        let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
        let correction = told.iter().find(|told| told.kind == SourceKind::Correction);
        let window = Window {
            from: first,
            until: match correction {
                Some(told) => told.valid_until.map(|until| until.micros()),
                None => Some(last),
            },
        };
        let facts = told.iter().flat_map(|told| told.claims.facts.keys());
        let ifuslots: BTreeSet<&str> = facts.map(|track| track.ifuslot.as_str()).collect();
        let is_whole = told.iter().any(|told| told.claims.is_whole);
        let ifuslots = Some(&ifuslots).filter(|_| !is_whole);
        let mut bench = Bench::load(&self.transaction, ifuslots, window).await?;
        for told in told {
            bench.add(&told.claims);
        }
        // A correction ends where it says; what is told ends where something was said.
        if correction.is_none() && self.head.reaches.is_some_and(|reaches| reaches > first) {
            let claims = told.iter().map(|told| {
                let at = told.valid_from.micros();
                (at, bench.completed(at, &told.claims, told.kind))
            });
            let claims: Vec<(i64, Claims)> = claims.collect();
            bench
                .recall(&self.transaction, &claims, first, last)
                .await?;
        }
        Ok(bench)
    }

    /// Writes the sources, what has become of the records, and the events.
    async fn write(
        &self,
        author: &Author<'_>,
        told: &[Told],
        bench: &Bench,
        steps: &[Step],
    ) -> Result<Vec<fplane_source::Model>, Failure> {
        let (database, transaction) = (self.database, &self.transaction);
        // It is known from now on, however long it waited for others: what was known until now stays what it was.
        let known_at = Utc::now()
            .micros()
            .max(self.head.known_at.saturating_add(1));
        let ends = told
            .iter()
            .flat_map(|told| [Some(told.valid_from), told.valid_until]);
        let ends = ends.flatten().map(|at| at.micros());
        let reaches = ends.chain(self.head.reaches).max().unwrap_or(known_at);
        let source = |told: &Told| fplane_source::Model {
            id: 0,
            kind: told.kind.as_str().to_owned(),
            name: told.name.as_deref().map(without_zero),
            valid_from: told.valid_from.micros(),
            valid_until: told.valid_until.map(|until| until.micros()),
            recorded_at: known_at,
            recorded_by: author.user(),
            author: without_zero(author.name()),
            reaches,
            digest: told.digest.clone(),
            reason: told.reason.as_deref().map(without_zero),
            layers: mentions::mask(mentions::layers(&told.claims)),
            mentions: mentions::write(&told.claims),
            content: without_zero(&told.content),
        };
        let mut sources: Vec<fplane_source::Model> = told.iter().map(source).collect();
        store::sources(database, transaction, &mut sources).await?;
        let changes = bench.changes();
        let is_changed = !(changes.ended.is_empty() && changes.new.is_empty());
        let ids: Vec<i64> = sources.iter().map(|source| source.id).collect();
        store::records(database, transaction, changes, &ids, known_at).await?;
        fplane_head::Entity::update_many()
            .col_expr(fplane_head::Column::KnownAt, Expr::value(known_at))
            .col_expr(fplane_head::Column::Reaches, Expr::value(reaches))
            .filter(fplane_head::Column::Id.eq(1))
            .exec(transaction)
            .await?;
        // Who only says what was known anyway gives nobody news.
        let is_news = |step: &Step| is_changed && (told.len() == 1 || !step.changes.is_empty());
        let news = sources.iter().zip(steps).filter(|(_, step)| is_news(step));
        let news = news.map(|(source, step)| changes::told(source, &step.changes));
        events::append(transaction, news.collect()).await?;
        Ok(sources)
    }
}

/// The positions that changes are shown with: measured ones, if any are told.
fn shown(told: &[Told]) -> Positions {
    let mut named = told.iter().flat_map(|told| told.claims.facts.keys());
    let is_measured = named.any(|track| track.layer == Layer::Measured);
    if is_measured {
        Positions::Measured
    } else {
        Positions::Nominal
    }
}
