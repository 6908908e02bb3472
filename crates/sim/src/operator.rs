//! The operator: writes tables, edits them, and tells levels.

use std::sync::Arc;
use std::time::Duration;

use clinit_engine::care::{Care, Links, Readiness};
use clinit_engine::entry::Hold;
use clinit_engine::event::{EntryId, Event, Order};
use clinit_engine::name::{GroupName, Level, Tag};
use clinit_engine::spec::{
    Command, EntrySpec, GroupSpec, KillScope, Levels, Mode, Output, Policy, Program, StopPolicy, Table,
    ThrottlePolicy,
};

use crate::care;
use crate::process::Nature;
use crate::rng::Rng;

const GROUPS: [&str; 4] = ["web", "db", "0", "net"];
const TAGS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
const LEVELS: [&str; 6] = ["0", "1", "1", "2", "run", "99"];
const COLUMNS: [&str; 6] = ["1", "12", "12", "012", "run", "r12"];
const MODES: [(u32, Mode); 5] =
    [(45, Mode::Respawn), (18, Mode::Once), (18, Mode::Wait), (14, Mode::Test), (5, Mode::Off)];

const SIGHUP: u8 = 1;

/// Knows the names of the site, and never gives a version twice.
#[derive(Debug)]
pub(crate) struct Operator {
    groups: Vec<GroupName>,
    tags: Vec<Tag>,
    levels: Vec<Level>,
    version: u32,
    /// The table before this one, to go back to.
    before: Option<Table>,
    /// How many of a hundred entries are cared for, and how many follow others.
    cared: u32,
    linked: u32,
}

impl Operator {
    pub(crate) fn new(cared: u32, linked: u32) -> Self {
        Self {
            cared,
            linked,
            groups: GROUPS.iter().filter_map(|text| GroupName::new(text).ok()).collect(),
            tags: TAGS.iter().filter_map(|text| Tag::new(text).ok()).collect(),
            levels: LEVELS.iter().filter_map(|text| Level::new(text).ok()).collect(),
            version: 0,
            before: None,
        }
    }

    /// Any group, in the table or not, and any level, known or not.
    pub(crate) fn tell(&self, rng: &mut Rng) -> Option<Event> {
        let group = rng.pick(&self.groups)?.clone();
        Some(Event::Told { group, level: rng.pick(&self.levels)?.clone() })
    }

    /// Something asked of some of these entries.
    pub(crate) fn ask_by_hand(rng: &mut Rng, entries: &[EntryId]) -> Option<Event> {
        let orders = [
            (30, Order::Stop { hold: Hold::UntilTold }),
            (20, Order::Stop { hold: Hold::UntilStarted }),
            (40, Order::Start),
            (30, Order::Restart),
            (20, Order::Reset),
            (10, Order::Signal(SIGHUP)),
            (10, Order::Reload),
        ];
        let entries = (0..=rng.below(2)).filter_map(|_| rng.pick(entries).copied()).collect();
        Some(Event::Ordered { entries, order: rng.weigh(&orders)? })
    }

    /// A first table.
    pub(crate) fn write(&mut self, rng: &mut Rng) -> Table {
        let mut table = Table::default();
        for name in self.groups.clone().into_iter().take(1 + rng.below(self.groups.len())) {
            self.add_group(rng, &mut table, name);
        }
        care::prune_links(&mut table);
        table
    }

    /// An entry that no table has, by a name that may be taken.
    pub(crate) fn add(&mut self, rng: &mut Rng) -> Option<Event> {
        let group = rng.pick(&self.groups)?.clone();
        let mut spec = self.entry(rng, &Table::default())?;
        let tag = if rng.chance(80) { format!("t-{}", spec.tag) } else { spec.tag.to_string() };
        spec.tag = Tag::new(&tag).ok()?;
        spec.links = None;
        Some(Event::Added { group, spec: Box::new(spec) })
    }

    /// Another table: some edits of this one, at times the one before, seldom none.
    pub(crate) fn edit(&mut self, rng: &mut Rng, table: &Table) -> Table {
        if table.groups.is_empty() {
            return self.write(rng);
        }
        if rng.chance(3) {
            return Table::default();
        }
        let before = self.before.replace(table.clone());
        if let Some(before) = before.filter(|_| rng.chance(20)) {
            return before;
        }
        let mut table = table.clone();
        for _ in 0..rng.below(4) {
            match rng.below(10) {
                0 => self.add_or_drop_group(rng, &mut table),
                1 => self.add_entry(rng, &mut table),
                2 => drop(cut_entry(rng, &mut table)),
                3 => self.move_entry(rng, &mut table),
                4 => shuffle(rng, &mut table),
                _ => self.change_entry(rng, &mut table),
            }
        }
        care::prune_links(&mut table);
        table
    }

    fn add_or_drop_group(&mut self, rng: &mut Rng, table: &mut Table) {
        let Some(name) = rng.pick(&self.groups).cloned() else { return };
        match table.groups.iter().position(|group| group.name == name) {
            Some(place) => drop(table.groups.remove(place)),
            None => self.add_group(rng, table, name),
        }
    }

    fn add_group(&mut self, rng: &mut Rng, table: &mut Table, name: GroupName) {
        let initdefault = if rng.chance(40) { rng.pick(&self.levels).cloned() } else { None };
        table.groups.push(GroupSpec { name, initdefault, entries: Vec::new() });
        let place = table.groups.len() - 1;
        for _ in 0..rng.below(6) {
            if let Some(spec) = self.entry(rng, table) {
                table.groups[place].entries.push(spec);
            }
        }
    }

    fn add_entry(&mut self, rng: &mut Rng, table: &mut Table) {
        if let Some(spec) = self.entry(rng, table) {
            insert(rng, table, spec);
        }
    }

    /// The same line in another group, or at another place of its own.
    fn move_entry(&mut self, rng: &mut Rng, table: &mut Table) {
        if let Some(spec) = cut_entry(rng, table) {
            insert(rng, table, spec);
        }
    }

    fn change_entry(&mut self, rng: &mut Rng, table: &mut Table) {
        let Some(group) = rng.pick(&places(table)).copied() else { return };
        let entries = &mut table.groups[group].entries;
        let place = rng.below(entries.len());
        let spec = &mut entries[place];
        match rng.below(7) {
            5 => Arc::make_mut(&mut spec.policy).care = self.care(rng),
            6 => spec.links = self.links(rng, &spec.tag),
            0 => spec.program = self.program(rng, &spec.tag),
            1 => spec.mode = rng.weigh(&MODES).unwrap_or(Mode::Off),
            2 => spec.levels = Arc::new(self.columns(rng)),
            3 => Arc::make_mut(&mut spec.policy).stop = stop_policy(rng),
            _ => Arc::make_mut(&mut spec.policy).throttle = throttle_policy(rng),
        }
    }

    /// A new line with a tag that the table has not.
    fn entry(&mut self, rng: &mut Rng, table: &Table) -> Option<EntrySpec> {
        let taken = |tag: &Tag| table.groups.iter().flat_map(|group| &group.entries).any(|e| &e.tag == tag);
        let free: Vec<Tag> = self.tags.iter().filter(|tag| !taken(tag)).cloned().collect();
        let tag = rng.pick(&free)?.clone();
        Some(EntrySpec {
            levels: Arc::new(self.columns(rng)),
            mode: rng.weigh(&MODES)?,
            program: self.program(rng, &tag),
            policy: Arc::new(Policy {
                stop: stop_policy(rng),
                throttle: throttle_policy(rng),
                care: self.care(rng),
                ..Policy::default()
            }),
            links: self.links(rng, &tag),
            tag,
        })
    }

    fn care(&self, rng: &mut Rng) -> Option<Arc<Care>> {
        (self.cared > 0 && rng.chance(self.cared)).then(|| care::care(rng))
    }

    fn links(&self, rng: &mut Rng, tag: &Tag) -> Option<Arc<Links>> {
        if self.linked > 0 && rng.chance(self.linked) { care::links(rng, tag, &self.tags) } else { None }
    }

    fn columns(&self, rng: &mut Rng) -> Levels {
        let word = rng.pick(&COLUMNS).and_then(|text| Level::new(text).ok());
        match word {
            Some(word) if rng.chance(80) => Levels::Word(word),
            Some(_) | None => {
                let labels = (0..=rng.below(2)).filter_map(|_| rng.pick(&self.levels).cloned());
                Levels::Labels(labels.collect())
            }
        }
    }

    fn program(&mut self, rng: &mut Rng, tag: &Tag) -> Arc<Program> {
        self.version += 1;
        let nature = rng.weigh(&Nature::ALL).unwrap_or(Nature::Steady);
        let words = [nature.as_str().into(), tag.as_str().into(), format!("v{}", self.version).into()];
        let is_cared_for = self.cared > 0 && rng.chance(self.cared);
        Arc::new(Program {
            output: Output::Null,
            cgroup: false,
            readiness: if is_cared_for { care::readiness(rng) } else { Readiness::Started },
            watchdog: if is_cared_for { care::watchdog(rng) } else { None },
            ..Program::plain(Command::Direct(words.into()))
        })
    }
}

fn stop_policy(rng: &mut Rng) -> StopPolicy {
    let timeout = rng.weigh(&[(60, Some(10)), (15, Some(2)), (15, Some(0)), (10, None)]).flatten();
    let scope = rng.weigh(&[(80, KillScope::Group), (10, KillScope::Main), (10, KillScope::Cgroup)]);
    StopPolicy {
        signal: rng.weigh(&[(90, 15), (10, 2)]).unwrap_or(15),
        timeout: timeout.map(Duration::from_secs),
        scope: scope.unwrap_or(KillScope::Group),
    }
}

fn throttle_policy(rng: &mut Rng) -> ThrottlePolicy {
    let (starts, interval, pause) = rng
        .weigh(&[(70, (5, 10, 60)), (12, (2, 5, 3)), (12, (1, 1, 2)), (6, (0, 10, 60))])
        .unwrap_or((5, 10, 60));
    let (interval, pause) = (Duration::from_secs(interval), Duration::from_secs(pause));
    ThrottlePolicy { starts, interval, pause }
}

/// The groups that have entries.
fn places(table: &Table) -> Vec<usize> {
    let filled = table.groups.iter().enumerate().filter(|(_, group)| !group.entries.is_empty());
    filled.map(|(place, _)| place).collect()
}

fn cut_entry(rng: &mut Rng, table: &mut Table) -> Option<EntrySpec> {
    let group = *rng.pick(&places(table))?;
    let entries = &mut table.groups[group].entries;
    Some(entries.remove(rng.below(entries.len())))
}

fn insert(rng: &mut Rng, table: &mut Table, spec: EntrySpec) {
    let group = rng.below(table.groups.len());
    if let Some(group) = table.groups.get_mut(group) {
        let place = rng.below(group.entries.len() + 1);
        group.entries.insert(place, spec);
    }
}

fn shuffle(rng: &mut Rng, table: &mut Table) {
    if let Some(group) = rng.pick(&places(table)).copied() {
        table.groups[group].entries.rotate_left(1);
    }
}
