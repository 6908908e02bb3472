//! Links: which entries of its group an entry follows (properties `after` and `requires`).
//!
//! A line that names anything but other entries of the group is left out, and so is one that closes a cycle:
//!
//! ```text
//!   lines --resolve--> edges in file order --depth first--> lines that lead back to where they come from
//! ```
//!
//! What is left is a graph without cycles. All this takes time linear in the length of the lines.

use std::collections::HashSet;
use std::fmt::{self, Write};

use clinit_engine::name::{GroupName, Tag};
use clinit_engine::spec::{Levels, Mode};

use crate::assembly::EntryLines;
use crate::glyph::{Quoted, Shortened};
use crate::report::{Reference, Report};
use crate::source::Field;
use crate::suggest;

/// Most links of a cycle that are spelled out before the last one, where tags are short.
const LINKS_SHOWN_MAX: usize = 8;

/// Where tags are long, no more links are spelled out behind so many bytes.
const LINKS_BYTES_MAX: usize = 256;

/// Most lines that a hint refers to.
const LINES_SHOWN_MAX: usize = 8;

/// Longer lists of levels are not compared.
const LEVELS_COMPARED_MAX: usize = 64;

/// What a tag names, as seen from a group.
pub(crate) enum Target {
    /// The entry at this place in the group.
    Here(usize),
    /// An entry of another group.
    Elsewhere(GroupName),
    /// An entry of the group that has a fault of its own.
    LeftOut,
    /// Nothing.
    Nowhere,
}

/// How one entry follows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    After,
    Requires,
}

impl Verb {
    /// The property of this name, if it is a link.
    fn of(property: &str) -> Option<Self> {
        [Self::After, Self::Requires].into_iter().find(|verb| verb.as_str() == property)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::After => "after",
            Self::Requires => "requires",
        }
    }
}

/// One entry follows another.
#[derive(Clone, Copy)]
struct Edge<'a> {
    verb: Verb,
    /// The place of the other in the group.
    to: usize,
    /// The other's tag as it is written.
    at: Field<'a>,
    /// The place of that line among those of the entry.
    line: usize,
}

/// What the lines of an entry come to.
#[derive(Default)]
struct Node<'a> {
    /// From the lines that name other entries of the group and nothing else.
    edges: Vec<Edge<'a>>,
    /// The places of the lines that are left out.
    left_out: HashSet<usize>,
}

/// Takes the links out of `entries` that cannot be, each with a fault, and warns of those that do no good.
pub(crate) fn check(
    group: &GroupName,
    entries: &mut [EntryLines<'_>],
    find: impl Fn(Tag) -> Target,
    report: &mut Report,
) {
    let mut links = entries.iter().flat_map(|lines| &lines.given).map(|given| given.property.name);
    if !links.any(|name| Verb::of(name).is_some()) {
        return;
    }
    let places = 0..entries.len();
    let mut nodes: Vec<_> = places.map(|place| resolve(group, place, entries, &find, report)).collect();
    break_cycles(entries, &mut nodes, report);
    for (place, node) in nodes.into_iter().enumerate() {
        let kept = node.edges.iter().filter(|edge| !node.left_out.contains(&edge.line));
        for edge in kept.filter(|edge| edge.verb == Verb::Requires) {
            warn_of_strangers(&entries[place], &entries[edge.to], edge.at, report);
        }
        let mut lines = 0..;
        entries[place].given.retain(|_| lines.next().is_some_and(|line| !node.left_out.contains(&line)));
    }
}

/// Finds what the entry at `place` follows.
fn resolve<'a>(
    group: &GroupName,
    place: usize,
    entries: &[EntryLines<'a>],
    find: &impl Fn(Tag) -> Target,
    report: &mut Report,
) -> Node<'a> {
    let mut node = Node::default();
    for (line, given) in entries[place].given.iter().enumerate() {
        let Some(verb) = Verb::of(given.property.name) else { continue };
        let before = node.edges.len();
        for at in given.value.words() {
            let target = Tag::new(at.text).map_or(Target::Nowhere, find);
            match target {
                Target::Here(to) if to != place => {
                    node.edges.push(Edge { verb, to, at, line });
                    continue;
                }
                Target::Here(_) => report_itself(verb, at, report),
                Target::Elsewhere(_) | Target::Nowhere => report_unknown(group, at, &target, entries, report),
                Target::LeftOut => {}
            }
            node.left_out.insert(line);
        }
        if node.left_out.contains(&line) {
            node.edges.truncate(before);
        }
    }
    node
}

fn report_itself(verb: Verb, at: Field<'_>, report: &mut Report) {
    let message = match verb {
        Verb::After => "an entry cannot start after itself",
        Verb::Requires => "an entry cannot require itself",
    };
    report.fault(at, "link-cycle", message).hint("name other entries of its group");
}

fn report_unknown(
    group: &GroupName,
    at: Field<'_>,
    target: &Target,
    entries: &[EntryLines<'_>],
    report: &mut Report,
) {
    report
        .fault(at, "unknown-tag", format_args!("no entry {} in group `{group}`", Quoted(at.text)))
        .hint_with(|| {
            if let Target::Elsewhere(other) = target {
                return Some(format!("it is in group `{other}`, and between groups there is no order"));
            }
            let tags = entries.iter().map(|lines| lines.entry.key.tag.as_str());
            suggest::nearest(at.text, tags).map(|near| format!("did you mean `{near}`?"))
        });
}

/// Where a search stands: the entries on its way, each with the number of its edges that were followed.
type Way = Vec<(usize, usize)>;

/// How far the search has come with an entry.
#[derive(Clone, Copy)]
enum Seen {
    No,
    /// It is on the way, at this place.
    OnTheWay(usize),
    /// All that it follows was seen.
    Done,
}

/// Leaves out the lines that close a cycle, each with a fault.
fn break_cycles(entries: &[EntryLines<'_>], nodes: &mut [Node<'_>], report: &mut Report) {
    let mut seen = vec![Seen::No; nodes.len()];
    for start in 0..nodes.len() {
        let mut way = Way::new();
        if let Seen::No = seen[start] {
            seen[start] = Seen::OnTheWay(0);
            way.push((start, 0));
        }
        while let Some((place, followed)) = way.last_mut() {
            let place = *place;
            let Some(&edge) = nodes[place].edges.get(*followed) else {
                seen[place] = Seen::Done;
                way.pop();
                continue;
            };
            *followed += 1;
            if nodes[place].left_out.contains(&edge.line) {
                continue;
            }
            match seen[edge.to] {
                Seen::No => {
                    seen[edge.to] = Seen::OnTheWay(way.len());
                    way.push((edge.to, 0));
                }
                Seen::OnTheWay(first) => {
                    report_cycle(&Cycle { entries, nodes, way: &way[first..] }, edge.at, report);
                    nodes[place].left_out.insert(edge.line);
                }
                Seen::Done => {}
            }
        }
    }
}

/// A way that leads back to its first entry.
struct Cycle<'a, 'b> {
    entries: &'b [EntryLines<'a>],
    nodes: &'b [Node<'a>],
    way: &'b [(usize, usize)],
}

impl<'a> Cycle<'a, '_> {
    /// Its links, each with who follows.
    fn links(&self) -> impl Iterator<Item = (&Tag, Edge<'a>)> {
        self.way.iter().map(|&(place, followed)| {
            (&self.entries[place].entry.key.tag, self.nodes[place].edges[followed - 1])
        })
    }
}

/// In words: `a after b, b requires c, c after a`.
impl fmt::Display for Cycle<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.way.len() - 1;
        let mut text = String::new();
        let mut shown = 0;
        for (index, (tag, edge)) in self.links().enumerate() {
            if index == last {
                let left = last - shown;
                if left > 0 {
                    write!(text, "{left} more, ")?;
                }
            } else if shown == LINKS_SHOWN_MAX || text.len() > LINKS_BYTES_MAX {
                continue;
            }
            shown += 1;
            let (tag, other) = (Shortened(tag.as_str()), Shortened(edge.at.text));
            let end = if index == last { "" } else { ", " };
            write!(text, "{tag} {} {other}{end}", edge.verb.as_str())?;
        }
        f.write_str(&text)
    }
}

fn report_cycle(cycle: &Cycle<'_, '_>, at: Field<'_>, report: &mut Report) {
    let mut lines = HashSet::from([at.line.position()]);
    let others = cycle.links().map(|(_, edge)| edge.at.line);
    let others = others.filter(|line| lines.insert(line.position())).take(LINES_SHOWN_MAX);
    let others: Vec<_> = others.map(|line| Reference::new(at.line, line, report).to_string()).collect();
    report
        .fault(at, "link-cycle", format_args!("a cycle: {cycle}"))
        .hint(format_args!("the others are at {}: take one of them out", others.join(", ")));
}

/// Warns of an entry that is required and never there.
fn warn_of_strangers(from: &EntryLines<'_>, to: &EntryLines<'_>, at: Field<'_>, report: &mut Report) {
    let (from, to) = (&from.entry, &to.entry);
    let (tag, other) = (&from.key.tag, &to.key.tag);
    if from.mode == Mode::Off {
        return;
    }
    if to.mode == Mode::Off {
        report
            .warning(at, "never-together", format_args!("`{other}` never runs, so neither does `{tag}`"))
            .hint(format_args!("the mode of `{other}` is `off`"));
    } else if !meet(&from.levels, &to.levels) {
        report
            .warning(at, "never-together", format_args!("`{other}` runs in no level in which `{tag}` runs"))
            .hint("an entry runs only where those run that it requires: give them a level in common");
    }
}

/// Whether there is a level that a reader would find in both columns.
fn meet(one: &Levels, other: &Levels) -> bool {
    let (left, right) = (one.named(), other.named());
    left.len().max(right.len()) > LEVELS_COMPARED_MAX
        || left.iter().any(|level| other.contains(level))
        || right.iter().any(|level| one.contains(level))
}
