//! Calls that ask and change nothing.

use std::path::Path;

use clinit_control::CallError;
use clinit_control::interface::{
    DaemonStatus, Explain, ExplainReply, Explained, GroupStatus, Status, StatusReply,
};
use clinit_engine::event::EntryId;
use clinit_engine::name::{EntryKey, GroupName, Tag};
use clinit_engine::time::Instant;
use clinit_table::{ParseOptions, Places, nearest};

use super::{Engine, causes, view};

/// What a call is about.
pub(super) enum Picked {
    All,
    Group(GroupName),
    Entry(EntryKey),
}

impl Engine {
    pub(super) fn find_group(&self, name: &str) -> Result<GroupName, CallError> {
        let found = GroupName::new(name).ok().filter(|group| self.node.has_group(group));
        found.ok_or_else(|| {
            let names = self.node.groups().map(|group| group.name().as_str());
            let suggestion = nearest(name, names).map(str::to_owned);
            CallError::NoSuchGroup { group: name.to_owned(), suggestion }
        })
    }

    pub(super) fn status(&self, wanted: &Status, now: Instant) -> Result<StatusReply, CallError> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let daemon = DaemonStatus {
            keeper_pid: self.keeper_pid,
            engine_pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            table: path(&self.setup.table),
            socket: path(&self.setup.socket),
            clstat: self.setup.clstat.as_deref().map(path).unwrap_or_default(),
            logs: self.setup.logs.as_deref().map(path).unwrap_or_default(),
            since_ms: view::milliseconds(now.since(self.started)),
        };
        let picked = self.pick(wanted)?;
        let groups = self.node.groups().filter(|group| match &picked {
            Picked::All => true,
            Picked::Group(name) => group.name() == name,
            Picked::Entry(key) => *group.name() == key.group,
        });
        let groups = groups.map(|group| {
            view::group(&self.node, group, now, |entry| match &picked {
                Picked::All | Picked::Group(_) => true,
                Picked::Entry(key) => entry.key() == key,
            })
        });
        let mut groups: Vec<GroupStatus> = groups.collect();
        groups.iter_mut().for_each(|group| self.tell_logs(group));
        if !self.starts.is_idle() {
            groups.iter_mut().for_each(|group| self.explain_waiting(group));
        }
        Ok(StatusReply { daemon, groups })
    }

    /// Says of entries that were not handed to the keeper yet what they wait for.
    fn explain_waiting(&self, group: &mut GroupStatus) {
        for entry in &mut group.entries {
            let key = EntryKey { group: group.name.clone(), tag: entry.tag.clone() };
            if let Some(why) = self.node.entry_id(&key).and_then(|id| self.starts.why(id)) {
                entry.why = Some(why.to_owned());
            }
        }
    }

    /// What a status is asked of.
    pub(super) fn pick(&self, wanted: &Status) -> Result<Picked, CallError> {
        match (&wanted.group, &wanted.tag) {
            (None, None) => Ok(Picked::All),
            (Some(group), None) => {
                let known = GroupName::new(group).ok().filter(|name| self.node.group(name).is_some());
                known.map(Picked::Group).map_or_else(|| self.find_group(group).map(Picked::Group), Ok)
            }
            (Some(group), Some(tag)) => self.pick_entry(group, tag),
            (None, Some(name)) => match name.split_once('/') {
                Some((group, tag)) => self.pick_entry(group, tag),
                None => self.pick_tag(name),
            },
        }
    }

    fn pick_entry(&self, group: &str, tag: &str) -> Result<Picked, CallError> {
        let group = self.find_group(group)?;
        let key = Tag::new(tag).ok().map(|tag| EntryKey { group: group.clone(), tag });
        key.filter(|key| self.node.entry_id(key).is_some()).map(Picked::Entry).ok_or_else(|| {
            let tags = self.node.entries().map(|(_, entry)| entry.key()).filter(|key| key.group == group);
            let suggestion =
                nearest(tag, tags.map(|key| key.tag.as_str())).map(|tag| format!("{group}/{tag}"));
            CallError::NoSuchEntry { name: format!("{group}/{tag}"), suggestion }
        })
    }

    /// An entry by its tag alone, which is unique in a table.
    fn pick_tag(&self, name: &str) -> Result<Picked, CallError> {
        let mut keys =
            self.node.entries().map(|(_, entry)| entry.key()).filter(|key| key.tag.as_str() == name);
        let is_group = GroupName::new(name).is_ok_and(|group| self.node.has_group(&group));
        match (keys.next(), is_group) {
            (Some(_), true) => Err(CallError::Ambiguous { name: name.to_owned() }),
            (Some(key), false) => Ok(Picked::Entry(key.clone())),
            (None, _) => {
                let tags = self.node.entries().map(|(_, entry)| entry.key().tag.as_str());
                let suggestion = nearest(name, tags).map(str::to_owned);
                Err(CallError::NoSuchEntry { name: name.to_owned(), suggestion })
            }
        }
    }

    /// The entries of what a call is about, which must not be all.
    pub(super) fn entries_of(&self, picked: &Picked) -> Result<Vec<EntryId>, CallError> {
        match picked {
            Picked::All => Err(CallError::InvalidParameter { parameter: "group".to_owned() }),
            Picked::Group(name) => {
                Ok(self.node.group(name).map(|group| group.members().to_vec()).unwrap_or_default())
            }
            Picked::Entry(key) => Ok(self.node.entry_id(key).into_iter().collect()),
        }
    }

    /// Why entries are as they are.
    pub(super) fn explain(&self, call: &Explain, now: Instant) -> Result<ExplainReply, CallError> {
        let picked = self.pick(&Status { group: call.group.clone(), tag: call.tag.clone() })?;
        let name = match &picked {
            Picked::All => None,
            Picked::Group(name) => Some(name),
            Picked::Entry(key) => Some(&key.group),
        };
        let options = ParseOptions { dialect: self.setup.dialect };
        let places =
            name.map(|name| Places::of_group(&self.tables.accepted, options, name)).unwrap_or_default();
        let ids = self.entries_of(&picked)?;
        let one = |&id: &EntryId| {
            let EntryKey { group, tag } = self.node.entry(id)?.key().clone();
            let place = places.entry(&tag).map(ToString::to_string);
            Some(Explained { group, tag, place, causes: causes::chain(&self.node, id, &places, now) })
        };
        Ok(ExplainReply { entries: ids.iter().filter_map(one).collect() })
    }
}
