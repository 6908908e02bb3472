//! What a table would change if it were accepted now. Nothing is changed by asking.

use std::collections::BTreeSet;

use super::{Graph, Node};
use crate::care::Care;
use crate::entry::{Entry, Fate, Hold, State};
use crate::event::EntryId;
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
            let keys = group.entries.iter().map(|spec| group.key(spec));
            let mut steps: Vec<Option<Planned>> = group
                .entries
                .iter()
                .map(|spec| self.plan_entry(group, &group.key(spec), spec, level.as_ref()))
                .collect();
            self.plan_links(group, level.as_ref(), &mut steps);
            plan.extend(steps.into_iter().flatten());
            named.extend(keys);
        }
        let is_dropped = |entry: &Entry| !named.contains(&entry.key) && !entry.transient;
        let dropped = self.entries().filter(|(_, entry)| is_dropped(entry));
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
        let has_level = has_level(spec, level);
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

    /// What becomes of entries because of those that they require.
    fn plan_links(&self, group: &GroupSpec, level: Option<&Level>, steps: &mut [Option<Planned>]) {
        let Some(graph) = Graph::of_specs(&group.entries) else { return };
        let place_of = |EntryId(place)| place as usize;
        // Which of them those that require them can count on.
        let mut serves = vec![false; steps.len()];
        for &member in graph.order() {
            let (place, spec) = (place_of(member), &group.entries[place_of(member)]);
            let key = group.key(spec);
            let known = |key: &EntryKey| self.entry_id(key).and_then(|id| self.entry(id));
            let entry = known(&key);
            let is_wanted = has_level(spec, level) && entry.is_none_or(|entry| entry.hold == Hold::Free);
            if !is_wanted {
                continue;
            }
            let step = |place: usize| steps[place].as_ref().map(|planned: &Planned| planned.step);
            let is_active = entry.is_some_and(is_active);
            // What runs already goes on when another starts.
            let moves = |place: &usize| match step(*place) {
                Some(Step::Restart) => true,
                Some(Step::Start) => !is_active,
                Some(Step::Change) | None => {
                    known(&group.key(&group.entries[*place])).is_some_and(comes_back)
                }
                Some(Step::Stop | Step::Add | Step::Forget) => false,
            };
            let missing = graph.required(member).map(place_of).find(|&other| !serves[other]);
            let moved = graph.required(member).map(place_of).find(moves);
            let name = |place: usize| group.key(&group.entries[place]);
            let because = match missing {
                Some(other) => requires_in_vain(entry, step(place), &name(other)),
                None => moved.and_then(|other| moves_with(is_active, step(place), &name(other))),
            };
            if let Some((step, why)) = because {
                steps[place] = Some(Planned { key, step, why });
            }
            let comes_anew = matches!(steps[place], Some(Planned { step: Step::Start | Step::Restart, .. }));
            serves[place] =
                missing.is_none() && (comes_anew || entry.is_none_or(|entry| !fails_on(entry, spec)));
        }
    }
}

/// What becomes of an entry that is wanted, but requires another that would not run.
fn requires_in_vain(entry: Option<&Entry>, own: Option<Step>, other: &EntryKey) -> Option<(Step, String)> {
    let Some(entry) = entry else {
        return Some((Step::Add, format!("it is new, and requires {other}, which would not run")));
    };
    let step = match own {
        _ if is_active(entry) => Step::Stop,
        Some(Step::Start) => Step::Change,
        Some(_) | None => return None,
    };
    Some((step, format!("it requires {other}, which would not run")))
}

/// What becomes of an entry that is wanted, and requires another that would start, or start again.
fn moves_with(is_active: bool, own: Option<Step>, other: &EntryKey) -> Option<(Step, String)> {
    match own {
        Some(Step::Start | Step::Restart | Step::Add | Step::Stop | Step::Forget) => None,
        None | Some(Step::Change) if is_active => {
            Some((Step::Restart, format!("it requires {other}, which would restart")))
        }
        None | Some(Step::Change) => Some((Step::Start, format!("it requires {other}, which would start"))),
    }
}

/// Whether an entry belongs to a level and may run at all.
fn has_level(spec: &EntrySpec, level: Option<&Level>) -> bool {
    level.is_some_and(|level| spec.levels.contains(level)) && spec.mode != Mode::Off
}

/// Whether it is to leave and come back already.
fn comes_back(entry: &Entry) -> bool {
    is_active(entry) && (entry.renewed || matches!(entry.fate, Fate::Replace(_)))
}

/// Whether it failed, and its life goes on with this content, which says so.
fn fails_on(entry: &Entry, spec: &EntrySpec) -> bool {
    let same_life = entry.spec.program == spec.program && entry.spec.mode == spec.mode;
    same_life && entry.has_failed_by(spec)
}

/// Whether it runs, or has run at this level.
fn is_active(entry: &Entry) -> bool {
    entry.state != State::Down
}

/// What differs, in the words of the table where it has one for it.
fn what_changed(old: &EntrySpec, new: &EntrySpec) -> String {
    let (before, after) = (&old.program, &new.program);
    let mut parts = Vec::new();
    let mut part = |word: &'static str, is_changed: bool| parts.extend(is_changed.then_some(word));
    part("its mode", old.mode != new.mode);
    part("its command", before.command != after.command);
    part("its levels", old.levels != new.levels);
    part("what it follows", old.links != new.links);
    part("readiness", before.readiness != after.readiness);
    part("listen", before.listen != after.listen);
    part("watchdog", before.watchdog != after.watchdog);
    part("output", before.output != after.output);
    part("cgroup", before.cgroup != after.cgroup);
    part("its surroundings", before.surroundings != after.surroundings);
    let (stop, next_stop) = (old.policy.stop, new.policy.stop);
    part("stop_signal", stop.signal != next_stop.signal);
    part("stop_timeout", stop.timeout != next_stop.timeout);
    part("kill_mode", stop.scope != next_stop.scope);
    part("its throttle", old.policy.throttle != new.policy.throttle);
    parts.extend(care_changed(old.policy.care(), new.policy.care()));
    parts.join(", ")
}

fn care_changed(old: &Care, new: &Care) -> impl Iterator<Item = &'static str> {
    let Care { start_timeout, health, restart, delay, retry, failover, .. } = old;
    let Care { success, stop_command, reload, reload_timeout, on_failure, .. } = old;
    [
        ("start_timeout", *start_timeout != new.start_timeout),
        ("its health check", *health != new.health),
        ("restart", *restart != new.restart),
        ("restart_delay", *delay != new.delay),
        ("retry_count or retry_interval", *retry != new.retry),
        ("failover_mode", *failover != new.failover),
        ("success_exit_status", *success != new.success),
        ("stop_command", *stop_command != new.stop_command),
        ("how it reloads", *reload != new.reload),
        ("reload_timeout", *reload_timeout != new.reload_timeout),
        ("on_failure", *on_failure != new.on_failure),
    ]
    .into_iter()
    .filter_map(|(word, is_changed)| is_changed.then_some(word))
}
