//! Facts as rows have them.

use crate::entity::fplane_record::Model;
use crate::fplanes::model::{Layer, Mapping, Position, Special, Value};

/// The name of a layer in the database.
pub const fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::Mapping => "MAPPING",
        Layer::Nominal => "NOMINAL",
        Layer::Measured => "MEASURED",
        Layer::Special => "SPECIAL",
    }
}

/// The layer of this name.
pub fn layer(name: &str) -> Option<Layer> {
    Layer::ALL.into_iter().find(|it| layer_name(*it) == name)
}

/// The fact of a record; none: the row is none that labql wrote.
pub fn value(row: &Model) -> Option<Value> {
    Some(match layer(&row.layer)? {
        Layer::Mapping => Value::Mapping(Mapping {
            ifuid: row.ifuid.clone(),
            specid: row.specid.clone(),
            specslot: row.specslot.clone(),
            cntlid: row.cntlid.clone(),
            muxid: row.muxid.clone(),
            active: row.active?,
            rotation: row.rotation?,
            plate_scale: row.plate_scale?,
        }),
        Layer::Nominal => Value::Nominal(position(row)?),
        Layer::Measured => Value::Measured(position(row)?),
        Layer::Special => Value::Special(Special {
            id: row.ifuid.clone()?,
            name: row.name.clone(),
            position: position(row)?,
            active: row.active?,
            rotation: row.rotation?,
            plate_scale: row.plate_scale?,
        }),
    })
}

fn position(row: &Model) -> Option<Position> {
    Some(Position {
        x: row.x?,
        y: row.y?,
    })
}

/// A row of this fact that has nothing else. A special slot is found by its id under all the names of ids.
pub fn row(value: &Value) -> Model {
    let layer = layer_name(value.layer()).to_owned();
    match value {
        Value::Mapping(mapping) => Model {
            layer,
            ifuid: mapping.ifuid.clone(),
            specid: mapping.specid.clone(),
            specslot: mapping.specslot.clone(),
            cntlid: mapping.cntlid.clone(),
            muxid: mapping.muxid.clone(),
            active: Some(mapping.active),
            rotation: Some(mapping.rotation),
            plate_scale: Some(mapping.plate_scale),
            ..Model::default()
        },
        Value::Nominal(position) | Value::Measured(position) => Model {
            layer,
            x: Some(position.x),
            y: Some(position.y),
            ..Model::default()
        },
        Value::Special(special) => Model {
            layer,
            ifuid: Some(special.id.clone()),
            specid: Some(special.id.clone()),
            specslot: Some(special.id.clone()),
            active: Some(special.active),
            rotation: Some(special.rotation),
            plate_scale: Some(special.plate_scale),
            x: Some(special.position.x),
            y: Some(special.position.y),
            name: special.name.clone(),
            ..Model::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back_from_their_rows() {
        let position = Position { x: -1.5, y: 0.1 };
        let mapping = Mapping {
            ifuid: Some("073".into()),
            specid: None,
            specslot: Some("218".into()),
            cntlid: Some("1042".into()),
            muxid: None,
            active: false,
            rotation: 0.25,
            plate_scale: 1.0,
        };
        let special = Special {
            id: "902".into(),
            name: Some("HPFACAM".into()),
            position,
            active: true,
            rotation: 0.0,
            plate_scale: 1.0,
        };
        let facts = [
            Value::Mapping(mapping),
            Value::Nominal(position),
            Value::Measured(position),
            Value::Special(special),
        ];
        for fact in facts {
            assert_eq!(value(&row(&fact)), Some(fact));
        }
        assert_eq!(value(&Model::default()), None);
    }
}
