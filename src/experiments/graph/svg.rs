//! Pictures for people: SVG 1.1 with a little of SVG 2 (`href` without a prefix), as all browsers draw it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::ops::Range;

use super::groups::{Group, status};
use super::{Drawing, GraphError, Layout, Point, Workflow};
use crate::experiments::status::JobStatus;
use crate::text::escape_xml as escape;

/// How many jobs a picture shows.
pub const MOST_JOBS: usize = 3_000;
/// How many edges a picture shows.
pub const MOST_EDGES: usize = 20_000;
/// How many groups a picture shows.
pub const MOST_GROUPS: usize = 1_000;

/// Around everything.
const MARGIN: f64 = 32.0;
/// The room for title and legend, and for each further row of the legend.
const HEAD: f64 = 84.0;
const LEGEND_ROW: f64 = 26.0;
const LEGEND_ITEM: f64 = 150.0;
/// The smallest width: the legend needs it.
const NARROWEST: f64 = 520.0;
/// Width and height of a job.
const WIDTH: f64 = super::layered::BOX[0];
const HEIGHT: f64 = super::layered::BOX[1];
/// The radius of a job that is a dot.
const DOT: f64 = 7.0;
/// From a wrapper's jobs to its outline.
const OUTLINE: f64 = 11.0;
/// How large a picture of dots is.
const DOTS: [f64; 2] = [1240.0, 820.0];
/// The card of a group.
const CARD: [f64; 2] = [268.0, 86.0];
const CARD_GAP: f64 = 22.0;

const STYLE: &str = "\
text{font-family:Inter,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#0f172a}\
.h{font-size:20px;font-weight:600}.s{font-size:13px;fill:#64748b}.l{font-size:12px;fill:#334155}\
.n text{text-anchor:middle}.a{font-size:12px;font-weight:600}.b{font-size:10.5px;fill:#475569}\
.e{fill:none;stroke:#94a3b8;stroke-width:1.3}.i{stroke:#475569;stroke-width:1.8}\
.w{fill:#6366f1;fill-opacity:.05;stroke:#6366f1;stroke-width:1.5;stroke-dasharray:7 5}\
.c{fill:#fff;stroke:#cbd5e1}.t{font-size:14px;font-weight:600}.r{text-anchor:end}";

/// The box of a job, around the origin: its status is a cap on the left and a tint.
const BOX: &str = "<g id=\"job\">\
<rect x=\"-66\" y=\"-22\" width=\"132\" height=\"44\" rx=\"8\" fill=\"#fff\"/>\
<rect x=\"-66\" y=\"-22\" width=\"132\" height=\"44\" rx=\"8\" fill=\"currentColor\" fill-opacity=\".22\" \
stroke=\"#64748b\" stroke-opacity=\".75\"/>\
<path d=\"M-57-21.5H-58A7.5 7.5 0 0 0-65.5-14V14A7.5 7.5 0 0 0-58 21.5H-57z\" fill=\"currentColor\"/>\
<path d=\"M-56.5-22V22\" stroke=\"#64748b\" stroke-opacity=\".35\"/></g>";

const ARROW: &str = "<marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7.4\" refY=\"4\" markerWidth=\"8\" \
markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 .6 8 4 0 7.4 1.8 4z\" \
fill=\"#64748b\"/></marker>";

/// The jobs of this range, the edges between them and their wrappers.
pub fn jobs(
    expid: &str,
    workflow: &Workflow,
    drawing: &Drawing,
    layout: Layout,
    shown: &Range<usize>,
) -> Result<String, GraphError> {
    within("jobs", shown.len(), MOST_JOBS)?;
    let edges: Vec<usize> = (0..workflow.shape.edges.len())
        .filter(|&edge| {
            let (parent, child) = workflow.shape.edges[edge];
            shown.contains(&parent) && shown.contains(&child)
        })
        .collect();
    within("edges", edges.len(), MOST_EDGES)?;
    let mut counts = BTreeMap::new();
    for job in &workflow.jobs[shown.clone()] {
        *counts.entry(status(job)).or_insert(0) += 1;
    }
    let view = View::of(drawing, layout, shown);
    let subtitle = format!(
        "{} · {}",
        number(shown.len(), "job", "jobs"),
        number(edges.len(), "dependency", "dependencies")
    );
    let mut picture = Picture::new(expid, &subtitle, &counts, view.size);
    let origin = at(MARGIN, picture.top);
    picture.write(format_args!("<g transform=\"translate({origin})\">"));
    if !view.dots {
        wrappers(&mut picture, workflow, drawing, &view, shown);
    }
    for edge in edges {
        let (parent, child) = workflow.shape.edges[edge];
        let class = if workflow.shape.is_inside_wrapper((parent, child)) {
            "e i"
        } else {
            "e"
        };
        let ends = [parent, child].map(|job| view.at(drawing.places[job]));
        let bends = drawing.bends_of(edge).iter().map(|&bend| view.at(bend));
        let path = if view.dots {
            straight(ends)
        } else {
            curve(ends, bends)
        };
        picture.write(format_args!(
            "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#arrow)\"/>"
        ));
    }
    for job in shown.clone() {
        let row = &workflow.jobs[job];
        let (x, y) = view.at(drawing.places[job]);
        let status = status(row);
        let wrapper = workflow.shape.wrappers[job].and_then(|it| workflow.wrappers.get(it));
        let wrapper = wrapper.map_or_else(String::new, |name| format!("\nin {name}"));
        let title = escape(&format!("{}\n{status}{wrapper}", row.name));
        let (place, color) = (at(x, y), status.color());
        picture.write(format_args!(
            "<g class=\"n\" transform=\"translate({place})\" color=\"{color}\"><title>{title}</title>"
        ));
        if view.dots {
            picture.write(format_args!(
                "<circle r=\"{DOT}\" fill=\"currentColor\" stroke=\"#475569\"/></g>"
            ));
            continue;
        }
        picture.text.push_str("<use href=\"#job\"/>");
        match lines(expid, &row.name, row.section.as_deref()) {
            (first, Some(second)) => {
                label(&mut picture, "a", -2, first, 13);
                label(&mut picture, "b", 13, second, 20);
            }
            (only, None) => label(&mut picture, "a", 4, only, 13),
        }
        picture.text.push_str("</g>");
    }
    picture.text.push_str("</g>");
    Ok(picture.finish())
}

/// A line in the box of a job. One that is longer than what has room is made narrower, and in the end cut.
fn label(picture: &mut Picture, class: &str, y: i32, text: &str, room: usize) {
    let text = cut(text, room * 2);
    let fit = if text.chars().count() > room {
        " textLength=\"112\" lengthAdjust=\"spacingAndGlyphs\""
    } else {
        ""
    };
    picture.write(format_args!(
        "<text class=\"{class}\" x=\"4\" y=\"{y}\"{fit}>{}</text>",
        escape(&text)
    ));
}

/// A card for each group: its name, what its status is, and a bar of the statuses of its jobs.
pub fn groups(expid: &str, groups: &[Group]) -> Result<String, GraphError> {
    within("groups", groups.len(), MOST_GROUPS)?;
    let mut counts = BTreeMap::new();
    for (status, count) in groups.iter().flat_map(|group| &group.counts) {
        *counts.entry(*status).or_insert(0) += count;
    }
    let columns = (1..=8)
        .find(|columns| columns * columns >= groups.len())
        .unwrap_or(8);
    let cells = |count: usize, size: f64| {
        let count = f64::from(u32::try_from(count).unwrap_or_default());
        (count * (size + CARD_GAP) - CARD_GAP).max(0.0)
    };
    let size = [
        cells(columns.min(groups.len()), CARD[0]),
        cells(groups.len().div_ceil(columns), CARD[1]),
    ];
    let jobs: i64 = counts.values().sum();
    let subtitle = format!(
        "{} in {}",
        number(usize::try_from(jobs).unwrap_or_default(), "job", "jobs"),
        number(groups.len(), "group", "groups")
    );
    let mut picture = Picture::new(expid, &subtitle, &counts, size);
    for (place, group) in groups.iter().enumerate() {
        let before =
            |count: usize, size: f64| cells(count, size) + CARD_GAP.min(cells(count, size));
        let left = MARGIN + before(place % columns, CARD[0]);
        let top = picture.top + before(place / columns, CARD[1]);
        card(&mut picture, expid, group, &at(left, top));
    }
    Ok(picture.finish())
}

fn card(picture: &mut Picture, expid: &str, group: &Group, place: &str) {
    let name = group.name.strip_prefix(expid).unwrap_or(&group.name);
    let name = name.trim_matches('_');
    let jobs: i64 = group.counts.values().sum();
    let [width, height] = CARD;
    let inner = width - 32.0;
    picture.write(format_args!(
        "<g transform=\"translate({place})\"><title>{}</title>\
         <rect class=\"c\" width=\"{width}\" height=\"{height}\" rx=\"10\"/>\
         <circle cx=\"22\" cy=\"24\" r=\"6\" fill=\"{}\" stroke=\"#64748b\"/>\
         <text class=\"t\" x=\"36\" y=\"29\">{}</text>\
         <text class=\"s r\" x=\"{}\" y=\"29\">{jobs}</text>",
        escape(&group.name),
        group.status.color(),
        escape(&cut(&name.replace('_', " · "), 24)),
        width - 16.0,
    ));
    let mut left = 16.0;
    for (status, count) in &group.counts {
        #[allow(clippy::cast_precision_loss)]
        let part = inner * *count as f64 / jobs.max(1) as f64;
        picture.write(format_args!(
            "<rect x=\"{left:.1}\" y=\"42\" width=\"{part:.1}\" height=\"12\" fill=\"{}\" stroke=\"#64748b\" \
             stroke-width=\".5\"><title>{count} {status}</title></rect>",
            status.color()
        ));
        left += part;
    }
    let most = group.counts.iter().max_by_key(|(_, count)| **count);
    let most = most.map_or_else(String::new, |(status, count)| format!("{count} {status}"));
    picture.write(format_args!(
        "<text class=\"l\" x=\"16\" y=\"72\">{most}</text></g>"
    ));
}

/// How the points of a drawing become those of a picture.
struct View {
    dots: bool,
    size: [f64; 2],
    scale: [f64; 2],
    shift: [f64; 2],
}

impl View {
    fn of(drawing: &Drawing, layout: Layout, shown: &Range<usize>) -> Self {
        let part = Drawing {
            places: drawing.places[shown.clone()].to_vec(),
            ..Drawing::default()
        };
        let (low, high) = part.bounds();
        let low = low.map(f64::from);
        let extent = [0, 1].map(|axis| f64::from(high[axis]) - low[axis]);
        let dots = layout == Layout::Laplacian;
        let rows = layout == Layout::Levels || drawing.instead.is_some();
        let scale = match (dots, rows) {
            (true, _) => [0, 1].map(|axis| {
                if extent[axis] > 0.0 {
                    DOTS[axis] / extent[axis]
                } else {
                    1.0
                }
            }),
            // The rows of LEVELS have room for the names that other front-ends write beside their nodes.
            (_, true) => [0.5, 0.72],
            _ => [1.0, 1.0],
        };
        let around = if dots {
            [4.0 * DOT; 2]
        } else {
            [WIDTH + 2.0 * OUTLINE, HEIGHT + 2.0 * OUTLINE]
        };
        let around_half = around.map(|it| it / 2.0);
        Self {
            dots,
            size: [0, 1].map(|axis| extent[axis] * scale[axis] + around[axis]),
            scale,
            shift: [0, 1].map(|axis| around_half[axis] - low[axis] * scale[axis]),
        }
    }

    /// Below title and legend.
    fn at(&self, point: Point) -> (f64, f64) {
        let [x, y] =
            [0, 1].map(|axis| f64::from(point[axis]) * self.scale[axis] + self.shift[axis]);
        (x, y)
    }
}

/// A picture that is being written.
struct Picture {
    text: String,
    /// Where the drawing begins.
    top: f64,
}

impl Picture {
    fn new(expid: &str, subtitle: &str, counts: &BTreeMap<JobStatus, i64>, size: [f64; 2]) -> Self {
        let width = size[0].max(NARROWEST) + 2.0 * MARGIN;
        let mut column = MARGIN;
        let mut row = HEAD;
        let mut legend = String::new();
        for (status, count) in counts {
            if column + LEGEND_ITEM > width {
                column = MARGIN;
                row += LEGEND_ROW;
            }
            let _ = write!(
                legend,
                "<rect x=\"{column}\" y=\"{}\" width=\"14\" height=\"14\" rx=\"4\" fill=\"{}\" stroke=\"#64748b\"/>\
                 <text class=\"l\" x=\"{}\" y=\"{row}\">{status} {count}</text>",
                row - 11.5,
                status.color(),
                column + 21.0
            );
            column += LEGEND_ITEM;
        }
        let top = row + MARGIN;
        let height = top + size[1] + MARGIN;
        let expid = escape(expid);
        let subtitle = escape(subtitle);
        let mut text = String::new();
        let _ = write!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"img\"><title>{expid}: {subtitle}</title><style>{STYLE}</style>\
             <defs>{ARROW}{BOX}</defs><rect width=\"100%\" height=\"100%\" fill=\"#f8fafc\"/>\
             <text class=\"h\" x=\"{MARGIN}\" y=\"38\">{expid}</text>\
             <text class=\"s\" x=\"{MARGIN}\" y=\"58\">{subtitle}</text>{legend}"
        );
        Self { text, top }
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        let _ = self.text.write_fmt(arguments);
    }

    fn finish(mut self) -> String {
        self.text.push_str("</svg>");
        self.text
    }
}

/// The outlines of the wrappers: one around all jobs of a wrapper where no other job stands between them, else one around
/// each of them.
fn wrappers(
    picture: &mut Picture,
    workflow: &Workflow,
    drawing: &Drawing,
    view: &View,
    shown: &Range<usize>,
) {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for job in shown.clone() {
        if let Some(wrapper) = workflow.shape.wrappers[job] {
            members.entry(wrapper).or_default().push(job);
        }
    }
    if members.is_empty() {
        return;
    }
    let cells = Cells::new(drawing, shown);
    for (wrapper, jobs) in members {
        let part = Drawing {
            places: jobs.iter().map(|&job| drawing.places[job]).collect(),
            ..Drawing::default()
        };
        let around = part.bounds();
        let name = workflow.wrappers.get(wrapper).map_or("", AsRef::as_ref);
        let outlines = if cells.count(around) == jobs.len() {
            vec![around]
        } else {
            part.places.iter().map(|&place| (place, place)).collect()
        };
        for (low, high) in outlines {
            let ((left, top), (right, bottom)) = (view.at(low), view.at(high));
            picture.write(format_args!(
                "<rect class=\"w\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"14\">\
                 <title>{}</title></rect>",
                left - WIDTH / 2.0 - OUTLINE,
                top - HEIGHT / 2.0 - OUTLINE,
                right - left + WIDTH + 2.0 * OUTLINE,
                bottom - top + HEIGHT + 2.0 * OUTLINE,
                escape(name)
            ));
        }
    }
}

/// Jobs by where they stand, to count those in a rectangle without looking at all of them.
struct Cells(HashMap<i32, Vec<Point>>);

impl Cells {
    const SIDE: i32 = 512;

    fn new(drawing: &Drawing, shown: &Range<usize>) -> Self {
        let mut cells: HashMap<i32, Vec<Point>> = HashMap::new();
        for &place in &drawing.places[shown.clone()] {
            let column = place[0].div_euclid(Self::SIDE);
            cells.entry(column).or_default().push(place);
        }
        Self(cells)
    }

    /// How many jobs stand in this rectangle.
    fn count(&self, (low, high): (Point, Point)) -> usize {
        let inside =
            |&&place: &&Point| (0..2).all(|axis| (low[axis]..=high[axis]).contains(&place[axis]));
        let columns = low[0].div_euclid(Self::SIDE)..=high[0].div_euclid(Self::SIDE);
        let columns = columns.filter_map(|column| self.0.get(&column));
        columns.flatten().filter(inside).count()
    }
}

fn within(what: &'static str, count: usize, most: usize) -> Result<(), GraphError> {
    if count <= most {
        return Ok(());
    }
    Err(GraphError::TooLargeForPicture { what, count, most })
}

/// From the bottom of a job through the points to the top of the next; all the way it enters and leaves vertically.
fn curve(
    [(from_x, from_y), (to_x, to_y)]: [(f64, f64); 2],
    bends: impl Iterator<Item = (f64, f64)>,
) -> String {
    let (mut x, mut y) = (from_x, from_y + HEIGHT / 2.0);
    let mut path = format!("M{}", at(x, y));
    let end = (to_x, to_y - HEIGHT / 2.0);
    for (next_x, next_y) in bends.chain([end]) {
        let middle = f64::midpoint(y, next_y);
        let _ = write!(
            path,
            "C{} {} {}",
            at(x, middle),
            at(next_x, middle),
            at(next_x, next_y)
        );
        (x, y) = (next_x, next_y);
    }
    path
}

/// From the rim of a dot to that of another.
fn straight([(from_x, from_y), (to_x, to_y)]: [(f64, f64); 2]) -> String {
    let (x, y) = (to_x - from_x, to_y - from_y);
    let length = x.hypot(y).max(1.0);
    let (x, y) = (x / length * DOT, y / length * DOT);
    format!("M{}L{}", at(from_x + x, from_y + y), at(to_x - x, to_y - y))
}

fn at(x: f64, y: f64) -> String {
    format!("{x:.1},{y:.1}")
}

fn number(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// What is written in the box of a job: its section, and below it the rest of its name without the expid.
fn lines<'a>(expid: &str, name: &'a str, section: Option<&'a str>) -> (&'a str, Option<&'a str>) {
    let short = name.strip_prefix(expid).unwrap_or(name);
    let short = short.strip_prefix('_').unwrap_or(short);
    let rest = section.and_then(|section| short.strip_suffix(section)?.strip_suffix('_'));
    match (section, rest) {
        (Some(section), Some(rest)) if !rest.is_empty() => (section, Some(rest)),
        _ => (short, None),
    }
}

/// The text, if it is short enough; else what has room of it.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}
