//! What holds for every table, tried on random ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod looked_after;

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use clinit_engine::care::{Care, NOTHING, Readiness};
use clinit_engine::logging::{Destination, Full, Logging, Stamp};
use clinit_engine::name::{GroupName, Level, Tag};
use clinit_engine::spec::{
    Command, EntrySpec, GroupSpec, KillScope, Levels, Mode, Output, Policy, Program, StopPolicy, Table,
    ThrottlePolicy,
};
use clinit_engine::surroundings::{Capabilities, EnvironmentFile, Limit, Maxima, Resource, Surroundings};
use clinit_table::{ParseOptions, Source, fuzzing, parse};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

fn names() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_.äß語][a-zA-Z0-9_.@-]{0,8}"
}

fn any_level() -> impl Strategy<Value = Level> {
    names().prop_map(|name| Level::new(&name).unwrap())
}

fn any_levels() -> impl Strategy<Value = Levels> {
    prop_oneof![
        any_level().prop_map(Levels::Word),
        vec(any_level(), 1..4).prop_map(|labels| Levels::Labels(labels.into())),
    ]
}

fn any_command() -> impl Strategy<Value = Command> {
    // No word of the shell holds an underscore.
    let words = ("_[a-z/:#%-]{1,6}[.]?", vec("[a-zA-Z0-9/:=,#%@.-]{1,9}", 0..4));
    prop_oneof![
        words.prop_map(|(program, words)| {
            Command::Direct([program].into_iter().chain(words).map(String::into_boxed_str).collect())
        }),
        "[a-z]{1,5} [$'|*;>]{1,2}[a-z :\t]{0,9}".prop_map(|text| Command::Shell(text.into())),
    ]
}

fn any_duration() -> impl Strategy<Value = Duration> {
    (0..3_000_000_000_u64, 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let scope = select(vec![KillScope::Group, KillScope::Main]);
    let stop = (1..=64_u8, proptest::option::of(any_duration()), scope);
    let stop = stop.prop_map(|(signal, timeout, scope)| StopPolicy { signal, timeout, scope });
    let throttle = (0..=100_u8, any_duration(), any_duration());
    let throttle = throttle.prop_map(|(starts, interval, pause)| ThrottlePolicy { starts, interval, pause });
    let care = proptest::option::weighted(0.4, looked_after::any_care());
    (stop, throttle, any_logging(), care).prop_map(|(stop, throttle, log, care)| {
        let care = care.filter(|care| *care != NOTHING).map(Arc::new);
        Policy { stop, throttle, log: Arc::new(log), care }
    })
}

fn any_logging() -> impl Strategy<Value = Logging> {
    let numbers = (4096..u64::MAX, 2..=100_000_u32, any_duration());
    let stamp = select(vec![Stamp::Tai64n, Stamp::Iso, Stamp::None]);
    (numbers, stamp, select(vec![Full::Hold, Full::Drop])).prop_map(
        |((size_bytes, count, hold), stamp, full)| Logging {
            to: Destination::Usual,
            size_bytes,
            count,
            stamp,
            full,
            hold,
        },
    )
}

/// Where output goes is said in one property: what the logger does with it is another's matter.
fn any_output() -> impl Strategy<Value = (Output, Destination)> {
    prop_oneof![
        select(vec![Output::Inherit, Output::Null]).prop_map(|output| (output, Destination::Usual)),
        Just((Output::Logged, Destination::Syslog)),
        "/[a-z:/]{0,9}".prop_map(|path| (Output::Logged, Destination::Folder(path.into()))),
    ]
}

fn any_surroundings() -> impl Strategy<Value = Surroundings> {
    use proptest::option::of;
    let account = || of("[a-z_][a-z0-9_.@-]{0,8}".prop_map(String::into_boxed_str));
    let path = || "/[a-z /:]{0,9}".prop_map(String::into_boxed_str);
    let name = "[A-BD-Z_][A-Za-z0-9_.]{0,5}".prop_map(String::into_boxed_str);
    let value = of("[a-z=:# ]{0,9}".prop_map(String::into_boxed_str));
    let file = (path(), any::<bool>()).prop_map(|(path, is_optional)| EnvironmentFile { path, is_optional });
    let limit = (any::<u64>(), any::<u64>())
        .prop_map(|(one, other)| Limit { soft: one.min(other), hard: one.max(other) });
    let maxima = (of(1..u64::MAX), of(1..=100_000_u32), of(1..=u32::MAX));
    let maxima =
        maxima.prop_map(|(memory_bytes, cpu_percent, pids)| Maxima { memory_bytes, cpu_percent, pids });
    let who = (account(), account(), of(path()), of(0..=0o777_u16));
    let what =
        (btree_map(name, value, 0..4), of(file), btree_map(select(Resource::ALL.to_vec()), limit, 0..3));
    let how = (of(-20..=19_i16), of(-1000..=1000_i16), any::<bool>(), of(0..16_usize), maxima);
    (who, what, how).prop_map(|(who, what, how)| {
        let (user, group, directory, umask) = who;
        let (environment, environment_file, limits) = what;
        let (nice, oom_score_adj, no_new_privs, capabilities, maxima) = how;
        let is_in = |set: usize, place: usize| set >> place & 1 == 1;
        let capabilities = capabilities.map(|set| {
            let picked = CAPABILITIES.iter().zip(0..).filter(|&(_, place)| is_in(set, place));
            Capabilities(picked.map(|((number, _), _)| 1 << number).sum())
        });
        Surroundings {
            user,
            group,
            directory,
            umask,
            environment,
            environment_file,
            limits,
            nice,
            oom_score_adj,
            no_new_privs,
            capabilities,
            maxima,
        }
    })
}

/// As property lines; some values in more than one spelling.
fn lines_of(around: &Surroundings) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut line = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| (name.to_owned(), value)));
    };
    line("run_user", around.user.as_ref().map(ToString::to_string));
    line("run_group", around.group.as_ref().map(ToString::to_string));
    line("directory", around.directory.as_ref().map(ToString::to_string));
    line("umask", around.umask.map(|bits| format!("{bits:03o}")));
    for (name, value) in &around.environment {
        let value = value.as_ref().map_or_else(|| format!("-{name}"), |value| format!("{name}={value}"));
        line("environment", Some(value));
    }
    line(
        "environment_file",
        around
            .environment_file
            .as_ref()
            .map(|file| format!("{}{}", if file.is_optional { "-" } else { "" }, file.path)),
    );
    for (resource, Limit { soft, hard }) in &around.limits {
        let one = |number: u64| if number == u64::MAX { "infinity".to_owned() } else { number.to_string() };
        line(&format!("limit_{}", resource.as_str()), Some(format!("{}:{}", one(*soft), one(*hard))));
    }
    line("nice", around.nice.map(|nice| nice.to_string()));
    line("oom_score_adj", around.oom_score_adj.map(|score| score.to_string()));
    line("no_new_privs", Some(if around.no_new_privs { "yes" } else { "no" }.to_owned()));
    line("capabilities", Some(around.capabilities.map_or("all".to_owned(), capability_names)));
    line("memory_max", around.maxima.memory_bytes.map(|bytes| bytes.to_string()));
    line("cpu_max", around.maxima.cpu_percent.map(|percent| format!("{percent}%")));
    line("pids_max", around.maxima.pids.map(|number| number.to_string()));
    lines
}

/// Some capabilities, each by number and in one of its spellings.
const CAPABILITIES: [(u32, &str); 4] =
    [(0, "chown"), (5, "CAP_KILL"), (10, "Net_Bind_Service"), (21, "cap_sys_admin")];

fn capability_names(set: Capabilities) -> String {
    let picked = CAPABILITIES.iter().filter(|(number, _)| set.0 >> number & 1 == 1);
    let names: Vec<&str> = picked.map(|&(_, name)| name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

fn any_entry() -> impl Strategy<Value = EntrySpec> {
    let around = proptest::option::weighted(0.3, any_surroundings());
    let program = (any_command(), any::<bool>(), around);
    let program = program.prop_map(|(command, cgroup, around)| {
        // A bound of a cgroup needs one.
        let cgroup = cgroup || around.as_ref().is_some_and(|around| around.maxima.any());
        let surroundings = around.filter(|around| *around != Surroundings::default()).map(Arc::new);
        Program { cgroup, surroundings, ..Program::plain(command) }
    });
    let sockets = looked_after::any_sockets();
    let program = (program, any_output());
    (any_levels(), select(Mode::ALL.to_vec()), program, sockets, any_policy()).prop_map(
        |(levels, mode, (program, (output, to)), (listen, readiness, watchdog), mut policy)| {
            policy.log = Arc::new(Logging { to, ..Logging::clone(&policy.log) });
            // What ends is not asked.
            let is_service = matches!(mode, Mode::Respawn | Mode::Once);
            let (readiness, watchdog) =
                if is_service { (readiness, watchdog) } else { (Readiness::Started, None) };
            if let Some(care) = policy.care.take_if(|_| !is_service) {
                let care = Care { health: None, ..Arc::unwrap_or_clone(care) };
                policy.care = (care != NOTHING).then(|| Arc::new(care));
            }
            let program = Arc::new(Program { output, listen, readiness, watchdog, ..program });
            EntrySpec {
                tag: Tag::new("replaced").unwrap(),
                levels: Arc::new(levels),
                mode,
                program,
                policy: Arc::new(policy),
                links: None,
            }
        },
    )
}

fn any_table() -> impl Strategy<Value = Table> {
    let groups =
        btree_set(names(), 0..5).prop_map(|names| names.into_iter().collect::<Vec<_>>()).prop_shuffle();
    let entries = vec(vec(any_entry(), 0..4), 5);
    let initdefaults = vec(proptest::option::of(any_level()), 5);
    (groups, entries, initdefaults, any::<u64>()).prop_map(|(names, entries, initdefaults, links)| {
        let mut tags = (0..).map(|number| Tag::new(&format!("tag{number}")).unwrap());
        let is_free = |name: &String| !clinit_table::RESERVED_GROUPS.contains(&name.as_str());
        let names = names.into_iter().filter(is_free);
        let groups = names.zip(entries).zip(initdefaults).map(|((name, mut entries), initdefault)| {
            for entry in &mut entries {
                entry.tag = tags.next().unwrap();
            }
            looked_after::link(&mut entries, links);
            GroupSpec { name: GroupName::new(&name).unwrap(), initdefault, entries }
        });
        Table { groups: groups.collect() }
    })
}

/// The table as text. Every value is spelled out; `scatter` says which properties stand before their entry.
fn print(table: &Table, scatter: u64) -> String {
    let mut text = String::new();
    for group in &table.groups {
        let _ = writeln!(text, "{}:::output:inherit", group.name);
        if let Some(level) = &group.initdefault {
            let _ = writeln!(text, "{}:::initdefault:{level}", group.name);
        }
        for entry in &group.entries {
            let line = format!(
                "{}:{}:{}:{}:{}\n",
                group.name,
                entry.tag,
                levels(entry),
                entry.mode,
                text_of(&entry.program.command)
            );
            let (mut before, mut behind) = (String::new(), String::new());
            for (index, (name, value)) in properties(entry).into_iter().enumerate() {
                // Of lists the order matters: they stay on one side.
                let is_list = name == "listen" || name == "after";
                let bit = if is_list { 0 } else { index % 64 };
                let side = if scatter >> bit & 1 == 0 { &mut before } else { &mut behind };
                let _ = writeln!(side, "{}:{}::{name}:{value}", group.name, entry.tag);
            }
            text.extend([before, line, behind]);
        }
    }
    text
}

fn levels(entry: &EntrySpec) -> String {
    match &*entry.levels {
        Levels::Word(word) => word.to_string(),
        Levels::Labels(labels) => labels.iter().map(|label| format!("{label},")).collect(),
    }
}

fn text_of(command: &Command) -> String {
    match command {
        Command::Direct(words) => words.join(" "),
        Command::Shell(text) => text.to_string(),
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{:09}s", time.as_secs(), time.subsec_nanos())
}

fn properties(entry: &EntrySpec) -> Vec<(String, String)> {
    let Policy { stop, throttle, log, .. } = &*entry.policy;
    let scope = match stop.scope {
        KillScope::Group => "group",
        KillScope::Main => "main",
        KillScope::Cgroup => "cgroup",
    };
    let output = match (entry.program.output, &log.to) {
        (Output::Null, _) => "null".to_owned(),
        (Output::Logged, Destination::Syslog) => "syslog".to_owned(),
        (Output::Logged, Destination::Folder(path)) => format!("file:{path}"),
        (Output::Inherit | Output::Usual | Output::Logged, _) => "inherit".to_owned(),
    };
    let stamp = match log.stamp {
        Stamp::Tai64n => "tai64n",
        Stamp::Iso => "iso",
        Stamp::None => "none",
    };
    let cgroup = if entry.program.cgroup { "yes" } else { "no" };
    let plain = [
        ("stop_signal", stop.signal.to_string()),
        ("stop_timeout", stop.timeout.map_or("infinity".into(), seconds)),
        ("kill_mode", scope.into()),
        ("throttle_starts", throttle.starts.to_string()),
        ("throttle_interval", seconds(throttle.interval)),
        ("throttle_pause", seconds(throttle.pause)),
        ("cgroup", cgroup.into()),
        ("output", output),
        ("log_size", log.size_bytes.to_string()),
        ("log_count", log.count.to_string()),
        ("log_stamp", stamp.into()),
        ("log_full", if log.full == Full::Hold { "hold" } else { "drop" }.into()),
        ("log_hold", seconds(log.hold)),
    ];
    let plain = plain.into_iter().map(|(name, value)| (name.to_owned(), value));
    let around = entry.program.surroundings.as_deref().map(lines_of).unwrap_or_default();
    plain.chain(around).chain(looked_after::lines_of(entry)).collect()
}

/// Lines of a table in which something is often wrong.
fn any_line() -> impl Strategy<Value = String> {
    let of = |words: &'static [&'static str]| select(words);
    let names = of(&["", "g", "h", "service", "b d", "-x"]);
    let tags = of(&["", "a", "b", "c", "d/e", "-x"]);
    let levels = of(&["", "", "1", "12", "run,", ",", "1 2", "override"]);
    let modes = of(&[
        "respawn",
        "once",
        "off",
        "respwan",
        "",
        "socket",
        "initstat",
        "cgroup",
        "kill_mode",
        "output",
        "initdefault",
        "stop_timeout",
        "environment",
        "memory_max",
        "run_user",
        "after",
        "after",
        "requires",
        "readiness",
        "listen",
        "reload_command",
        "reload_signal",
        "health_check",
        "nothing",
    ]);
    let values = of(&[
        "/bin/true",
        "",
        "no",
        "yes",
        "cgroup",
        "group",
        "1",
        "null",
        "x $y",
        "a:b",
        "a",
        "b",
        "c a",
        "b,c",
        "fd:4",
        "tcp:80",
        "unix:/x",
        "none",
    ]);
    (names, tags, levels, modes, values)
        .prop_map(|(group, tag, levels, mode, value)| format!("{group}:{tag}:{levels}:{mode}:{value}"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_is_read_as_it_was_printed(table in any_table(), scatter in any::<u64>()) {
        let text = print(&table, scatter);
        let sources = [Source { name: "t".into(), text: text.clone().into() }];
        let parsed = parse(&sources, ParseOptions::default());
        prop_assert!(!parsed.has_faults(), "{:?}\n{text}", parsed.diagnostics);
        prop_assert_eq!(parsed.table, table, "{}", text);
    }

    #[test]
    fn every_promise_holds_for_arbitrary_bytes(data in vec(any::<u8>(), 0..2000)) {
        fuzzing::table(&data);
    }

    #[test]
    fn every_promise_holds_for_arbitrary_text(text in "(?s).{0,500}") {
        fuzzing::table(text.as_bytes());
    }

    #[test]
    fn every_promise_holds_for_tables_with_faults(lines in vec(any_line(), 0..40)) {
        fuzzing::table(lines.join("\n").as_bytes());
    }
}
