//! From the node's state to what `Status` and the status file say.

use std::fmt::Write;
use std::io;
use std::time::Duration;

use clinit_control::interface::{
    EntryState, EntryStatus, ExitStatus, GroupStatus, OrderedEntry, PlanLine, PlanStep,
};
use clinit_engine::entry::{Entry, Outcome, PauseReason, State};
use clinit_engine::event::{ExecFault, ExecStage, Exit};
use clinit_engine::group::Group;
use clinit_engine::node::{Node, Planned, Step};
use clinit_engine::spec::Command;
use clinit_engine::time::Instant;

use super::faults;

/// A line of the status file begins with this word, as Cluster::Init's do.
const LINE_WORD: &str = "Cluster::Init::Group";

/// The status file: a line for each group that was told a level since the daemon's start.
pub(crate) fn status_file(node: &Node) -> String {
    let mut text = String::new();
    for group in node.groups() {
        if let Some(level) = group.level().or(group.target()) {
            let _infallible = writeln!(text, "{LINE_WORD} {} {level} {}", group.name(), group.phase());
        }
    }
    text
}

/// How a group is, with the entries that `wanted` picks.
pub(crate) fn group(node: &Node, group: &Group, now: Instant, pick: impl Fn(&Entry) -> bool) -> GroupStatus {
    let entries = group.members().iter().filter_map(|&id| node.entry(id)).filter(|entry| pick(entry));
    GroupStatus {
        name: group.name().clone(),
        level: group.level().cloned(),
        target: group.target().cloned(),
        state: group.phase(),
        since_ms: milliseconds(now.since(group.since())),
        told: group.target().is_some(),
        entries: entries.map(|each| entry(each, now)).collect(),
    }
}

/// What would become of an entry.
pub(crate) fn plan_line(planned: Planned) -> PlanLine {
    let step = match planned.step {
        Step::Start => PlanStep::Start,
        Step::Stop => PlanStep::Stop,
        Step::Restart => PlanStep::Restart,
        Step::Change => PlanStep::Change,
        Step::Add => PlanStep::Add,
        Step::Forget => PlanStep::Forget,
    };
    PlanLine { group: planned.key.group, tag: planned.key.tag, step, why: planned.why }
}

/// How an entry is that was ordered something.
pub(crate) fn ordered(entry: &Entry) -> OrderedEntry {
    OrderedEntry {
        group: entry.key().group.clone(),
        tag: entry.key().tag.clone(),
        state: entry_state(entry.state()),
        pid: entry.pid(),
        troubled: is_in_trouble(entry),
        why: why(entry),
    }
}

/// Whether an entry is not as its group wants it, so that whoever waits for the group should hear of it.
pub(crate) fn is_in_trouble(entry: &Entry) -> bool {
    let not_executed = matches!(entry.history().last_exit, Some((Exit::NotExecuted(_), _)));
    match entry.state() {
        State::Pausing { .. } | State::Clearing { .. } | State::Starting => true,
        State::Done { outcome, .. } => outcome == Outcome::Failed || not_executed,
        State::Down | State::Running | State::Stopping { .. } | State::Killing { .. } => false,
    }
}

/// Why an entry is in its state: how it ended last, where that is the reason, and what the state adds.
fn why(entry: &Entry) -> Option<String> {
    let ended = entry.history().last_exit.filter(|_| is_in_trouble(entry));
    let ended = ended.map(|(exit, _)| exit_status(exit, entry).to_string());
    let parts: Vec<String> =
        ended.into_iter().chain([entry.why()].into_iter().filter(|why| !why.is_empty())).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn entry(entry: &Entry, now: Instant) -> EntryStatus {
    let state = entry.state();
    let until = match state {
        State::Pausing { until, .. } => Some(until),
        State::Stopping { kill_at } => kill_at,
        State::Clearing { .. } | State::Killing { .. } => None,
        State::Down | State::Starting | State::Running | State::Done { .. } => None,
    };
    let last = entry.history().last_exit;
    EntryStatus {
        tag: entry.key().tag.clone(),
        mode: entry.spec().mode,
        levels: entry.spec().levels.named(),
        wanted: entry.is_wanted(),
        state: entry_state(state),
        pid: entry.pid(),
        since_ms: milliseconds(now.since(entry.since())),
        restarts: entry.history().restarts,
        last_exit: match state {
            State::Pausing { reason: PauseReason::NoProcess(errno), .. } => {
                Some(ExitStatus::NotSpawned { error: lack_text(errno) })
            }
            _ => last.map(|(exit, _)| exit_status(exit, entry)),
        },
        last_exit_ms: last.map(|(_, at)| milliseconds(now.since(at))),
        why: Some(entry.why()).filter(|why| !why.is_empty()),
        until_ms: until.map(|until| milliseconds(until.since(now))),
        command: command(entry),
    }
}

fn entry_state(state: State) -> EntryState {
    match state {
        State::Down => EntryState::Down,
        State::Starting => EntryState::Starting,
        State::Running => EntryState::Running,
        State::Clearing { .. } => EntryState::Clearing,
        State::Pausing { .. } => EntryState::Pausing,
        State::Stopping { .. } => EntryState::Stopping,
        State::Killing { .. } => EntryState::Killing,
        State::Done { outcome: Outcome::Done, .. } => EntryState::Done,
        State::Done { outcome: Outcome::Passed, .. } => EntryState::Passed,
        State::Done { outcome: Outcome::Failed, .. } => EntryState::Failed,
    }
}

/// How a process ended, for people.
pub(crate) fn exit_status(exit: Exit, entry: &Entry) -> ExitStatus {
    match exit {
        Exit::Code(code) => ExitStatus::Exited { code },
        Exit::Signal(signal) => {
            let name = clinit_sys::signals::name(signal);
            ExitStatus::Signalled { signal: name.strip_prefix("SIG").unwrap_or(&name).to_owned() }
        }
        Exit::NotExecuted(fault) => ExitStatus::NotExecuted { error: fault_text(fault, entry) },
        Exit::Unknown => ExitStatus::Unknown,
    }
}

/// What kept a command from being executed: the thing, the reason and the remedy.
fn fault_text(fault: ExecFault, entry: &Entry) -> String {
    let errno = errno_text(fault.errno);
    let word = match &entry.spec().program.command {
        Command::Direct(words) => words.first().map_or("", |word| word),
        Command::Shell(_) => "/bin/sh",
    };
    let searched = !word.contains('/');
    match (fault.stage, rustix::io::Errno::from_raw_os_error(fault.errno)) {
        (ExecStage::Output, _) => format!("its output could not be set up: {errno}"),
        (ExecStage::Interpreter, _) => {
            format!("{word}: the interpreter that its first line (#!) names is missing: {errno}")
        }
        (ExecStage::Exec, rustix::io::Errno::NOENT) if searched => {
            format!("{word}: {errno}: not found in PATH")
        }
        (ExecStage::Exec, rustix::io::Errno::ACCESS) => {
            format!("{word}: {errno}: is it a file, and executable (chmod +x)?")
        }
        (ExecStage::Exec, rustix::io::Errno::NOEXEC) => {
            format!("{word}: {errno}: neither a program for this machine nor a script")
        }
        (ExecStage::Exec, rustix::io::Errno::TOOBIG) => {
            format!("{word}: {errno}: shorten its command or its environment, to 128 KiB together")
        }
        (ExecStage::Exec, rustix::io::Errno::AGAIN) => {
            format!("{word}: {errno}: its user has as many processes as limit_nproc lets it have")
        }
        (ExecStage::Exec, _) => format!("{word}: {errno}"),
        (_, _) => faults::text(fault, entry.spec().program.surroundings.as_deref()),
    }
}

/// Why there is no process to be had, and which limit to raise.
pub(crate) fn lack_text(errno: i32) -> String {
    use rustix::io::Errno;
    let text = errno_text(errno);
    match Errno::from_raw_os_error(errno) {
        Errno::AGAIN => format!("{text}: raise the limit of processes (ulimit -u, pids.max, kernel.pid_max)"),
        Errno::MFILE => {
            format!("{text}: raise the limit of open files (ulimit -Hn) that clinit is started with")
        }
        Errno::NFILE => format!("{text}: raise fs.file-max"),
        Errno::NOSPC => format!("{text}: make room in the folder of the socket"),
        _ => text,
    }
}

/// The text of an error's number, without the number.
pub(crate) fn errno_text(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// The command column, as far as it can be written again.
fn command(entry: &Entry) -> String {
    match &entry.spec().program.command {
        Command::Direct(words) => words.join(" "),
        Command::Shell(text) => text.to_string(),
    }
}

pub(crate) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
