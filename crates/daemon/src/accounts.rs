//! Who entries run as: from the names in the table to the numbers of this machine.
//!
//! Looking a name up may take as long as a name service likes: only threads that may wait do it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use clinit_engine::event::{ExecFault, ExecStage};
use clinit_engine::spec::Table;
use clinit_engine::surroundings::Surroundings;
use clinit_sys::accounts::{User, group_named, groups_of, user_named, user_numbered};
use clinit_table::environment::Variables;
use clinit_table::{Diagnostic, ParseOptions, Severity, Source, WARNINGS_MAX, given};
use rustix::io::Errno;

const RUN_USER: &str = "run_user";
const RUN_GROUP: &str = "run_group";

/// Whom an entry is to run as, as the table names them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Account {
    user: Option<Box<str>>,
    group: Option<Box<str>>,
}

/// Who that is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The user, if it is not to be the daemon's.
    pub(crate) uid: Option<u32>,
    /// The Unix group.
    pub(crate) gid: u32,
    /// The supplementary groups of the user.
    pub(crate) groups: Option<Vec<u32>>,
    /// What a login would tell the user of itself.
    pub(crate) variables: Variables,
}

/// What came of looking names up.
pub(crate) type Identities = BTreeMap<Account, Result<Identity, ExecFault>>;

impl Account {
    /// Whom an entry with these surroundings is to run as; `None` is as the daemon.
    pub(crate) fn of(around: &Surroundings) -> Option<Self> {
        let Surroundings { user, group, .. } = around;
        (user.is_some() || group.is_some()).then(|| Self { user: user.clone(), group: group.clone() })
    }
}

/// All accounts that a table names.
pub(crate) fn accounts_of(table: &Table) -> BTreeSet<Account> {
    let entries = table.groups.iter().flat_map(|group| &group.entries);
    entries.filter_map(|entry| Account::of(entry.program.surroundings.as_deref()?)).collect()
}

/// Looks accounts up. May wait for a name service.
pub(crate) fn look_up(accounts: impl IntoIterator<Item = Account>) -> Identities {
    let one = |account: Account| {
        let identity = identity(&account);
        (account, identity)
    };
    accounts.into_iter().map(one).collect()
}

fn identity(account: &Account) -> Result<Identity, ExecFault> {
    let (uid, user) = match &account.user {
        None => (None, None),
        Some(text) => {
            let (uid, user) = find_user(text)?;
            (Some(uid), user)
        }
    };
    let gid = match (&account.group, &user) {
        (Some(text), _) => find_group(text)?,
        (None, Some(user)) => user.gid,
        // A number that nobody has: whose group?
        (None, None) => return Err(unknown(ExecStage::GroupLookup)),
    };
    let groups = match (&user, uid) {
        (Some(user), _) => Some(groups_of(&user.name, gid).map_err(failed(ExecStage::UserLookup))?),
        (None, Some(_)) => Some(Vec::new()),
        (None, None) => None,
    };
    Ok(Identity { uid, gid, groups, variables: user.map(variables_of).unwrap_or_default() })
}

fn find_user(text: &str) -> Result<(u32, Option<User>), ExecFault> {
    let stage = ExecStage::UserLookup;
    if let Ok(uid) = text.parse() {
        return Ok((uid, user_numbered(uid).map_err(failed(stage))?));
    }
    let user = user_named(text).map_err(failed(stage))?.ok_or(unknown(stage))?;
    Ok((user.uid, Some(user)))
}

fn find_group(text: &str) -> Result<u32, ExecFault> {
    let stage = ExecStage::GroupLookup;
    match text.parse() {
        Ok(gid) => Ok(gid),
        Err(_) => group_named(text).map_err(failed(stage))?.ok_or(unknown(stage)),
    }
}

fn variables_of(user: User) -> Variables {
    let User { name, home, shell, .. } = user;
    let pairs = [("USER", name.clone()), ("LOGNAME", name), ("HOME", home), ("SHELL", shell)];
    let told = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| (name.as_bytes().to_vec(), value)).collect()
}

/// There is none.
fn unknown(stage: ExecStage) -> ExecFault {
    ExecFault { stage, errno: Errno::NOENT.raw_os_error() }
}

/// It could not be found out.
fn failed(stage: ExecStage) -> impl Fn(io::Error) -> ExecFault {
    move |error| ExecFault { stage, errno: error.raw_os_error().unwrap_or(Errno::IO.raw_os_error()) }
}

/// Warns of the names that are not known here, where the table has them.
pub(crate) fn warnings(
    sources: &[Source],
    options: ParseOptions,
    identities: &Identities,
) -> Vec<Diagnostic> {
    let problems: Vec<_> = identities.iter().filter_map(|(account, found)| problem(account, found)).collect();
    if problems.is_empty() {
        return Vec::new();
    }
    let places = given(sources, options, &[RUN_USER, RUN_GROUP], usize::MAX);
    let warned = places.into_iter().filter_map(|place| {
        let is_it =
            |problem: &&Problem<'_>| (problem.property, problem.value) == (place.property, &*place.value);
        let Problem { code, message, .. } = problems.iter().find(is_it)?;
        Some(Diagnostic {
            severity: Severity::Warning,
            code,
            message: message.clone(),
            span: Some(place.span),
            hint: Some("until that is so, entries that run so are not executed on this machine".to_owned()),
        })
    });
    warned.take(WARNINGS_MAX).collect()
}

/// What is wrong with a value of a property.
struct Problem<'a> {
    property: &'static str,
    value: &'a str,
    code: &'static str,
    message: String,
}

fn problem<'a>(account: &'a Account, found: &Result<Identity, ExecFault>) -> Option<Problem<'a>> {
    let fault = found.as_ref().err()?;
    let is_unknown = fault.errno == Errno::NOENT.raw_os_error();
    let failure = || super::engine::errno_text(fault.errno);
    let (property, value) = match (fault.stage, &account.group, &account.user) {
        (ExecStage::GroupLookup, Some(group), _) => (RUN_GROUP, group),
        (_, _, Some(user)) => (RUN_USER, user),
        (_, _, None) => return None,
    };
    let (code, message) = match (fault.stage, is_unknown) {
        (ExecStage::GroupLookup, true) if property == RUN_USER => {
            ("unknown-user", format!("no user has the number {value}, and run_group is not given"))
        }
        (ExecStage::GroupLookup, true) => ("unknown-group", format!("no such Unix group: {value}")),
        (_, true) => ("unknown-user", format!("no such user: {value}")),
        (_, false) => ("lookup-failed", format!("{value} could not be looked up: {}", failure())),
    };
    Some(Problem { property, value, code, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(user: Option<&str>, group: Option<&str>) -> Account {
        Account { user: user.map(Into::into), group: group.map(Into::into) }
    }

    fn found(user: Option<&str>, group: Option<&str>) -> Identity {
        identity(&account(user, group)).unwrap()
    }

    #[test]
    fn a_user_brings_its_group_its_groups_and_its_home() {
        let root = found(Some("root"), None);
        assert_eq!((root.uid, root.gid), (Some(0), 0));
        assert!(root.groups.as_ref().unwrap().contains(&0));
        let home = |(name, value): &(Vec<u8>, Vec<u8>)| name == b"HOME" && value == b"/root";
        assert!(root.variables.iter().any(home), "{:?}", root.variables);
        assert_eq!(found(Some("0"), None), root);
    }

    #[test]
    fn a_group_replaces_the_users_own() {
        let root = found(Some("root"), Some("4711"));
        assert_eq!((root.uid, root.gid), (Some(0), 4711));
        assert!(root.groups.unwrap().contains(&4711));
        let group = found(None, Some("4711"));
        assert_eq!((group.uid, group.gid, group.groups), (None, 4711, None));
    }

    #[test]
    fn a_number_that_nobody_has_needs_a_group() {
        let nobody = found(Some("3999999999"), Some("7"));
        assert_eq!((nobody.uid, nobody.gid, nobody.groups), (Some(3_999_999_999), 7, Some(Vec::new())));
        assert!(nobody.variables.is_empty());
        let fault = identity(&account(Some("3999999999"), None));
        assert_eq!(fault, Err(unknown(ExecStage::GroupLookup)));
    }

    #[test]
    fn warnings_stand_where_the_name_stands() {
        let text = "g:::run_user:no-such-user\ng:a:1:once:x\ng:b:1:once:x\ng:b::run_user:root\n\
                    g:b::run_group:no-such-group\ng:c:1:once:x\ng:c::run_user:3999999999\n";
        let sources = [Source { name: "t".to_owned(), text: text.into() }];
        let options = ParseOptions::default();
        let table = clinit_table::parse(&sources, options).table;
        let found = warnings(&sources, options, &look_up(accounts_of(&table)));
        let found: Vec<_> =
            found.iter().map(|found| (found.span.as_ref().unwrap().line, found.message.as_str())).collect();
        let expected = [
            (1, "no such user: no-such-user"),
            (5, "no such Unix group: no-such-group"),
            (7, "no user has the number 3999999999, and run_group is not given"),
        ];
        assert_eq!(found, expected);
    }
}
