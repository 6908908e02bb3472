//! What kept an entry from the surroundings that its table gives it: the property, the reason, the remedy.

use clinit_engine::event::{ExecFault, ExecStage};
use clinit_engine::surroundings::{Limit, Resource, Surroundings};
use clinit_sys::spawn::stage;
use rustix::io::Errno;

use super::exits::errno_text;

/// The stage that a slot names by number.
pub(crate) fn stage_of(number: u8) -> ExecStage {
    let number = u32::from(number);
    match number {
        stage::OUTPUT => ExecStage::Output,
        stage::INTERPRETER => ExecStage::Interpreter,
        stage::OOM_SCORE_ADJ => ExecStage::OomScoreAdj,
        stage::NICE => ExecStage::Nice,
        stage::GROUPS => ExecStage::Groups,
        stage::GROUP => ExecStage::Group,
        stage::CAPABILITIES => ExecStage::Capabilities,
        stage::USER => ExecStage::User,
        stage::NO_NEW_PRIVS => ExecStage::NoNewPrivs,
        stage::DIRECTORY => ExecStage::Directory,
        _ => {
            let is_it = |&&resource: &&Resource| {
                number == stage::LIMIT + u32::from(super::surroundings::resource(resource).index())
            };
            Resource::ALL.iter().find(is_it).map_or(ExecStage::Exec, |&resource| ExecStage::Limit(resource))
        }
    }
}

/// What is wrong, of a fault that is about surroundings.
pub(crate) fn text(fault: ExecFault, around: Option<&Surroundings>) -> String {
    let none = Surroundings::default();
    let around = around.unwrap_or(&none);
    let errno = errno_text(fault.errno);
    let reason = Errno::from_raw_os_error(fault.errno);
    let is_refused = matches!(reason, Errno::PERM | Errno::ACCESS);
    let user = around.user.as_deref().unwrap_or_default();
    let path = around.environment_file.as_ref().map_or("", |file| &file.path);
    match fault.stage {
        ExecStage::UserLookup if reason == Errno::NOENT => {
            format!("run_user: no such user: {user}: make one, or name another")
        }
        ExecStage::UserLookup => format!("run_user: {user} could not be looked up: {errno}"),
        ExecStage::GroupLookup => match &around.group {
            Some(group) if reason == Errno::NOENT => {
                format!("run_group: no such Unix group: {group}: make one, or name another")
            }
            Some(group) => format!("run_group: {group} could not be looked up: {errno}"),
            None => {
                format!("run_user: no user has the number {user}, so its group is not known: set run_group")
            }
        },
        ExecStage::EnvironmentFile => {
            let remedy = match reason {
                Errno::NOENT => format!("{errno}: write it, or put - before the path if it may be missing"),
                Errno::PERM => format!("it may be written by every user: chmod o-w {path}"),
                Errno::INVAL => "it is not a regular file".to_owned(),
                _ => errno,
            };
            format!("environment_file: {path}: {remedy}")
        }
        ExecStage::EnvironmentLine(line) => {
            format!("environment_file: {path}:{line}: the line is not NAME=VALUE")
        }
        ExecStage::OomScoreAdj => {
            let score = around.oom_score_adj.map(|score| score.to_string()).unwrap_or_default();
            let remedy =
                if is_refused { ": to lower it takes CAP_SYS_RESOURCE, which clinit lacks" } else { "" };
            format!("oom_score_adj: {score}: {errno}{remedy}")
        }
        ExecStage::Limit(resource) => {
            let limit = around.limits.get(&resource).map(limit_text).unwrap_or_default();
            let remedy = match reason {
                Errno::PERM => ": clinit's own hard limit is lower, and to raise it takes CAP_SYS_RESOURCE",
                _ => "",
            };
            format!("limit_{}: {limit}: {errno}{remedy}", resource.as_str())
        }
        ExecStage::Nice => {
            let nice = around.nice.map(|nice| nice.to_string()).unwrap_or_default();
            let remedy = if is_refused { ": to lower it takes CAP_SYS_NICE, which clinit lacks" } else { "" };
            format!("nice: {nice}: {errno}{remedy}")
        }
        ExecStage::Groups | ExecStage::Group | ExecStage::User => {
            let what = match (&around.user, &around.group) {
                (None, Some(group)) => format!("run_group: {group}"),
                (_, _) => format!("run_user: {user}"),
            };
            let remedy = if is_refused { ": only root can run entries as somebody else" } else { "" };
            format!("{what}: {errno}{remedy}")
        }
        ExecStage::Capabilities => {
            let remedy = if is_refused { ": clinit must have them, and CAP_SETPCAP, itself" } else { "" };
            format!("capabilities: {errno}{remedy}")
        }
        ExecStage::NoNewPrivs => format!("no_new_privs: {errno}"),
        ExecStage::Directory => {
            let path = around.directory.as_deref().unwrap_or_default();
            let remedy = match reason {
                Errno::NOENT => ": make it",
                Errno::ACCESS => ": may the user whom the entry runs as enter it?",
                _ => "",
            };
            format!("directory: {path}: {errno}{remedy}")
        }
        ExecStage::Listen(_) | ExecStage::Readiness => errno,
        ExecStage::Output | ExecStage::Exec | ExecStage::Interpreter => errno,
    }
}

fn limit_text(limit: &Limit) -> String {
    let one = |number: u64| match number {
        Limit::INFINITY => "infinity".to_owned(),
        number => number.to_string(),
    };
    format!("{}:{}", one(limit.soft), one(limit.hard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_of_a_child_is_known() {
        let numbers = [1, 3, 4, 5, 6, 7, 8, 9, 10, 11];
        let stages: Vec<_> = numbers.into_iter().map(stage_of).collect();
        assert!(!stages.contains(&ExecStage::Exec), "{stages:?}");
        for resource in Resource::ALL {
            let number = 64 + super::super::surroundings::resource(resource).index();
            assert_eq!(stage_of(number), ExecStage::Limit(resource));
        }
        assert_eq!(stage_of(2), ExecStage::Exec);
        assert_eq!(stage_of(255), ExecStage::Exec);
    }
}
