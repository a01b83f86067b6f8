//! A picture of a plane, or of what differs between two, for people: SVG as all browsers draw it, light or dark as the page
//! around it is asked to be.
//!
//! X of the plane is to the right and Y is up, one unit of the picture an arcsec.

mod look;
mod side;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashMap;
use std::fmt::Write;

use self::look::{BORESIGHT, DEFINITIONS, STYLE, State};
use self::words::{describe, subtitle, title};
use super::difference::{ChangeKind, SlotChange};
use super::model::{Plane, Position, Slot, SlotKind};
use super::sky::{LRS2_REACH, Rotation};
use crate::text::{escape_xml, shorten};

/// Side of an IFU in arcsec.
pub const IFU_SIDE: f64 = 48.4;
/// What is farther out than this in either axis, in arcsec, is not drawn: the picture tells how many those are.
pub const FARTHEST: f64 = 1_000.0;

/// Around everything.
const MARGIN: f64 = 36.0;
/// The room for the title.
const HEAD: f64 = 92.0;
/// From the boresight to the edge: the plane's outermost units, and the numbers of columns and rows.
const REACH: f64 = 516.0;
/// Beside the plane.
const SIDE: f64 = 268.0;
const GAP: f64 = 28.0;
/// The arrow of a move has this much room below a square. Longer ones are drawn as long as they are, from where the slot was.
const ARROW_ROOM: f64 = 42.0;
/// How many times as long as they are the others are drawn: real moves are too short to be seen.
const STRETCHES: [f64; 7] = [100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0];

/// A plane as SVG. With `changes`, `plane` is the one after them: those slots are marked, and others stand back. With a
/// rotation, arrows show north and east.
pub fn draw(plane: &Plane, changes: Option<&[SlotChange]>, rotation: Option<&Rotation>) -> String {
    let changed: HashMap<&str, &SlotChange> = changes
        .unwrap_or_default()
        .iter()
        .map(|change| (change.ifuslot.as_str(), change))
        .collect();
    let gone = changes.unwrap_or_default().iter().filter_map(|change| {
        let is_gone = change.kind == ChangeKind::Removed;
        change.before.as_ref().filter(|_| is_gone)
    });
    let all: Vec<&Slot> = plane.slots.iter().chain(gone).collect();
    let (shown, hidden): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|slot| is_near(slot.position));
    let stretch = stretch(changes.unwrap_or_default());
    let mut picture = Picture::new(plane, changes, hidden.len(), &shown);
    picture.rulers();
    let zoom = side::Zoom::of(&shown);
    if let Some(zoom) = &zoom {
        picture.frame(zoom);
    }
    for slot in &shown {
        let change = changed.get(slot.ifuslot.as_str()).copied();
        let stands_back = changes.is_some() && change.is_none();
        picture.slot(slot, change, stands_back, stretch);
    }
    if shown.is_empty() {
        picture.nothing();
    }
    let mut side = side::Side::beside(&mut picture);
    side.key();
    side.states(&shown);
    if let Some(changes) = changes {
        side.changes(changes, stretch);
    }
    if let Some(zoom) = &zoom {
        side.zoom(zoom, &changed);
    }
    let bottom = side.compass(rotation);
    picture.finish(bottom)
}

/// Has it a place in the picture?
fn is_near(Position { x, y }: Position) -> bool {
    // Not so for what is no number.
    x.abs() <= FARTHEST && y.abs() <= FARTHEST
}

/// From where to where a slot moved, if it did.
fn way(change: &SlotChange) -> Option<(Position, Position)> {
    let (before, after) = (
        change.before.as_ref()?.position,
        change.after.as_ref()?.position,
    );
    let moved = length(before, after) > 0.0;
    (moved && is_near(before) && is_near(after)).then_some((before, after))
}

fn length(from: Position, to: Position) -> f64 {
    (to.x - from.x).hypot(to.y - from.y)
}

/// Is it drawn as a square?
fn is_square(slot: &Slot) -> bool {
    matches!(slot.kind, SlotKind::Virus | SlotKind::Lrs2)
}

/// How many times as long as they are arrows below squares are drawn. None if there are no arrows there.
fn stretch(changes: &[SlotChange]) -> Option<f64> {
    let squares = changes
        .iter()
        .filter(|change| change.after.as_ref().is_some_and(is_square));
    let lengths = squares
        .filter_map(way)
        .map(|(from, to)| length(from, to))
        .filter(|length| *length <= ARROW_ROOM);
    let longest = lengths.reduce(f64::max)?;
    STRETCHES.into_iter().find(|it| it * longest <= ARROW_ROOM)
}

/// A picture that is being written.
struct Picture {
    title: String,
    subtitle: String,
    text: String,
    /// From the boresight to each edge.
    reach: f64,
}

impl Picture {
    fn new(plane: &Plane, changes: Option<&[SlotChange]>, hidden: usize, shown: &[&Slot]) -> Self {
        let outermost = shown
            .iter()
            .map(|slot| slot.position.x.abs().max(slot.position.y.abs()));
        let outermost = outermost.fold(0.0, f64::max);
        let reach = REACH.max((outermost + IFU_SIDE).ceil());
        Self {
            title: escape_xml(&title(plane, changes)),
            subtitle: escape_xml(&subtitle(plane, hidden)),
            text: String::new(),
            reach,
        }
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        let _ = self.text.write_fmt(arguments);
    }

    /// Where a position of the plane is in the picture.
    fn at(&self, position: Position) -> (f64, f64) {
        (
            MARGIN + self.reach + position.x,
            HEAD + self.reach - position.y,
        )
    }

    /// The numbers of columns and rows, of which the numbers of slots are made, and the axes.
    fn rulers(&mut self) {
        let edge = self.reach;
        let (left, top) = self.at(Position { x: -edge, y: edge });
        let (middle_x, middle_y) = self.at(Position { x: 0.0, y: 0.0 });
        let side = 2.0 * edge;
        self.write(format_args!(
            "<rect class=\"pl\" x=\"{left}\" y=\"{top}\" width=\"{side}\" height=\"{side}\" rx=\"14\"/>\
             <path class=\"ax\" d=\"M{left} {middle_y}h{side}M{middle_x} {top}v{side}\"/>"
        ));
        for number in 0..10_u8 {
            let along = 100.0 * f64::from(number) - 450.0;
            let (x, y) = self.at(Position {
                x: along,
                y: -along,
            });
            let column = number + 1;
            self.write(format_args!(
                "<text class=\"ru\" x=\"{x}\" y=\"{}\">{column:02}</text>\
                 <text class=\"ru\" x=\"{}\" y=\"{}\">{number}</text>",
                top + 18.0,
                left + 15.0,
                y + 4.0
            ));
        }
    }

    /// Around what is shown larger beside the plane.
    fn frame(&mut self, zoom: &side::Zoom) {
        let (x, y) = self.at(zoom.top_left());
        let size = zoom.size();
        self.write(format_args!(
            "<rect class=\"fr\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{size:.1}\" height=\"{size:.1}\" rx=\"4\"/>"
        ));
    }

    fn slot(
        &mut self,
        slot: &Slot,
        change: Option<&SlotChange>,
        stands_back: bool,
        stretch: Option<f64>,
    ) {
        let (x, y) = self.at(slot.position);
        let (state, back) = (
            State::of(slot).class(),
            if stands_back { " back" } else { "" },
        );
        let is_gone = change.is_some_and(|change| change.kind == ChangeKind::Removed);
        let gone = if is_gone { " gone" } else { "" };
        let description = escape_xml(&describe(slot, change));
        self.write(format_args!(
            "<g class=\"{state}{back}{gone}\" transform=\"translate({x:.3},{y:.3})\"><title>{description}</title>"
        ));
        match slot.kind {
            SlotKind::Virus => self.unit(slot),
            SlotKind::Lrs2 => self.lrs2(slot),
            SlotKind::Boresight => self.text.push_str(BORESIGHT),
            SlotKind::Other => self.text.push_str("<circle class=\"sh\" r=\"2.6\"/>"),
        }
        if let Some(change) = change {
            self.mark(change, is_square(slot));
        }
        self.text.push_str("</g>");
        if is_square(slot)
            && let Some((before, after)) = change.and_then(way)
        {
            self.way(before, after, stretch);
        }
    }

    /// How a square moved.
    fn way(&mut self, before: Position, after: Position, stretch: Option<f64>) {
        let length = length(before, after);
        let (x, y) = self.at(after);
        let (dx, dy) = (after.x - before.x, before.y - after.y);
        let path = if let Some(stretch) = stretch.filter(|_| length <= ARROW_ROOM) {
            let (dx, dy, middle) = (dx * stretch, dy * stretch, y + 50.0);
            let (from_x, from_y) = (x - dx / 2.0, middle - dy / 2.0);
            format!("M{from_x:.2} {from_y:.2}l{dx:.2} {dy:.2}")
        } else {
            // Up to the square.
            let part = (1.0 - 0.75 * IFU_SIDE / length).max(0.1);
            let (from_x, from_y) = self.at(before);
            format!("M{from_x:.2} {from_y:.2}l{:.2} {:.2}", dx * part, dy * part)
        };
        self.write(format_args!(
            "<path class=\"way\" d=\"{path}\" marker-end=\"url(#fp-arrow)\"/>"
        ));
    }

    fn unit(&mut self, slot: &Slot) {
        let half = IFU_SIDE / 2.0;
        let ifuslot = escape_xml(&shorten(&slot.ifuslot, 6));
        let specid = id(slot.mapping.specid.as_deref());
        let ifuid = id(slot.mapping.ifuid.as_deref());
        self.write(format_args!(
            "<rect class=\"sh\" x=\"-{half}\" y=\"-{half}\" width=\"{IFU_SIDE}\" height=\"{IFU_SIDE}\" rx=\"5\"/>\
             <text class=\"id\" y=\"-7\">{ifuslot}</text><text class=\"sp\" y=\"6.5\">{specid}</text>\
             <text class=\"if\" y=\"18.5\">{ifuid}</text>"
        ));
        if slot.is_measured {
            self.text
                .push_str("<circle class=\"me\" cx=\"-18.5\" cy=\"-18.5\" r=\"2.2\"/>");
        }
    }

    /// Its place in the grid, and in it its field.
    fn lrs2(&mut self, slot: &Slot) {
        let half = IFU_SIDE / 2.0;
        let (x, y) = LRS2_REACH;
        let ifuslot = escape_xml(&shorten(&slot.ifuslot, 6));
        let name = slot.name.as_deref().unwrap_or("LRS2");
        let name = escape_xml(&shorten(name, 8));
        self.write(format_args!(
            "<rect class=\"of\" x=\"-{half}\" y=\"-{half}\" width=\"{IFU_SIDE}\" height=\"{IFU_SIDE}\" rx=\"5\"/>\
             <rect class=\"sh\" x=\"-{x}\" y=\"-{y}\" width=\"{}\" height=\"{}\"/>\
             <text class=\"id\" y=\"-8\">{ifuslot}</text><text class=\"if\" y=\"17\">{name}</text>",
            2.0 * x,
            2.0 * y
        ));
    }

    /// What became of a slot: an outline, and a badge at the corner of a square.
    fn mark(&mut self, change: &SlotChange, is_square: bool) {
        let (class, sign) = look::badge(change.kind);
        if !is_square {
            return self.write(format_args!("<circle class=\"{class} ol\" r=\"6\"/>"));
        }
        let (half, side) = (IFU_SIDE / 2.0 + 2.5, IFU_SIDE + 5.0);
        self.write(format_args!(
            "<rect class=\"{class} ol\" x=\"-{half}\" y=\"-{half}\" width=\"{side}\" height=\"{side}\" rx=\"7\"/>\
             <g class=\"{class}\" transform=\"translate({half},-{half})\"><circle class=\"ba\" r=\"8.5\"/>\
             <path class=\"gl\" d=\"{sign}\"/></g>"
        ));
    }

    fn nothing(&mut self) {
        let (x, y) = self.at(Position { x: 0.0, y: 0.0 });
        self.write(format_args!(
            "<text class=\"no\" x=\"{x}\" y=\"{}\">no slots</text>",
            y - 14.0
        ));
    }

    /// The whole, in a frame that has room for what stands beside the plane, down to `bottom`.
    fn finish(self, bottom: f64) -> String {
        let Self {
            title,
            subtitle,
            text,
            reach,
        } = self;
        let width = 2.0 * MARGIN + 2.0 * reach + GAP + SIDE;
        let height = (HEAD + 2.0 * reach).max(bottom) + MARGIN;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fp\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\"><title>{title}: {subtitle}</title>\
             <style>{STYLE}</style><defs>{DEFINITIONS}</defs><rect class=\"bg\" width=\"100%\" height=\"100%\"/>\
             <text class=\"h\" x=\"{MARGIN}\" y=\"44\">{title}</text>\
             <text class=\"s\" x=\"{MARGIN}\" y=\"68\">{subtitle}</text>{text}</svg>"
        )
    }
}

/// An id for a tile, where there is little room.
fn id(id: Option<&str>) -> String {
    id.map_or_else(|| "–".to_owned(), |id| escape_xml(&shorten(id, 6)))
}
