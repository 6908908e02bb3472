//! Tables, what is made of them, and what is said about them: one folder a case.
//!
//! `cases/NAME/table.cltab`, and `table.cltab.d/` where there is one, give `expected.txt`. Names that begin
//! with `isinit` are read in that dialect. `CLINIT_BLESS=1 cargo test` writes what comes out as what is expected.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::fs;
use std::path::{Path, PathBuf};

use clinit_engine::care::{Care, Links, Listen, ListenAddress, NOTHING, Readiness};
use clinit_engine::logging::Logging;
use clinit_engine::name::Tag;
use clinit_engine::spec::{Command, EntrySpec, KillScope, Levels, Policy, StopPolicy, ThrottlePolicy};
use clinit_engine::surroundings::Surroundings;
use clinit_table::{Dialect, ParseOptions, Parsed, Setting, Source, parse, render};

/// What the cases must show between them; the rest takes tables too large for a file to read.
const CODES: [&str; 30] = [
    "bad-group",
    "bad-level",
    "bad-tag",
    "bad-value",
    "conflict",
    "control-character",
    "duplicate-tag",
    "empty-table",
    "forgotten-level",
    "hollow-check",
    "link-cycle",
    "missing-columns",
    "missing-command",
    "missing-group",
    "missing-level",
    "missing-mode",
    "missing-tag",
    "more-faults",
    "more-warnings",
    "never-together",
    "no-effect",
    "not-a-setting",
    "not-utf8",
    "reserved-group",
    "set-twice",
    "unknown-level",
    "unknown-mode",
    "unknown-property",
    "unknown-tag",
    "wrong-scope",
];

#[test]
fn every_case_gives_what_is_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let is_blessing = std::env::var_os("CLINIT_BLESS").is_some();
    let mut codes = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in sorted(&folder).into_iter().filter(|path| path.is_dir()) {
        let parsed = parse(&sources(&case), options(&case));
        codes.extend(parsed.diagnostics.iter().map(|diagnostic| diagnostic.code));
        let (actual, file) = (show(&parsed), case.join("expected.txt"));
        if is_blessing {
            fs::write(file, &actual).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != actual {
            wrong.push(format!("{}:\n{actual}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "not what is expected: {}", wrong.join("\n"));
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), CODES, "the cases show every kind of fault");
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn sources(case: &Path) -> Vec<Source> {
    let mut paths = vec![case.join("table.cltab")];
    let folder = case.join("table.cltab.d");
    if folder.exists() {
        paths.extend(sorted(&folder));
    }
    let read = |path: PathBuf| Source {
        name: path.strip_prefix(case).unwrap().display().to_string(),
        text: fs::read(&path).unwrap(),
    };
    paths.into_iter().map(read).collect()
}

fn options(case: &Path) -> ParseOptions {
    let is_isinit = case.file_name().unwrap().as_encoded_bytes().starts_with(b"isinit");
    ParseOptions { dialect: if is_isinit { Dialect::IsInit } else { Dialect::Clinit } }
}

/// The model in short: what is as by default is not shown.
fn show(parsed: &Parsed) -> String {
    let mut text = String::new();
    let settings = &parsed.settings;
    show_setting(&mut text, "socket", settings.socket.as_ref());
    show_setting(&mut text, "socket_mode", settings.socket_mode.as_ref());
    show_setting(&mut text, "clstat", settings.clstat.as_ref());
    show_setting(&mut text, "log", settings.log.as_ref());
    show_setting(&mut text, "log_folder", settings.log_folder.as_ref());
    for group in &parsed.table.groups {
        let level = group.initdefault.as_ref().map(|level| format!(" initdefault {level}"));
        writeln!(text, "group {}{}", group.name, level.unwrap_or_default()).unwrap();
        for entry in &group.entries {
            writeln!(text, "  {}", show_entry(entry)).unwrap();
        }
    }
    for diagnostic in &parsed.diagnostics {
        writeln!(text, "\n[{}]\n{}", diagnostic.code, render(diagnostic)).unwrap();
    }
    text
}

fn show_setting<T: Debug>(text: &mut String, name: &str, setting: Option<&Setting<T>>) {
    if let Some(Setting { value, overrides, place }) = setting {
        let verb = if *overrides { "overrides" } else { "is" };
        writeln!(text, "{name} {verb} {value:?} ({place})").unwrap();
    }
}

fn show_entry(entry: &EntrySpec) -> String {
    let levels = match &*entry.levels {
        Levels::Word(word) => word.to_string(),
        Levels::Labels(labels) => labels.iter().map(|label| format!("{label},")).collect(),
    };
    let command = match &entry.program.command {
        Command::Direct(words) => format!("exec {words:?}"),
        Command::Shell(text) => format!("sh {text:?}"),
    };
    let Policy { stop: StopPolicy { signal, timeout, scope }, throttle, log, care } = &*entry.policy;
    let default = StopPolicy::default();
    let shown = [
        (*signal != default.signal).then(|| format!("stop_signal={signal}")),
        (*timeout != default.timeout).then(|| format!("stop_timeout={timeout:?}")),
        (*scope != KillScope::Group).then(|| format!("kill_mode={scope:?}")),
        (*throttle != ThrottlePolicy::default()).then(|| format!("{throttle:?}")),
        (!entry.program.cgroup).then(|| "cgroup=no".to_owned()),
        (entry.program.output != clinit_engine::spec::Output::Usual)
            .then(|| format!("output={:?}", entry.program.output)),
        (**log != Logging::default()).then(|| format!("{log:?}")),
        entry.program.surroundings.as_deref().map(show_surroundings),
        (entry.program.readiness != Readiness::Started).then(|| format!("{:?}", entry.program.readiness)),
        entry.program.watchdog.map(|time| format!("watchdog={time:?}")),
        (!entry.program.listen.is_empty()).then(|| show_listen(&entry.program.listen)),
        care.as_deref().map(show_care),
        entry.links.as_deref().map(show_links),
    ];
    let shown: Vec<_> = shown.into_iter().flatten().collect();
    format!("{} {levels} {} {command} {}", entry.tag, entry.mode, shown.join(" ")).trim_end().to_owned()
}

/// What an entry is started in, as far as it is given.
fn show_surroundings(around: &Surroundings) -> String {
    let Surroundings { user, group, directory, umask, environment, environment_file, limits, .. } = around;
    let Surroundings { nice, oom_score_adj, no_new_privs, capabilities, maxima, .. } = around;
    let given = [
        user.as_ref().map(|user| format!("run_user={user}")),
        group.as_ref().map(|group| format!("run_group={group}")),
        directory.as_ref().map(|path| format!("directory={path}")),
        umask.map(|bits| format!("umask={bits:03o}")),
        (!environment.is_empty()).then(|| format!("environment={environment:?}")),
        environment_file.as_ref().map(|file| format!("{file:?}")),
        (!limits.is_empty()).then(|| format!("{limits:?}")),
        nice.map(|nice| format!("nice={nice}")),
        oom_score_adj.map(|score| format!("oom_score_adj={score}")),
        no_new_privs.then(|| "no_new_privs".to_owned()),
        capabilities.map(|set| format!("capabilities={:#x}", set.0)),
        maxima.any().then(|| format!("{maxima:?}")),
    ];
    given.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn show_listen(sockets: &[Listen]) -> String {
    let shown = sockets.iter().map(|Listen { address, mode }| match address {
        ListenAddress::Tcp(address) => format!("listen={address}"),
        ListenAddress::Unix(path) => format!("listen={path:?} mode={mode:03o}"),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// What is done for an entry, as far as it is given.
fn show_care(care: &Care) -> String {
    let Care { start_timeout, health, restart, delay, retry, failover, success, .. } = care;
    let Care { stop_command, reload, reload_timeout, on_failure, .. } = care;
    let given = [
        (*start_timeout != NOTHING.start_timeout).then(|| format!("start_timeout={start_timeout:?}")),
        health.as_ref().map(|health| format!("{health:?}")),
        (*restart != NOTHING.restart).then(|| format!("restart={restart:?}")),
        (*delay != NOTHING.delay).then(|| format!("{delay:?}")),
        retry.map(|retry| format!("{retry:?}")),
        (*failover != NOTHING.failover).then(|| format!("failover={failover:?}")),
        (!success.is_empty()).then(|| format!("success={success:?}")),
        stop_command.as_ref().map(|command| format!("stop={command:?}")),
        reload.as_ref().map(|reload| format!("reload={reload:?}")),
        (*reload_timeout != NOTHING.reload_timeout).then(|| format!("reload_timeout={reload_timeout:?}")),
        on_failure.as_ref().map(|command| format!("on_failure={command:?}")),
    ];
    given.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn show_links(links: &Links) -> String {
    let list = |tags: &[Tag]| tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(",");
    format!("after={} requires={}", list(&links.after), list(&links.requires))
}
