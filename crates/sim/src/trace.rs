//! The last steps of a run, as lines for people.

use std::collections::VecDeque;

use clinit_engine::Node;
use clinit_engine::event::{Action, EntryId, Event, Notice};
use clinit_engine::name::Level;
use clinit_engine::time::Instant;

/// How many lines are kept.
const LINES_MAX: usize = 120;

/// Lines, if anybody wants them: they are made only then.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    lines: Option<VecDeque<String>>,
}

impl Trace {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { lines: wanted.then(VecDeque::new) }
    }

    pub(crate) fn note(&mut self, now: Instant, line: impl FnOnce() -> String) {
        let Some(lines) = &mut self.lines else { return };
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(format!("{:>11.3?} {}", now.since(Instant::default()), line()));
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default().into()
    }
}

fn name(node: &Node, id: EntryId) -> String {
    node.entry(id).map_or_else(|| id.to_string(), |entry| entry.key().to_string())
}

/// An event in a few words.
pub(crate) fn event_words(event: &Event, node: &Node) -> String {
    match event {
        Event::TableAccepted(table) => {
            let mut words = "TableAccepted".to_owned();
            for group in &table.groups {
                words += &format!("\n{:14}{} initdefault {:?}", "", group.name, group.initdefault);
                for e in &group.entries {
                    let (stop, throttle) = (e.policy.stop, e.policy.throttle);
                    words += &format!("\n{:16}{} {:?} {}", "", e.tag, e.levels, e.mode);
                    words += &format!(" {:?} {:?} {:?}", e.program.command, stop, throttle);
                    words += &format!(" {:?} {:?}", e.program.readiness, e.program.watchdog);
                    words += &e.links.as_ref().map_or(String::new(), |links| format!(" {links:?}"));
                    words += &e.policy.care.as_ref().map_or(String::new(), |care| format!(" {care:?}"));
                }
            }
            words
        }
        Event::Told { group, level } => format!("Told {group} {level}"),
        Event::Ordered { entries, order } => {
            let names: Vec<_> = entries.iter().map(|&id| name(node, id)).collect();
            format!("Ordered {order:?} {}", names.join(" "))
        }
        Event::Spawned { entry, generation, pid } => {
            format!("Spawned {} {} pid {pid}", name(node, *entry), generation.0)
        }
        Event::SpawnFailed { entry, generation, .. } => {
            format!("SpawnFailed {} {}", name(node, *entry), generation.0)
        }
        Event::Exited { entry, generation, exit, leftovers } => {
            let rest = if *leftovers { ", leftovers" } else { "" };
            format!("Exited {} {} {exit:?}{rest}", name(node, *entry), generation.0)
        }
        Event::Emptied { entry, generation } => format!("Emptied {} {}", name(node, *entry), generation.0),
        Event::Added { group, spec } => format!("Added {group}/{} {spec:?}", spec.tag),
        Event::Notified { entry, generation, said } => {
            format!("Notified {} {} {said:?}", name(node, *entry), generation.0)
        }
        Event::Probed { entry, generation, accepted } => {
            format!("Probed {} {} {accepted}", name(node, *entry), generation.0)
        }
        Event::NotFollowed { entry, generation } => {
            format!("NotFollowed {} {}", name(node, *entry), generation.0)
        }
        Event::ShutdownRequested | Event::HurryRequested => format!("{event:?}"),
        Event::InventoryTaken | Event::TimePassed => format!("{event:?}"),
    }
}

/// An action in a few words.
pub(crate) fn action_words(action: &Action, node: &Node) -> String {
    let short = |word: &str, id: EntryId, generation: u64| format!("{word} {} {generation}", name(node, id));
    match action {
        Action::Spawn { entry, generation, .. } => short("Spawn", *entry, generation.0),
        Action::Stop { entry, generation, .. } => short("Stop", *entry, generation.0),
        Action::Kill { entry, generation, .. } => short("Kill", *entry, generation.0),
        Action::Signal { entry, generation, .. } => short("Signal", *entry, generation.0),
        Action::Probe { entry, generation, .. } => short("Probe", *entry, generation.0),
        Action::Follow { entry, generation, pid } => {
            format!("{} pid {pid}", short("Follow", *entry, generation.0))
        }
        Action::Release { entry, generation } => short("Release", *entry, generation.0),
        Action::Notice(Notice::GroupChanged { group, level, target, phase }) => {
            let words = |level: &Option<Level>| level.as_ref().map_or("-".to_owned(), Level::to_string);
            format!("group {group} {} -> {} {phase}", words(level), words(target))
        }
        Action::Notice(notice) => format!("{notice:?}"),
        Action::Leave => "Leave".to_owned(),
    }
}
