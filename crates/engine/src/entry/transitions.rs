//! Prints the machine's table from the code, and compares it with the one in the docs.
//!
//! `CLINIT_BLESS=1 cargo test -p clinit-engine` writes what the code does to `entry.transitions.txt`.

use std::sync::Arc;

use super::*;
use crate::care::{Care, Check, Health, Readiness, Reload};
use crate::event::{ExecFault, ExecStage};
use crate::name::{GroupName, Level, Tag};
use crate::spec::{Command, Levels, Output, Policy, Program, ThrottlePolicy};

const TABLE: &str = include_str!("../entry.transitions.txt");

/// What may make a difference beside state and event.
#[derive(Clone, Copy)]
struct Case {
    words: &'static str,
    mode: Mode,
    exit: Exit,
    too_often: bool,
    /// It has a readiness, a health check and a reload of its own, and a `stop_command`.
    cared: bool,
}

const fn case(words: &'static str, mode: Mode, exit: u8, too_often: bool, cared: bool) -> Case {
    Case { words, mode, exit: Exit::Code(exit), too_often, cared }
}

const CASES: [Case; 8] = [
    case("respawn", Mode::Respawn, 0, false, false),
    case("respawn too often", Mode::Respawn, 0, true, false),
    case("respawn cared for", Mode::Respawn, 0, false, true),
    case("wait", Mode::Wait, 0, false, false),
    case("once", Mode::Once, 0, false, false),
    case("once cared for", Mode::Once, 0, false, true),
    case("test, success", Mode::Test, 0, false, false),
    case("test, failure", Mode::Test, 1, false, false),
];

const NOW: Instant = Instant::from_nanos(1_000_000_000_000);

/// States, and whether it goes down in order to come back.
fn states() -> Vec<(State, bool)> {
    let outcome = Outcome::Done;
    vec![
        (State::Down, false),
        (State::Starting, false),
        (State::Running { ready_by: Some(NOW) }, false),
        (State::Ready, false),
        (State::Clearing { again_at: NOW }, false),
        (State::Pausing { until: NOW, reason: PauseReason::TooOften }, false),
        (State::Stopping { kill_at: Some(NOW), lives: true, signalled: false }, false),
        (State::Stopping { kill_at: Some(NOW), lives: true, signalled: true }, true),
        (State::Stopping { kill_at: Some(NOW), lives: false, signalled: false }, false),
        (State::Killing { again_at: NOW, lives: true }, false),
        (State::Done { outcome, leftovers: true }, false),
        (State::Done { outcome, leftovers: false }, false),
        (State::GivenUp { reason: GiveUp::Retries }, false),
    ]
}

fn events(exit: Exit) -> [(&'static str, EntryEvent); 16] {
    let stopped = |code| EntryEvent::ErrandEnded(Errand::Stop, Some(Exit::Code(code)));
    [
        ("Start", EntryEvent::Start),
        ("Spawned", EntryEvent::Spawned(1)),
        ("SpawnFailed", EntryEvent::SpawnFailed(11)),
        ("Said ready", EntryEvent::Said(Said::Ready)),
        ("Answered badly", EntryEvent::Probed(false)),
        ("Exited", EntryEvent::Exited { exit, leftovers: false }),
        ("Exited+", EntryEvent::Exited { exit, leftovers: true }),
        ("Emptied", EntryEvent::Emptied),
        ("NotFollowed", EntryEvent::NotFollowed),
        ("Stop", EntryEvent::Stop),
        ("Stop command ended", stopped(0)),
        ("Stop command failed", stopped(1)),
        ("Hurry", EntryEvent::Hurry),
        ("Reload", EntryEvent::Reload),
        ("Due", EntryEvent::Due),
        ("Missing", EntryEvent::Missing),
    ]
}

fn care() -> Care {
    let address = ([127, 0, 0, 1], 80).into();
    let second = Duration::from_secs(1);
    let health = Health { check: Check::Tcp(address), interval: second, timeout: second, threshold: 1 };
    Care {
        health: Some(health),
        stop_command: Some(Command::Shell("stop".into())),
        reload: Some(Reload::Signal(1)),
        ..Care::default()
    }
}

fn entry(case: Case, state: State, again: bool) -> Entry {
    let readiness = if case.cared { Readiness::Notify } else { Readiness::Started };
    let program = Program {
        output: Output::Null,
        cgroup: false,
        readiness,
        ..Program::plain(Command::Shell("true".into()))
    };
    let spec = EntrySpec {
        tag: Tag::new("tag").unwrap(),
        levels: Arc::new(Levels::Word(Level::new("1").unwrap())),
        mode: case.mode,
        program: Arc::new(program),
        policy: Arc::new(Policy { care: case.cared.then(|| Arc::new(care())), ..Policy::default() }),
        links: None,
    };
    let key = EntryKey { group: GroupName::new("group").unwrap(), tag: spec.tag.clone() };
    let mut entry = Entry::new(key, 0, spec, NOW);
    entry.state = state;
    entry.again = again.then_some(Failing::Unhealthy);
    entry.generation = Generation(7);
    entry.vigil = case.cared.then(|| Box::new(Vigil { is_asked: true, ..Vigil::default() }));
    for _ in 0..if case.too_often { 5 } else { 0 } {
        entry.throttle.started(ThrottlePolicy::default(), NOW);
    }
    entry
}

fn state_words(state: State, again: bool) -> &'static str {
    match state {
        State::Down => "Down",
        State::Starting => "Starting",
        State::Running { .. } => "Running",
        State::Ready => "Ready",
        State::Clearing { .. } => "Clearing",
        State::Pausing { reason: PauseReason::TooOften | PauseReason::Delay, .. } => "Pausing",
        State::Pausing { reason: PauseReason::NoProcess(_), .. } => "Pausing for a process",
        State::Stopping { lives: false, .. } => "Stopping what has ended",
        State::Stopping { .. } if again => "Stopping~",
        State::Stopping { signalled: false, .. } => "Stopping by command",
        State::Stopping { .. } => "Stopping",
        State::Killing { .. } => "Killing",
        State::Done { leftovers: true, .. } => "Done+",
        State::Done { outcome: Outcome::Done, .. } => "Done",
        State::Done { outcome: Outcome::Passed, .. } => "Done: passed",
        State::Done { outcome: Outcome::Failed, .. } => "Done: failed",
        State::GivenUp { .. } => "GivenUp",
    }
}

/// What an event makes of a state: the next one and the actions; `None` when nothing.
fn outcome(state: (State, bool), event: EntryEvent, case: Case) -> Option<String> {
    let mut entry = entry(case, state.0, state.1);
    let (mut generations, mut out, mut wishes) = (Generation(7), Vec::new(), Vec::new());
    let (generations, id) = (&mut generations, EntryId(0));
    let mut cx = Context { now: NOW, id, generations, out: &mut out, wishes: &mut wishes };
    entry.step(event, &mut cx);
    let mut words = state_words(entry.state, entry.again.is_some()).to_owned();
    for action in &out {
        match action {
            Action::Spawn { generation: Generation(7), .. } => words += ", Spawn again",
            Action::Spawn { .. } => words += ", Spawn",
            Action::Stop { .. } => words += ", Stop",
            Action::Kill { .. } => words += ", Kill",
            Action::Signal { .. } => words += ", Signal",
            Action::Probe { .. } => words += ", Probe",
            Action::Follow { .. } => words += ", Follow",
            Action::Release { .. } => words += ", Release",
            Action::Notice(_) => {}
            Action::Leave => words += ", Leave",
        }
    }
    for wish in wishes {
        if let Wish::Run(errand, _) = wish {
            words += ", run ";
            words += errand.as_str();
        }
    }
    (words != state_words(state.0, state.1)).then_some(words)
}

/// What an event brings in some cases, named by them.
type Row = (String, Option<String>);

/// The rows of one event: one for all cases, or one for each outcome.
fn rows(state: (State, bool), event: usize) -> Vec<Row> {
    let mut rows: Vec<(Vec<&str>, Option<String>)> = Vec::new();
    for case in CASES {
        let outcome = outcome(state, events(case.exit)[event].1.clone(), case);
        match rows.iter_mut().find(|(_, same)| *same == outcome) {
            Some((cases, _)) => cases.push(case.words),
            None => rows.push((vec![case.words], outcome)),
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
        text += &format!("{}\n", state_words(state.0, state.1));
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
                let outcome = outcome.unwrap_or_else(|| state_words(state.0, state.1).to_owned());
                text += format!("  {names:<40} {cases:<36} {outcome}").trim_end();
                text += "\n";
                names.clear();
            }
        }
        text += &format!("  {:<77} -\n", idle.join(", "));
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
        let case = case("", mode, 0, false, false);
        assert_eq!(outcome((State::Starting, false), exited, case).as_deref(), Some(expected), "{mode}");
    }
}
