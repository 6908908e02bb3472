//! Samples of every type of the interfaces: with all there can be, and with no more than there must be.

use clinit_control::interface::{
    CallError, Cause, DaemonStatus, EntryState, EntryStatus, Event, Events, EventsReply, ExitStatus, Explain,
    ExplainReply, Explained, Failing, Fault, GetInfo, GetInterfaceDescription, GroupState, GroupStatus, Hold,
    LogStatus, Method, OrderReply, OrderedEntry, Outcome, Plan, PlanLine, PlanReply, PlanStep, Reexec,
    ReexecReply, Reload, Reread, RereadReply, Reset, Restart, Run, RunReply, Shutdown, ShutdownReply, Signal,
    Start, Status, StatusReply, Stop, Tell, TellReply,
};
use clinit_engine::name::{GroupName, Level, Tag};
use clinit_engine::spec::Mode;
use serde_json::{Value, to_value};

/// A method with samples of its parameters and replies.
pub(crate) struct Sample {
    pub(crate) method: &'static str,
    pub(crate) parameters: Vec<Value>,
    pub(crate) replies: Vec<Value>,
}

pub(crate) fn methods() -> Vec<Sample> {
    let (group, level) = (GroupName::new("web").unwrap(), Level::new("run").unwrap());
    let started = TellReply::started(group.clone(), level.clone(), None, vec![]);
    let warned = TellReply::started(group, level, Some(text()), faults());
    let mut told = vec![started, warned.clone()];
    told.extend(
        Outcome::ALL
            .map(|outcome| warned.clone().ended(outcome, Some(GroupState::Done), orders().remove(0).entries)),
    );
    let description = GetInterfaceDescription { interface: "org.clinit.Init".to_owned() };
    vec![
        sample(
            &[
                Tell { group: text(), level: text(), strict: false },
                Tell { group: text(), level: text(), strict: true },
            ],
            &told,
        ),
        sample(
            &[Status::default(), Status { group: Some(text()), tag: Some(text()) }],
            &[StatusReply { daemon: daemon(), groups: groups() }],
        ),
        sample(&[Start::default(), Start { group: Some(text()), tag: Some(text()) }], &orders()),
        sample(
            &[Stop::default(), Stop { group: Some(text()), tag: Some(text()), now_only: true }],
            &orders(),
        ),
        sample(&[Restart::default(), Restart { group: Some(text()), tag: Some(text()) }], &orders()),
        sample(&[Reload::default(), Reload { group: Some(text()), tag: Some(text()) }], &orders()),
        sample(&runs(), &run_replies()),
        sample(&[Explain::default(), Explain { group: Some(text()), tag: Some(text()) }], &[explained()]),
        sample(&[Reset::default(), Reset { group: Some(text()), tag: Some(text()) }], &orders()),
        sample(
            &[
                Signal { signal: text(), ..Signal::default() },
                Signal { group: Some(text()), tag: Some(text()), signal: text() },
            ],
            &orders(),
        ),
        sample(
            &[Plan::default(), Plan { table: Some(text()) }],
            &[PlanReply { lines: plan_lines(), faults: faults(), warnings: faults() }],
        ),
        sample(&[Events { follow: false }, Events { follow: true }], &events()),
        sample(&[Reread {}], &[RereadReply { changed: true, faults: faults(), warnings: faults() }]),
        sample(
            &[Reexec::default(), Reexec { program: Some(text()), timeout_ms: Some(1) }],
            &[ReexecReply { version: text(), keeper_pid: 1, engine_pid: 2 }],
        ),
        sample(&[Shutdown { now: true }, Shutdown { now: false }], &[ShutdownReply::default()]),
        sample(&[GetInfo {}], &[GetInfo {}.answer()]),
        sample(std::slice::from_ref(&description), &[description.clone().answer().unwrap()]),
    ]
}

fn sample<M: Method>(parameters: &[M], replies: &[M::Reply]) -> Sample {
    let replies: Vec<_> = replies.iter().map(|reply| to_value(reply).unwrap()).collect();
    for reply in &replies {
        let read: M::Reply = serde_json::from_value(reply.clone()).unwrap();
        assert_eq!(to_value(&read).unwrap(), *reply, "a reply reads as it is written");
    }
    let parameters = parameters.iter().map(|parameters| to_value(parameters).unwrap()).collect();
    Sample { method: M::NAME, parameters, replies }
}

fn plan_lines() -> Vec<PlanLine> {
    let steps = [
        PlanStep::Start,
        PlanStep::Stop,
        PlanStep::Restart,
        PlanStep::Change,
        PlanStep::Add,
        PlanStep::Forget,
    ];
    let (group, tag) = (GroupName::new("web").unwrap(), Tag::new("httpd").unwrap());
    steps.map(|step| PlanLine { group: group.clone(), tag: tag.clone(), step, why: text() }).to_vec()
}

fn events() -> Vec<EventsReply> {
    let (group, tag) = (GroupName::new("web").unwrap(), Tag::new("httpd").unwrap());
    let event = Event { time_ms: 1, group, tag: None, kind: text(), exit: None, text: text() };
    let of_entry = Event { tag: Some(tag), exit: Some(ExitStatus::Unknown), ..event.clone() };
    vec![EventsReply { event: Some(event) }, EventsReply { event: Some(of_entry) }, EventsReply::default()]
}

fn runs() -> Vec<Run> {
    let full = Run {
        group: Some(text()),
        tag: Some(text()),
        mode: Some(text()),
        properties: vec![text()],
        command: vec![text()],
        until_ended: true,
    };
    vec![full, Run { command: vec![text()], ..Run::default() }]
}

fn run_replies() -> Vec<RunReply> {
    let (group, tag) = (GroupName::new("run").unwrap(), Tag::new("httpd").unwrap());
    let bare = RunReply { group, tag, state: None, pid: None, exit: None, why: None };
    let full = RunReply {
        state: Some(EntryState::Running),
        pid: Some(1),
        exit: Some(ExitStatus::Exited { code: 1 }),
        why: Some(text()),
        ..bare.clone()
    };
    vec![bare, full]
}

fn explained() -> ExplainReply {
    let (group, tag) = (GroupName::new("web").unwrap(), Tag::new("httpd").unwrap());
    let causes = vec![Cause { text: text(), place: None }, Cause { text: text(), place: Some(text()) }];
    let bare = Explained { group, tag, place: None, causes };
    ExplainReply { entries: vec![Explained { place: Some(text()), ..bare.clone() }, bare] }
}

fn orders() -> Vec<OrderReply> {
    let (group, tag) = (GroupName::new("web").unwrap(), Tag::new("httpd").unwrap());
    let bare = OrderedEntry { group, tag, state: EntryState::Down, pid: None, troubled: false, why: None };
    let full = OrderedEntry { pid: Some(1), troubled: true, why: Some(text()), ..bare.clone() };
    let first = OrderReply { entries: vec![bare, full], outcome: None };
    vec![first.clone(), OrderReply { outcome: Some(Outcome::Settled), ..first }]
}

fn text() -> String {
    "text".to_owned()
}

fn faults() -> Vec<Fault> {
    let fault = Fault { source: text(), line: 3, column: 12, message: text(), hint: None };
    vec![Fault { hint: Some(text()), ..fault.clone() }, fault]
}

fn daemon() -> DaemonStatus {
    DaemonStatus {
        keeper_pid: 1,
        engine_pid: 2,
        version: text(),
        table: text(),
        socket: text(),
        clstat: text(),
        logs: text(),
        since_ms: 1,
    }
}

fn groups() -> Vec<GroupStatus> {
    let group = |state| GroupStatus {
        name: GroupName::new("web").unwrap(),
        level: None,
        target: None,
        state,
        since_ms: 1,
        told: false,
        transient: false,
        fallen: false,
        entries: entries(),
    };
    let level = Level::new("run").ok();
    let full = GroupStatus { level: level.clone(), target: level, ..group(GroupState::Done) };
    GroupState::ALL.into_iter().map(group).chain([full]).collect()
}

fn entries() -> Vec<EntryStatus> {
    let bare = EntryStatus {
        tag: Tag::new("httpd").unwrap(),
        mode: Mode::Respawn,
        levels: vec![Level::new("run").unwrap()],
        wanted: true,
        transient: false,
        hold: Hold::Free,
        state: EntryState::Down,
        troubled: false,
        pid: None,
        since_ms: 1,
        restarts: 0,
        last_exit: None,
        last_exit_ms: None,
        last_failure: None,
        last_failure_ms: None,
        why: None,
        waits_for: None,
        says: None,
        reloading: false,
        misses: None,
        misses_max: None,
        until_ms: None,
        command: text(),
        log: None,
    };
    let log = LogStatus { folder: Some(text()), fault: Some(text()), dropping: true, dropped_lines: 6 };
    let bare_log = LogStatus { folder: None, fault: None, dropping: false, dropped_lines: 0 };
    let logged = EntryStatus { log: Some(bare_log), ..bare.clone() };
    let exits = [
        ExitStatus::Exited { code: 1 },
        ExitStatus::Signalled { signal: text() },
        ExitStatus::NotExecuted { error: text() },
        ExitStatus::NotSpawned { error: text() },
        ExitStatus::Unknown,
    ];
    let full = exits.into_iter().map(|exit| EntryStatus {
        pid: Some(3),
        last_exit: Some(exit),
        last_exit_ms: Some(4),
        last_failure_ms: Some(6),
        why: Some(text()),
        waits_for: Some(text()),
        says: Some(text()),
        misses: Some(1),
        misses_max: Some(3),
        until_ms: Some(5),
        log: Some(log.clone()),
        ..bare.clone()
    });
    let modes = Mode::ALL.into_iter().map(|mode| EntryStatus { mode, ..bare.clone() });
    let states = EntryState::ALL.into_iter().map(|state| EntryStatus { state, ..bare.clone() });
    let holds = [Hold::Free, Hold::UntilTold, Hold::UntilStarted];
    let holds = holds.into_iter().map(|hold| EntryStatus { hold, ..bare.clone() });
    let failings =
        [Failing::Exited, Failing::NotReady, Failing::Unhealthy, Failing::Watchdog, Failing::GivenUp];
    let failed = |failing| EntryStatus { last_failure: Some(failing), ..bare.clone() };
    let rest = holds.chain([logged]);
    full.chain(modes).chain(states).chain(rest).chain(failings.into_iter().map(failed)).collect()
}

/// Every error as its reply.
pub(crate) fn errors() -> Vec<Value> {
    let (name, suggestion) = (text(), Some(text()));
    let errors = [
        CallError::NoSuchGroup { group: text(), suggestion: None },
        CallError::NoSuchGroup { group: text(), suggestion: suggestion.clone() },
        CallError::NoSuchLevel { group: text(), level: text(), levels: vec![text()], suggestion: None },
        CallError::NoSuchLevel {
            group: text(),
            level: text(),
            levels: vec![],
            suggestion: suggestion.clone(),
        },
        CallError::NoSuchEntry { name: text(), suggestion: None },
        CallError::NoSuchEntry { name: text(), suggestion },
        CallError::Ambiguous { name },
        CallError::InvalidEntry { faults: faults() },
        CallError::EntryExists { name: text() },
        CallError::NotPermitted { what: text(), remedy: text() },
        CallError::ProgramRefused { program: text(), reason: text() },
        CallError::ShuttingDown,
        CallError::Busy,
        CallError::InterfaceNotFound { interface: text() },
        CallError::MethodNotFound { method: text() },
        CallError::MethodNotImplemented { method: text() },
        CallError::InvalidParameter { parameter: text() },
        CallError::PermissionDenied,
        CallError::ExpectedMore,
    ];
    for error in &errors {
        match error {
            // An error that is new does not compile here: it wants its sample above.
            CallError::NoSuchGroup { .. } | CallError::NoSuchLevel { .. } => {}
            CallError::NoSuchEntry { .. } | CallError::Ambiguous { .. } => {}
            CallError::InvalidEntry { .. } | CallError::EntryExists { .. } => {}
            CallError::NotPermitted { .. } | CallError::ShuttingDown | CallError::Busy => {}
            CallError::ProgramRefused { .. } => {}
            CallError::InterfaceNotFound { .. } | CallError::MethodNotFound { .. } => {}
            CallError::MethodNotImplemented { .. } | CallError::InvalidParameter { .. } => {}
            CallError::PermissionDenied | CallError::ExpectedMore => {}
        }
    }
    errors.iter().map(|error| to_value(error).unwrap()).collect()
}
