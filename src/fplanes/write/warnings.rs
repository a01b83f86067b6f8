//! What is odd about something that is told, and no reason to refuse it.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::{ConnectionTrait, DbErr};

use crate::fplanes::model::{Claims, Plane, Value};
use crate::fplanes::read::ids::{self, IdKind};
use crate::fplanes::readers::{self, Problem};

/// Something odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Of which kind it is.
    pub code: WarningCode,
    /// What is odd, for people.
    pub message: String,
}

/// The kinds of oddities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WarningCode {
    /// Exactly this was told before: nothing is done.
    Repeated,
    /// It is told of a time that lies further ahead than clocks are wrong.
    Ahead,
    /// Something was told of later times already, and stays.
    Late,
    /// A spectrograph that was never in a slot before.
    UnknownSpecid,
    /// A controller that was never seen before.
    UnknownCntlid,
    /// An IFU that was never in a slot before.
    UnknownIfuid,
    /// Slots in use have the same spectrograph.
    DuplicateSpecid,
    /// Slots in use have the same place in the enclosure.
    DuplicateSpecslot,
    /// Slots in use have the same IFU.
    DuplicateIfuid,
    /// What the reader of a message found.
    Message(readers::ProblemCode),
}

impl WarningCode {
    /// The name of the kind, which does not change.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repeated => "REPEATED",
            Self::Ahead => "AHEAD",
            Self::Late => "LATE",
            Self::UnknownSpecid => "UNKNOWN_SPECID",
            Self::UnknownCntlid => "UNKNOWN_CNTLID",
            Self::UnknownIfuid => "UNKNOWN_IFUID",
            Self::DuplicateSpecid => "DUPLICATE_SPECID",
            Self::DuplicateSpecslot => "DUPLICATE_SPECSLOT",
            Self::DuplicateIfuid => "DUPLICATE_IFUID",
            Self::Message(code) => code.as_str(),
        }
    }
}

impl Warning {
    /// What the reader of a message found.
    pub(super) fn of(problem: Problem) -> Self {
        Self {
            code: WarningCode::Message(problem.code),
            message: problem.message,
        }
    }
}

/// An instant as messages write it.
pub(super) fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// All of it was told before.
pub(super) fn repeated() -> Warning {
    Warning {
        code: WarningCode::Repeated,
        message: "exactly this was told before: nothing is done".to_owned(),
    }
}

/// Until when at most all of it holds, since something was told of then.
pub(super) fn late(valid_from: DateTime<Utc>, next: DateTime<Utc>) -> Warning {
    let (from, next) = (written(valid_from), written(next));
    Warning {
        code: WarningCode::Late,
        message: format!(
            "what is told of {from} ends in parts at {next}: what was told of then and later stays"
        ),
    }
}

/// Ids that several slots in use have.
pub(super) fn duplicates(plane: &Plane) -> impl Iterator<Item = Warning> {
    readers::duplicates(&plane.slots).into_iter().map(|found| {
        let (code, what) = match found.kind {
            readers::IdKind::Specid => (WarningCode::DuplicateSpecid, "spectrograph"),
            readers::IdKind::Specslot => (WarningCode::DuplicateSpecslot, "spectrograph slot"),
            readers::IdKind::Ifuid => (WarningCode::DuplicateIfuid, "IFU"),
        };
        let (id, slots) = (found.id, found.ifuslots.join(", "));
        Warning {
            code,
            message: format!("{what} {id} is in slots {slots} at once"),
        }
    })
}

/// The ids that were never seen before. To be asked before they are written.
pub(super) async fn unknown(
    connection: &impl ConnectionTrait,
    claims: &Claims,
) -> Result<Vec<Warning>, DbErr> {
    let mut named = BTreeSet::new();
    for value in claims.facts.values().flatten() {
        let Value::Mapping(mapping) = value else {
            continue;
        };
        let ids = [
            (IdKind::Specid, &mapping.specid),
            (IdKind::Cntlid, &mapping.cntlid),
            (IdKind::Ifuid, &mapping.ifuid),
        ];
        let ids = ids.into_iter();
        named.extend(ids.filter_map(|(kind, id)| Some((kind, id.clone()?))));
    }
    let known = ids::known(connection, &named).await?;
    let unknown = named.difference(&known).filter_map(|(kind, id)| {
        let (code, what) = match kind {
            IdKind::Specid => (WarningCode::UnknownSpecid, "spectrograph"),
            IdKind::Cntlid => (WarningCode::UnknownCntlid, "controller"),
            IdKind::Ifuid => (WarningCode::UnknownIfuid, "IFU"),
            IdKind::Specslot | IdKind::Muxid => return None,
        };
        Some(Warning {
            code,
            message: format!("{what} {id} was never seen before"),
        })
    });
    Ok(unknown.collect())
}
