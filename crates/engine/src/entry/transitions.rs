//! Prints the machine's table from the code, and compares it with the one in the docs.
//!
//! `CLINIT_BLESS=1 cargo test -p clinit-engine` writes what the code does to `entry.transitions.txt`.

use std::sync::Arc;

use super::*;
use crate::event::{ExecFault, ExecStage};
use crate::name::{GroupName, Level, Tag};
use crate::spec::{Command, Levels, Output, Policy, Program, StopPolicy};

const TABLE: &str = include_str!("../entry.transitions.txt");

/// What may make a difference beside state and event: mode, exit status, and whether it started too often.
const CASES: [(&str, Mode, Exit, bool); 6] = [
    ("respawn", Mode::Respawn, Exit::Code(0), false),
    ("respawn too often", Mode::Respawn, Exit::Code(0), true),
    ("wait", Mode::Wait, Exit::Code(0), false),
    ("once", Mode::Once, Exit::Code(0), false),
    ("test, success", Mode::Test, Exit::Code(0), false),
    ("test, failure", Mode::Test, Exit::Code(1), false),
];

const NOW: Instant = Instant::from_nanos(1_000_000_000_000);

fn states() -> Vec<State> {
    let outcome = Outcome::Done;
    vec![
        State::Down,
        State::Starting,
        State::Running,
        State::Clearing { again_at: NOW },
        State::Pausing { until: NOW, reason: PauseReason::TooOften },
        State::Stopping { kill_at: Some(NOW) },
        State::Killing { again_at: NOW },
        State::Done { outcome, leftovers: true },
        State::Done { outcome, leftovers: false },
    ]
}

fn events(exit: Exit) -> [(&'static str, EntryEvent); 10] {
    [
        ("Start", EntryEvent::Start),
        ("Spawned", EntryEvent::Spawned(1)),
        ("SpawnFailed", EntryEvent::SpawnFailed(11)),
        ("Exited", EntryEvent::Exited { exit, leftovers: false }),
        ("Exited+", EntryEvent::Exited { exit, leftovers: true }),
        ("Emptied", EntryEvent::Emptied),
        ("Stop", EntryEvent::Stop),
        ("Hurry", EntryEvent::Hurry),
        ("Due", EntryEvent::Due),
        ("Missing", EntryEvent::Missing),
    ]
}

fn entry(mode: Mode, state: State, too_often: bool) -> Entry {
    let program = Program {
        command: Command::Shell("true".into()),
        output: Output::Null,
        cgroup: false,
        surroundings: None,
    };
    let spec = EntrySpec {
        tag: Tag::new("tag").unwrap(),
        levels: Levels::Word(Level::new("1").unwrap()),
        mode,
        program: Arc::new(program),
        policy: Policy { stop: StopPolicy::default(), throttle: ThrottlePolicy::default() },
    };
    let key = EntryKey { group: GroupName::new("group").unwrap(), tag: spec.tag.clone() };
    let mut entry = Entry::new(key, 0, spec, NOW);
    entry.state = state;
    entry.generation = Generation(7);
    for _ in 0..if too_often { 5 } else { 0 } {
        entry.throttle.started(ThrottlePolicy::default(), NOW);
    }
    entry
}

fn state_words(state: State) -> &'static str {
    match state {
        State::Down => "Down",
        State::Starting => "Starting",
        State::Running => "Running",
        State::Clearing { .. } => "Clearing",
        State::Pausing { reason: PauseReason::TooOften, .. } => "Pausing",
        State::Pausing { reason: PauseReason::NoProcess(_), .. } => "Pausing for a process",
        State::Stopping { .. } => "Stopping",
        State::Killing { .. } => "Killing",
        State::Done { leftovers: true, .. } => "Done+",
        State::Done { outcome: Outcome::Done, .. } => "Done",
        State::Done { outcome: Outcome::Passed, .. } => "Done: passed",
        State::Done { outcome: Outcome::Failed, .. } => "Done: failed",
    }
}

/// What an event makes of a state: the next one and the actions; `None` when nothing.
fn outcome(state: State, event: EntryEvent, mode: Mode, too_often: bool) -> Option<String> {
    let mut entry = entry(mode, state, too_often);
    let (mut generations, mut out) = (Generation(7), Vec::new());
    let mut cx = Context { now: NOW, id: EntryId(0), generations: &mut generations, out: &mut out };
    entry.step(event, &mut cx);
    let mut words = state_words(entry.state).to_owned();
    for action in &out {
        match action {
            Action::Spawn { generation: Generation(7), .. } => words += ", Spawn again",
            Action::Spawn { .. } => words += ", Spawn",
            Action::Stop { .. } => words += ", Stop",
            Action::Kill { .. } => words += ", Kill",
            Action::Signal { .. } => words += ", Signal",
            Action::Release { .. } => words += ", Release",
            Action::Notice(_) => {}
            Action::Leave => words += ", Leave",
        }
    }
    (words != state_words(state)).then_some(words)
}

/// What an event brings in some cases, named by them.
type Row = (String, Option<String>);

/// The rows of one event: one for all cases, or one for each outcome.
fn rows(state: State, event: usize) -> Vec<Row> {
    let mut rows: Vec<(Vec<&str>, Option<String>)> = Vec::new();
    for (case, mode, exit, too_often) in CASES {
        let outcome = outcome(state, events(exit)[event].1, mode, too_often);
        match rows.iter_mut().find(|(_, same)| *same == outcome) {
            Some((cases, _)) => cases.push(case),
            None => rows.push((vec![case], outcome)),
        }
    }
    let label = |cases: &[&str]| match cases.len() {
        count if count == CASES.len() => String::new(),
        1 | 2 => cases.join("; "),
        _ => "else".to_owned(),
    };
    rows.sort_by_key(|(cases, _)| cases.len() > 2);
    rows.into_iter().map(|(cases, outcome)| (label(&cases), outcome)).collect()
}

fn print() -> String {
    let mut text = String::new();
    for state in states() {
        text += &format!("{}\n", state_words(state));
        let mut blocks: Vec<(Vec<&str>, Vec<Row>)> = Vec::new();
        let mut idle = Vec::new();
        for (place, (name, _)) in events(Exit::Unknown).into_iter().enumerate() {
            let rows = rows(state, place);
            if rows.iter().all(|(_, outcome)| outcome.is_none()) {
                idle.push(name);
            } else if let Some((names, _)) = blocks.iter_mut().find(|(_, same)| *same == rows) {
                names.push(name);
            } else {
                blocks.push((vec![name], rows));
            }
        }
        for (names, rows) in blocks {
            let mut names = names.join(", ");
            for (cases, outcome) in rows {
                let outcome = outcome.unwrap_or_else(|| state_words(state).to_owned());
                text += format!("  {names:<37} {cases:<28} {outcome}").trim_end();
                text += "\n";
                names.clear();
            }
        }
        text += &format!("  {:<66} -\n", idle.join(", "));
    }
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test asks whether to write what it compares with")]
fn the_table_in_the_docs_is_what_the_code_does() {
    let table = print();
    if std::env::var("CLINIT_BLESS").is_ok() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/entry.transitions.txt"), &table).unwrap();
        return;
    }
    assert_eq!(table, TABLE, "CLINIT_BLESS=1 cargo test -p clinit-engine writes it anew");
}

#[test]
fn an_exec_failure_is_an_exit_like_any_other() {
    let fault = Exit::NotExecuted(ExecFault { stage: ExecStage::Exec, errno: 2 });
    for (mode, expected) in [
        (Mode::Respawn, "Starting, Spawn"),
        (Mode::Wait, "Done, Release"),
        (Mode::Once, "Done, Release"),
        (Mode::Test, "Done: failed, Release"),
    ] {
        let exited = EntryEvent::Exited { exit: fault, leftovers: false };
        assert_eq!(outcome(State::Starting, exited, mode, false).as_deref(), Some(expected), "{mode}");
    }
}
