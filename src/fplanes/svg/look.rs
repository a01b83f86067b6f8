//! Colours, shapes and words of the picture.

use super::super::difference::ChangeKind;
use super::super::model::{Slot, SlotKind};

/// Colours stand out once: dark pages override them. All names are below `.fp`, so that a page that has the picture in it
/// is left alone.
pub(super) const STYLE: &str = "\
.fp text{font-family:Inter,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#0f172a;text-anchor:middle}\
.fp .bg{fill:#f8fafc}.fp .pl{fill:#fff;stroke:#e2e8f0}.fp .ax{stroke:#e2e8f0;fill:none}\
.fp .h,.fp .s,.fp .l,.fp .t{text-anchor:start}.fp .h{font-size:22px;font-weight:600}\
.fp .s{font-size:13.5px;fill:#64748b}.fp .l{font-size:12.5px;fill:#334155}\
.fp .t{font-size:12px;font-weight:600;fill:#64748b;letter-spacing:.06em}\
.fp .n{text-anchor:end;fill:#64748b}\
.fp .ru{font-size:11px;fill:#94a3b8}.fp .no{font-size:18px;fill:#64748b}\
.fp .fr{fill:none;stroke:#94a3b8;stroke-dasharray:4 3}.fp .ld{stroke:#94a3b8;fill:none}\
.fp .id{font-size:13.5px;font-weight:600}.fp .sp,.fp .if{font-size:11px;fill:#334155}\
.fp .sh,.fp .of{stroke-width:1.4}.fp .me{fill:#0f172a;fill-opacity:.55}\
.fp .on .sh{fill:#dbeafe;stroke:#3b82f6}.fp .spare .sh{fill:#fef3c7;stroke:#d97706}\
.fp .off .sh{fill:#e2e8f0;stroke:#64748b;stroke-dasharray:6 3}\
.fp .free .sh{fill:#fff;fill-opacity:.6;stroke:#cbd5e1;stroke-dasharray:3 3}\
.fp .free text{fill:#94a3b8}.fp .lrs .sh,.fp .spot .sh{fill:#0d9488;stroke:#0f766e;stroke-width:1}\
.fp .lrs .of{fill:#ccfbf1;fill-opacity:.6;stroke:#0d9488}\
.fp .bore{fill:none;stroke:#0f766e;stroke-width:1.4}\
.fp .idle{opacity:.55}.fp .back{opacity:.38}.fp .gone .sh,.fp .gone text{opacity:.35}\
.fp .ol{fill:none;stroke-width:2.4}.fp .gl{fill:none;stroke:#fff;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}\
.fp .add.ol{stroke:#16a34a}.fp .add .ba{fill:#16a34a}.fp .del.ol{stroke:#dc2626;stroke-dasharray:5 3}\
.fp .del .ba{fill:#dc2626}.fp .chg.ol{stroke:#db2777}.fp .chg .ba{fill:#db2777}\
.fp .mov.ol{stroke:#7c3aed}.fp .mov .ba{fill:#7c3aed}\
.fp .way{stroke:#7c3aed;stroke-width:2;fill:none}.fp .ah{fill:#7c3aed}\
.fp .cx{stroke:#475569;stroke-width:1.6;fill:none}.fp .ch{fill:#475569}\
.fp .cn{stroke:#e11d48;stroke-width:2;fill:none}.fp .nh{fill:#e11d48}\
.fp .c1{font-size:12.5px;font-weight:600;fill:#475569}.fp .c2{font-size:12.5px;font-weight:600;fill:#e11d48}\
@media (prefers-color-scheme:dark){\
.fp text{fill:#f1f5f9}.fp .bg{fill:#0b1120}.fp .pl{fill:#111a2e;stroke:#1e293b}.fp .ax{stroke:#1e293b}\
.fp .s,.fp .t,.fp .n,.fp .no{fill:#94a3b8}.fp .l{fill:#cbd5e1}.fp .ru,.fp .free text{fill:#64748b}\
.fp .sp,.fp .if{fill:#cbd5e1}.fp .fr,.fp .ld{stroke:#64748b}.fp .me{fill:#f1f5f9}\
.fp .on .sh{fill:#1e3a6e;stroke:#60a5fa}.fp .spare .sh{fill:#4a2f0b;stroke:#f59e0b}\
.fp .off .sh{fill:#27324a;stroke:#94a3b8}.fp .free .sh{fill:#111a2e;stroke:#475569}\
.fp .lrs .of{fill:#0b3b3a;stroke:#2dd4bf}.fp .lrs .sh,.fp .spot .sh{fill:#2dd4bf;stroke:#5eead4}\
.fp .bore{stroke:#5eead4}.fp .way{stroke:#c4b5fd}.fp .ah{fill:#c4b5fd}\
.fp .mov.ol{stroke:#a78bfa}.fp .chg.ol{stroke:#f472b6}.fp .add.ol{stroke:#4ade80}.fp .del.ol{stroke:#f87171}\
.fp .cx{stroke:#cbd5e1}.fp .ch,.fp .c1{fill:#cbd5e1}.fp .cn{stroke:#fb7185}.fp .nh,.fp .c2{fill:#fb7185}}";

/// Heads of arrows.
pub(super) const DEFINITIONS: &str = "\
<marker id=\"fp-arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"ah\" d=\"M0 .5 8 4 0 7.5 1.8 4z\"/></marker>\
<marker id=\"fp-axis\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"10\" markerHeight=\"10\" \
markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"ch\" d=\"M0 .5 8 4 0 7.5 1.8 4z\"/></marker>\
<marker id=\"fp-north\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"10\" markerHeight=\"10\" \
markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"nh\" d=\"M0 .5 8 4 0 7.5 1.8 4z\"/></marker>";

/// The mark of the boresight.
pub(super) const BORESIGHT: &str =
    "<circle class=\"bore\" r=\"7\"/><path class=\"bore\" d=\"M-12 0h8M4 0h8M0-12v8M0 4v8\"/>";

/// What the colour of a slot tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// A unit with a spectrograph, in use.
    InUse,
    /// It has a spectrograph, which is not in use.
    NotInUse,
    /// An IFU without a spectrograph.
    NoSpectrograph,
    /// Neither.
    Empty,
    Lrs2,
    Boresight,
    Other,
}

impl State {
    pub(super) const ALL: [Self; 7] = [
        Self::InUse,
        Self::NotInUse,
        Self::NoSpectrograph,
        Self::Empty,
        Self::Lrs2,
        Self::Boresight,
        Self::Other,
    ];

    pub(super) fn of(slot: &Slot) -> Self {
        let mapping = &slot.mapping;
        match slot.kind {
            SlotKind::Lrs2 => Self::Lrs2,
            SlotKind::Boresight => Self::Boresight,
            SlotKind::Other => Self::Other,
            SlotKind::Virus if mapping.specid.is_some() && mapping.active => Self::InUse,
            SlotKind::Virus if mapping.specid.is_some() => Self::NotInUse,
            SlotKind::Virus if mapping.ifuid.is_some() => Self::NoSpectrograph,
            SlotKind::Virus => Self::Empty,
        }
    }

    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::InUse => "on",
            Self::NotInUse => "off",
            Self::NoSpectrograph => "spare",
            Self::Empty => "free",
            Self::Lrs2 => "lrs",
            Self::Boresight | Self::Other => "spot",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::InUse => "in use",
            Self::NotInUse => "not in use",
            Self::NoSpectrograph => "IFU without spectrograph",
            Self::Empty => "empty",
            Self::Lrs2 => "LRS2",
            Self::Boresight => "boresight",
            Self::Other => "other instruments",
        }
    }
}

/// The kinds of changes in the order of the legend.
pub(super) const KINDS: [ChangeKind; 6] = [
    ChangeKind::Added,
    ChangeKind::Removed,
    ChangeKind::Activated,
    ChangeKind::Deactivated,
    ChangeKind::Changed,
    ChangeKind::Moved,
];

/// The class of a change, and the sign on its badge as a path around the origin.
pub(super) const fn badge(kind: ChangeKind) -> (&'static str, &'static str) {
    match kind {
        ChangeKind::Added => ("add", "M-4 0h8M0-4v8"),
        ChangeKind::Removed => ("del", "M-4 0h8"),
        ChangeKind::Activated => ("add", "M-3.6 1.8 0-2.4 3.6 1.8"),
        ChangeKind::Deactivated => ("del", "M-3.6-1.8 0 2.4 3.6-1.8"),
        ChangeKind::Changed => ("chg", "M-3.8-1.9h7.6M-3.8 1.9h7.6"),
        ChangeKind::Moved => ("mov", "M-4 0h7M.6-3 3.6 0 .6 3"),
    }
}

pub(super) const fn words(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Activated => "put to use",
        ChangeKind::Deactivated => "put out of use",
        ChangeKind::Changed => "changed",
        ChangeKind::Moved => "moved only",
    }
}
