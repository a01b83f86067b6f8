//! Global ids: base64url of the type's name and the keys of the object that people use too. An id stays the same when
//! a mirror is made anew.

use async_graphql::ID;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::fplanes::model::{Plane, Positions};

/// Separates the parts of an id; no key holds it but the last.
const SEPARATOR: char = '\n';

/// What an id names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GlobalId {
    /// An experiment by its expid.
    Experiment(String),
    /// A job by expid and name.
    Job(String, String),
    /// A run of an experiment by expid and number.
    ExperimentRun(String, i64),
    /// A user by name.
    User(String),
    /// An API key by row id.
    ApiKey(i64),
    /// A worker by name.
    Worker(String),
    /// An action by number.
    Action(i64),
    /// A dataset by its URI.
    Dataset(String),
    /// A focal plane by instant, positions and what was known.
    Fplane(FplaneId),
    /// What is known of a slot for some time, by row id.
    FplaneRecord(i64),
    /// Where what is known of focal planes comes from, by row id.
    FplaneSource(i64),
    /// A tag of a focal plane by row id.
    FplaneTag(i64),
    /// A version of a workflow by name and number.
    Workflow(String, i64),
    /// A group of people who run a workflow, by row id.
    RunGroup(i64),
    /// A file that somebody brought, by its key.
    Upload(String),
    /// A run of a workflow, by row id.
    Run(i64),
}

/// What names a focal plane. Times are microseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FplaneId {
    /// The instant.
    pub at: i64,
    /// By what was known then; none: by all that is known.
    pub known_at: Option<i64>,
    /// With which positions.
    pub positions: Positions,
}

impl FplaneId {
    /// Of this plane.
    pub fn of(plane: &Plane) -> Self {
        Self {
            at: plane.at.timestamp_micros(),
            known_at: plane.known_at.map(|known| known.timestamp_micros()),
            positions: plane.positions,
        }
    }

    fn parts(&self) -> Vec<String> {
        let positions = match self.positions {
            Positions::Nominal => NOMINAL,
            Positions::Measured => MEASURED,
        };
        let known_at = self.known_at.map(|known| known.to_string());
        let parts = [
            "Fplane".to_owned(),
            self.at.to_string(),
            positions.to_owned(),
        ];
        parts.into_iter().chain(known_at).collect()
    }

    fn read(at: &str, positions: &str, known_at: Option<&str>) -> Option<Self> {
        Some(Self {
            at: at.parse().ok()?,
            known_at: known_at.map(str::parse).transpose().ok()?,
            positions: match positions {
                NOMINAL => Positions::Nominal,
                MEASURED => Positions::Measured,
                _ => return None,
            },
        })
    }
}

const NOMINAL: &str = "nominal";
const MEASURED: &str = "measured";

impl GlobalId {
    /// The id as clients see it.
    pub fn encode(&self) -> ID {
        let parts = match self {
            Self::Experiment(expid) => vec!["Experiment".to_owned(), expid.clone()],
            Self::Job(expid, name) => vec!["Job".to_owned(), expid.clone(), name.clone()],
            Self::ExperimentRun(expid, number) => {
                vec![
                    "ExperimentRun".to_owned(),
                    expid.clone(),
                    number.to_string(),
                ]
            }
            Self::User(name) => vec!["User".to_owned(), name.clone()],
            Self::ApiKey(id) => vec!["ApiKey".to_owned(), id.to_string()],
            Self::Worker(name) => vec!["Worker".to_owned(), name.clone()],
            Self::Action(id) => vec!["Action".to_owned(), id.to_string()],
            Self::Dataset(uri) => vec!["Dataset".to_owned(), uri.clone()],
            Self::Fplane(plane) => plane.parts(),
            Self::FplaneRecord(id) => vec!["FplaneRecord".to_owned(), id.to_string()],
            Self::FplaneSource(id) => vec!["FplaneSource".to_owned(), id.to_string()],
            Self::FplaneTag(id) => vec!["FplaneTag".to_owned(), id.to_string()],
            // The name last: templates come from anywhere, and may have a line break in it.
            Self::Workflow(name, number) => {
                vec!["Workflow".to_owned(), number.to_string(), name.clone()]
            }
            Self::RunGroup(id) => vec!["RunGroup".to_owned(), id.to_string()],
            Self::Upload(key) => vec!["Upload".to_owned(), key.clone()],
            Self::Run(id) => vec!["Run".to_owned(), id.to_string()],
        };
        ID(BASE64_URL_SAFE_NO_PAD.encode(parts.join(&SEPARATOR.to_string())))
    }

    /// What the id names; none for anything that is no id of ours.
    pub fn decode(id: &ID) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(id.as_str()).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        if text.contains('\0') {
            return None;
        }
        let parts: Vec<&str> = text.split(SEPARATOR).collect();
        match parts.as_slice() {
            ["Experiment", expid] => Some(Self::Experiment((*expid).to_owned())),
            ["Job", expid, name] => Some(Self::Job((*expid).to_owned(), (*name).to_owned())),
            ["ExperimentRun", expid, number] => Some(Self::ExperimentRun(
                (*expid).to_owned(),
                number.parse().ok()?,
            )),
            ["User", name] => Some(Self::User((*name).to_owned())),
            ["ApiKey", id] => Some(Self::ApiKey(id.parse().ok()?)),
            ["Worker", name] => Some(Self::Worker((*name).to_owned())),
            ["Action", id] => Some(Self::Action(id.parse().ok()?)),
            ["Dataset", uri] => Some(Self::Dataset((*uri).to_owned())),
            ["Fplane", at, positions] => FplaneId::read(at, positions, None).map(Self::Fplane),
            ["Fplane", at, positions, known_at] => {
                FplaneId::read(at, positions, Some(known_at)).map(Self::Fplane)
            }
            ["FplaneRecord", id] => Some(Self::FplaneRecord(id.parse().ok()?)),
            ["FplaneSource", id] => Some(Self::FplaneSource(id.parse().ok()?)),
            ["FplaneTag", id] => Some(Self::FplaneTag(id.parse().ok()?)),
            ["Workflow", number, name @ ..] => Some(Self::Workflow(
                name.join(&SEPARATOR.to_string()),
                number.parse().ok()?,
            )),
            ["RunGroup", id] => Some(Self::RunGroup(id.parse().ok()?)),
            ["Upload", key] => Some(Self::Upload((*key).to_owned())),
            ["Run", id] => Some(Self::Run(id.parse().ok()?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_and_nonsense_names_nothing() {
        for id in [
            GlobalId::Experiment("a000".into()),
            GlobalId::Job("a000".into(), "a000_SIM:x".into()),
            GlobalId::ExperimentRun("a000".into(), 3),
            GlobalId::User("ada".into()),
            GlobalId::ApiKey(7),
            GlobalId::Worker("autosubmit-mirror-1".into()),
            GlobalId::Action(7),
            GlobalId::Dataset("s3://bucket/uuid".into()),
            GlobalId::Fplane(FplaneId {
                at: -1,
                known_at: None,
                positions: Positions::Nominal,
            }),
            GlobalId::Fplane(FplaneId {
                at: 1_736_989_953_000_000,
                known_at: Some(1_736_989_953_000_001),
                positions: Positions::Measured,
            }),
            GlobalId::FplaneRecord(1),
            GlobalId::FplaneSource(2),
            GlobalId::FplaneTag(3),
            GlobalId::Workflow("hello\nworld".into(), 2),
            GlobalId::RunGroup(4),
            GlobalId::Upload("0123456789abcdef0123456789abcdef".into()),
            GlobalId::Run(5),
        ] {
            assert_eq!(GlobalId::decode(&id.encode()), Some(id));
        }
        for nonsense in ["", "a000", "!!", "Sm9i"] {
            assert_eq!(GlobalId::decode(&ID(nonsense.into())), None);
        }
    }
}
