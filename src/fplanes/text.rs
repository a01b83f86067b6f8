//! The text of a focal plane, byte for byte as the file that programs of the observatory read.
//!
//! Five lines of a header, then a line a slot, with a tab between columns. Programs exist that skip exactly six lines, the
//! header and the boresight, so these are always there.

use std::fmt::Write;

use super::grid;
use super::model::{Mapping, Position, Slot, SlotKind};

/// The header: keywords of a version control system that nobody fills in, and the names of the columns.
pub const HEADER: &str = "# $Id$
# $Revision$
# $Author$
# $Date$
# IFUSLOT X_FP   Y_FP   SPECID SPECSLOT IFUID IFUROT  PLATESC
";

/// What the boresight has as ids.
const BORESIGHT_ID: &str = "900";

/// What stands for an id that there is not.
const NONE: &str = "000";

/// Bytes of a row, for the estimate of how much is written.
const ROW: usize = 56;

/// The file of these slots, in its order. `full`: all of them, with a `#` before those that are not in use; otherwise only
/// the units of VIRUS that are in use. The boresight is there in any case.
pub fn write(slots: &[Slot], full: bool) -> String {
    let mut listed: Vec<&Slot> = slots.iter().filter(|slot| full || is_short(slot)).collect();
    listed.sort_by(|a, b| grid::file_order(a).cmp(&grid::file_order(b)));
    let mut text = String::with_capacity(HEADER.len() + (listed.len() + 1) * ROW);
    text.push_str(HEADER);
    if !slots.iter().any(|slot| slot.kind == SlotKind::Boresight) {
        write_row(&mut text, &boresight());
    }
    for slot in listed {
        write_row(&mut text, slot);
    }
    text
}

/// Does the short file list it?
fn is_short(slot: &Slot) -> bool {
    match slot.kind {
        SlotKind::Boresight => true,
        SlotKind::Virus => slot.mapping.active,
        SlotKind::Lrs2 | SlotKind::Other => false,
    }
}

fn write_row(text: &mut String, slot: &Slot) {
    let Slot {
        ifuslot,
        mapping,
        position: Position { x, y },
        ..
    } = slot;
    let id = |id: &Option<String>| id.clone().unwrap_or_else(|| NONE.into());
    let (specid, specslot) = (id(&mapping.specid), id(&mapping.specslot));
    let (ifuid, rotation) = (id(&mapping.ifuid), mapping.rotation);
    let (plate_scale, mark) = (mapping.plate_scale, if mapping.active { "" } else { "#" });
    // Writing into a text cannot fail.
    let _ = writeln!(
        text,
        "{mark}{ifuslot}\t{x:8.3}\t{y:8.3}\t{specid}\t{specslot}\t{ifuid}\t{rotation:5.3}\t{plate_scale:5.3}"
    );
}

/// The boresight of a plane that does not tell of it, as of planes before 2017: it is the origin.
fn boresight() -> Slot {
    let id = Some(BORESIGHT_ID.to_owned());
    Slot {
        ifuslot: grid::BORESIGHT.into(),
        kind: SlotKind::Boresight,
        name: None,
        mapping: Mapping {
            ifuid: id.clone(),
            specid: id.clone(),
            specslot: id,
            cntlid: None,
            muxid: None,
            active: true,
            rotation: 0.0,
            plate_scale: 1.0,
        },
        position: Position { x: 0.0, y: 0.0 },
        is_measured: false,
    }
}

#[cfg(test)]
mod tests;
