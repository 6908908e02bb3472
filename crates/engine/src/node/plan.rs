//! What a table would change if it were accepted now. Nothing is changed by asking.

use std::collections::BTreeSet;

use super::Node;
use crate::entry::{Entry, Fate, Hold, State};
use crate::name::{EntryKey, Level};
use crate::spec::{EntrySpec, GroupSpec, Mode, Table};

/// What would become of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It would be started.
    Start,
    /// It would be stopped.
    Stop,
    /// It would be stopped, and started with its new content.
    Restart,
    /// It would be treated differently from then on; what runs is not touched.
    Change,
    /// It would be known, and not run.
    Add,
    /// It would be known no longer; nothing of it runs.
    Forget,
}

/// What would become of one entry, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Which.
    pub key: EntryKey,
    /// What.
    pub step: Step,
    /// Why: a sentence for people.
    pub why: String,
}

impl Node {
    /// What `table` would change, in its order; then what it drops.
    #[must_use]
    pub fn plan(&self, table: &Table) -> Vec<Planned> {
        let mut plan = Vec::new();
        let mut named = BTreeSet::new();
        for group in &table.groups {
            let level = match self.group(&group.name).filter(|group| !group.forget) {
                Some(known) => known.target.clone(),
                None => group.initdefault.clone(),
            };
            for spec in &group.entries {
                let key = EntryKey { group: group.name.clone(), tag: spec.tag.clone() };
                plan.extend(self.plan_entry(group, &key, spec, level.as_ref()));
                named.insert(key);
            }
        }
        let dropped = self.entries().filter(|(_, entry)| !named.contains(&entry.key));
        plan.extend(dropped.filter(|(_, entry)| entry.fate != Fate::Forget).map(|(_, entry)| {
            let step = if entry.is_alive() { Step::Stop } else { Step::Forget };
            Planned { key: entry.key.clone(), step, why: "the table has it no longer".to_owned() }
        }));
        plan
    }

    fn plan_entry(
        &self,
        group: &GroupSpec,
        key: &EntryKey,
        spec: &EntrySpec,
        level: Option<&Level>,
    ) -> Option<Planned> {
        let has_level = level.is_some_and(|level| spec.levels.contains(level)) && spec.mode != Mode::Off;
        let at = level.map_or_else(|| "no level".to_owned(), |level| format!("level {level}"));
        let planned = |step, why: String| Some(Planned { key: key.clone(), step, why });
        let Some(entry) = self.entry_id(key).and_then(|id| self.entry(id)) else {
            return match has_level {
                true => planned(Step::Start, format!("it is new, and group {} has {at}", group.name)),
                false => {
                    planned(Step::Add, format!("it is new, and does not run: group {} has {at}", group.name))
                }
            };
        };
        let current = match &entry.fate {
            Fate::Replace(next) => next,
            Fate::Keep | Fate::Forget => &entry.spec,
        };
        if current == spec {
            return None;
        }
        let wanted = has_level && entry.hold == Hold::Free;
        let changed = what_changed(current, spec);
        let same_life = current.program == spec.program && current.mode == spec.mode;
        match (is_active(entry), wanted, same_life) {
            (true, true, true) => {
                planned(Step::Change, format!("{changed} changed: it need not be restarted"))
            }
            (true, true, false) => planned(Step::Restart, format!("{changed} changed")),
            (true, false, _) if entry.is_alive() => {
                planned(Step::Stop, format!("{changed} changed, and it is not wanted at {at}"))
            }
            (false, true, _) => planned(Step::Start, format!("{changed} changed, and it is wanted at {at}")),
            (true | false, false, _) => planned(Step::Change, format!("{changed} changed; it does not run")),
        }
    }
}

/// Whether it runs, or has run at this level.
fn is_active(entry: &Entry) -> bool {
    entry.state != State::Down
}

fn what_changed(old: &EntrySpec, new: &EntrySpec) -> String {
    let mut parts = Vec::new();
    if old.mode != new.mode {
        parts.push("its mode");
    }
    if old.program.command != new.program.command {
        parts.push("its command");
    } else if old.program != new.program {
        parts.push("a property that its process is started with");
    }
    if old.levels != new.levels {
        parts.push("its levels");
    }
    if old.policy != new.policy {
        parts.push("how it is treated");
    }
    parts.join(", ")
}
