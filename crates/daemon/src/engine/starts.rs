//! Starts that wait for the finder: for a name to be looked up, an environment file to be read, or sockets to be
//! opened.
//!
//! The entries of a group are handed to the keeper in their order, so those behind such an entry wait with
//! it. Other groups do not, nor does an entry that is started again: its turn has been.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clinit_engine::event::{EntryId, ExecFault, Generation};
use clinit_engine::name::GroupName;
use clinit_table::environment::Variables;

use super::listening::Opened;
use crate::accounts::{Account, Identities, Identity};

/// A start that is waiting.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) generation: Generation,
    pub(crate) kill_rest: bool,
    /// The group in whose order it is handed over, if in any.
    pub(crate) line: Option<GroupName>,
    pub(crate) account: Option<Account>,
    pub(crate) file: File,
    pub(crate) sockets: Sockets,
}

/// The environment file of a start.
#[derive(Debug)]
pub(crate) enum File {
    /// It has none.
    None,
    /// The finder was asked for it.
    Asked,
    /// What came of that.
    Read(Result<Variables, ExecFault>),
}

/// The sockets of a start.
#[derive(Debug)]
pub(crate) enum Sockets {
    /// It has none, or they are held.
    None,
    /// The finder was asked to open them.
    Asked,
    /// What came of that.
    Opened(Result<Opened, ExecFault>),
}

/// All of them, and what is known of the accounts that they need.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    waiting: BTreeMap<EntryId, Start>,
    lines: BTreeMap<GroupName, VecDeque<EntryId>>,
    /// Whose turn may have come.
    candidates: VecDeque<EntryId>,
    /// What is known; `None` while it is asked for.
    accounts: BTreeMap<Account, Option<Result<Identity, ExecFault>>>,
}

impl Starts {
    /// Whether nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether an account has to be asked for: it is unknown, or could not be found. It counts as asked for
    /// from then on.
    pub(crate) fn must_ask(&mut self, account: &Account) -> bool {
        if matches!(self.accounts.get(account), Some(None | Some(Ok(_)))) {
            return false;
        }
        self.accounts.insert(account.clone(), None);
        true
    }

    /// What is known of an account; `None` while it is asked for.
    pub(crate) fn identity(&self, account: &Account) -> Option<&Result<Identity, ExecFault>> {
        self.accounts.get(account)?.as_ref()
    }

    /// The accounts that are known or asked for.
    pub(crate) fn accounts(&self) -> Vec<Account> {
        self.accounts.keys().cloned().collect()
    }

    /// Another table holds: its accounts are asked for anew, and others forgotten unless a start needs them.
    /// What is known of one holds until the answer.
    pub(crate) fn expect(&mut self, accounts: &BTreeSet<Account>) {
        let needed: BTreeSet<Account> =
            self.waiting.values().filter_map(|start| start.account.clone()).collect();
        let known = std::mem::take(&mut self.accounts);
        self.accounts = accounts.iter().map(|account| (account.clone(), None)).collect();
        self.accounts.extend(known.into_iter().filter(|(account, known)| match known {
            None => true,
            Some(Ok(_)) => accounts.contains(account) || needed.contains(account),
            Some(Err(_)) => !accounts.contains(account) && needed.contains(account),
        }));
    }

    /// Learns of accounts.
    pub(crate) fn learn(&mut self, identities: Identities) {
        self.accounts.extend(identities.into_iter().map(|(account, found)| (account, Some(found))));
        self.candidates.extend(self.waiting.keys());
    }

    /// Lets a start wait for what it needs, and for its turn.
    pub(crate) fn add(&mut self, entry: EntryId, start: Start) {
        self.withdraw_any(entry);
        if let Some(group) = &start.line {
            self.lines.entry(group.clone()).or_default().push_back(entry);
        }
        self.waiting.insert(entry, start);
        self.candidates.push_back(entry);
    }

    /// An environment file was read.
    pub(crate) fn file_read(
        &mut self,
        entry: EntryId,
        generation: Generation,
        read: Result<Variables, ExecFault>,
    ) {
        if let Some(start) = self.waiting.get_mut(&entry).filter(|start| start.generation == generation) {
            start.file = File::Read(read);
            self.candidates.push_back(entry);
        }
    }

    /// Sockets were opened.
    pub(crate) fn opened(
        &mut self,
        entry: EntryId,
        generation: Generation,
        opened: Result<Opened, ExecFault>,
    ) {
        if let Some(start) = self.waiting.get_mut(&entry).filter(|start| start.generation == generation) {
            start.sockets = Sockets::Opened(opened);
            self.candidates.push_back(entry);
        }
    }

    /// Forgets a start that waits; whether it did.
    pub(crate) fn withdraw(&mut self, entry: EntryId, generation: Generation) -> bool {
        let is_waiting = self.waiting.get(&entry).is_some_and(|start| start.generation == generation);
        is_waiting && self.withdraw_any(entry).is_some()
    }

    fn withdraw_any(&mut self, entry: EntryId) -> Option<Start> {
        let start = self.waiting.remove(&entry)?;
        if let Some(group) = &start.line
            && let Some(line) = self.lines.get_mut(group)
        {
            line.retain(|&other| other != entry);
            self.candidates.extend(line.front());
            if line.is_empty() {
                self.lines.remove(group);
            }
        }
        Some(start)
    }

    /// The next start that has all it needs and whose turn has come.
    pub(crate) fn next(&mut self) -> Option<(EntryId, Start)> {
        while let Some(entry) = self.candidates.pop_front() {
            if self.waiting.get(&entry).is_some_and(|start| self.is_ready(entry, start)) {
                return Some((entry, self.withdraw_any(entry)?));
            }
        }
        None
    }

    fn is_ready(&self, entry: EntryId, start: &Start) -> bool {
        let front = start.line.as_ref().and_then(|group| self.lines.get(group)?.front());
        let has_turn = start.line.is_none() || front == Some(&entry);
        has_turn && self.missing(start).is_none()
    }

    fn missing(&self, start: &Start) -> Option<&'static str> {
        match (&start.account, &start.file, &start.sockets) {
            (Some(account), _, _) if self.identity(account).is_none() => {
                Some("it waits until its user is looked up")
            }
            (_, File::Asked, _) => Some("it waits until its environment file is read"),
            (_, _, Sockets::Asked) => Some("it waits until its sockets are opened"),
            (_, File::None | File::Read(_), Sockets::None | Sockets::Opened(_)) => None,
        }
    }

    /// Why an entry was not handed to the keeper yet, if it was not.
    pub(crate) fn why(&self, entry: EntryId) -> Option<&'static str> {
        let start = self.waiting.get(&entry)?;
        Some(self.missing(start).unwrap_or("it waits for an entry before it to be started"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(generation: u64, line: Option<&str>, file: File) -> Start {
        let line = line.map(|name| GroupName::new(name).unwrap());
        let sockets = Sockets::None;
        Start { generation: Generation(generation), kill_rest: false, line, account: None, file, sockets }
    }

    fn ready(starts: &mut Starts) -> Vec<u32> {
        std::iter::from_fn(|| starts.next()).map(|(entry, _)| entry.0).collect()
    }

    #[test]
    fn a_group_keeps_its_order_and_others_go_on() {
        let mut starts = Starts::default();
        starts.add(EntryId(0), start(1, Some("web"), File::Asked));
        starts.add(EntryId(1), start(2, Some("web"), File::None));
        starts.add(EntryId(2), start(3, Some("db"), File::None));
        starts.add(EntryId(3), start(4, None, File::None));
        assert_eq!(ready(&mut starts), [2, 3]);
        assert!(starts.why(EntryId(0)).unwrap().contains("file"));
        assert!(starts.why(EntryId(1)).unwrap().contains("before it"));
        starts.file_read(EntryId(0), Generation(9), Ok(Variables::new()));
        assert!(ready(&mut starts).is_empty(), "that was another life's");
        starts.file_read(EntryId(0), Generation(1), Ok(Variables::new()));
        assert_eq!(ready(&mut starts), [0, 1]);
        assert!(starts.is_idle() && starts.lines.is_empty());
    }

    #[test]
    fn what_is_withdrawn_holds_nobody() {
        let mut starts = Starts::default();
        starts.add(EntryId(0), start(1, Some("web"), File::Asked));
        starts.add(EntryId(1), start(2, Some("web"), File::None));
        assert!(!starts.withdraw(EntryId(0), Generation(2)));
        assert!(starts.withdraw(EntryId(0), Generation(1)));
        assert!(!starts.withdraw(EntryId(0), Generation(1)));
        assert_eq!(ready(&mut starts), [1]);
        starts.file_read(EntryId(0), Generation(1), Ok(Variables::new()));
        assert!(ready(&mut starts).is_empty() && starts.is_idle());
    }

    #[test]
    fn an_account_is_asked_for_until_it_is_found() {
        let around =
            clinit_engine::surroundings::Surroundings { user: Some("root".into()), ..Default::default() };
        let account = Account::of(&around).unwrap();
        let fault = ExecFault { stage: clinit_engine::event::ExecStage::UserLookup, errno: 2 };
        let mut starts = Starts::default();
        let wait = |starts: &mut Starts| {
            let start = Start { account: Some(account.clone()), ..start(1, Some("web"), File::None) };
            starts.add(EntryId(0), start);
        };
        assert!(starts.must_ask(&account) && !starts.must_ask(&account));
        wait(&mut starts);
        assert!(ready(&mut starts).is_empty());
        starts.learn([(account.clone(), Err(fault))].into());
        assert_eq!(ready(&mut starts), [0]);
        assert_eq!(starts.identity(&account), Some(&Err(fault)));

        assert!(starts.must_ask(&account), "by now there may be one");
        wait(&mut starts);
        starts.expect(&BTreeSet::new());
        assert!(ready(&mut starts).is_empty(), "the answer is still to come");
        let found = crate::accounts::look_up([account.clone()]);
        starts.learn(found);
        assert_eq!(ready(&mut starts), [0]);
        assert!(!starts.must_ask(&account));
        starts.expect(&[account.clone()].into());
        assert!(starts.identity(&account).is_some(), "it holds until it is known better");
        starts.expect(&BTreeSet::new());
        assert!(starts.accounts().is_empty());
    }
}
