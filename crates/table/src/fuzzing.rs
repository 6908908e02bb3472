//! What holds for any input, checked by assertions: the target of fuzzers, and of tests that play one.

use std::collections::{BTreeSet, HashMap, HashSet};

use clinit_engine::care::{NOTHING, Readiness};
use clinit_engine::spec::{Command, EntrySpec, KillScope, Mode, Program, Table};

use crate::assembly::ENTRIES_MAX;
use crate::columns::RESERVED_GROUPS;
use crate::diagnostic::Diagnostic;
use crate::lint::lint;
use crate::parse::{Dialect, ParseOptions, Parsed, parse};
use crate::render::{EXCERPT_COLUMNS_MAX, render, render_one_line};
use crate::report::{FAULTS_MAX, WARNINGS_MAX};
use crate::source::{LINE_BYTES_MAX, Source};

/// Splits the input into several sources: the record separator of ASCII, which no line may hold.
const SOURCE_SEPARATOR: u8 = 0x1e;

/// Longest message or hint, in characters: names and quotes are bounded, so all text is.
const MESSAGE_CHARS_MAX: usize = 800;

/// The standard ones; sockets that an entry is given are behind them.
const DESCRIPTORS_BEFORE_SOCKETS: usize = 3;

/// Reads `data` as a table of each dialect.
///
/// # Panics
/// If a promise of this crate does not hold.
pub fn table(data: &[u8]) {
    let texts = data.split(|&byte| byte == SOURCE_SEPARATOR).zip(0..);
    let sources: Vec<_> = texts
        .map(|(text, index): (_, u32)| Source { name: index.to_string(), text: text.to_vec() })
        .collect();
    for dialect in [Dialect::Clinit, Dialect::IsInit] {
        let options = ParseOptions { dialect };
        let parsed = parse(&sources, options);
        assert_eq!(parsed, parse(&sources, options), "the same text is read in the same way");
        check_model(&parsed.table);
        check_diagnostics(&parsed.diagnostics, &sources);
        check_diagnostics(&lint(&sources, options, &["start", "stop"]), &sources);
        check_faulty_lines_say_nothing(&parsed, sources.clone(), options);
    }
}

fn check_model(table: &Table) {
    let mut tags = HashSet::new();
    let mut groups = HashSet::new();
    for group in &table.groups {
        assert!(groups.insert(&group.name), "a group is listed once");
        assert!(!RESERVED_GROUPS.contains(&group.name.as_str()), "a reserved name is no group");
        for entry in &group.entries {
            assert!(tags.insert(&entry.tag), "a tag is unique");
            let nothing = Command::Direct(Box::default());
            assert!(entry.mode == Mode::Off || entry.program.command != nothing, "what runs has a command");
            let reaches_cgroup = entry.policy.stop.scope == KillScope::Cgroup;
            let around = entry.program.surroundings.as_ref();
            let needs_cgroup = reaches_cgroup || around.is_some_and(|around| around.maxima.any());
            assert!(entry.program.cgroup || !needs_cgroup, "the rules between properties hold");
            check_care(entry);
        }
        check_links(&group.entries);
    }
    assert!(tags.len() <= ENTRIES_MAX, "entries are bounded");
}

fn check_care(entry: &EntrySpec) {
    let Program { readiness, listen, watchdog, .. } = &*entry.program;
    let sockets: BTreeSet<_> = listen.iter().map(|listen| &listen.address).collect();
    assert_eq!(sockets.len(), listen.len(), "a socket is given once");
    let is_free = |fd: u16| usize::from(fd) >= DESCRIPTORS_BEFORE_SOCKETS + listen.len();
    assert!(!matches!(readiness, Readiness::Fd(fd) if !is_free(*fd)), "descriptors are for one purpose");
    let is_service = matches!(entry.mode, Mode::Respawn | Mode::Once);
    let is_plain =
        *readiness == Readiness::Started && watchdog.is_none() && entry.policy.care().health.is_none();
    assert!(is_service || is_plain, "of what ends no word is awaited");
    assert_ne!(entry.policy.care.as_deref(), Some(&NOTHING), "no care is `None`");
}

/// Each link leads to another entry of the group, and none back.
fn check_links(entries: &[EntrySpec]) {
    if entries.iter().all(|entry| entry.links.is_none()) {
        return;
    }
    let places: HashMap<_, _> = entries.iter().map(|entry| &entry.tag).zip(0..).collect();
    let mut follows: Vec<HashSet<usize>> = Vec::new();
    for entry in entries {
        let mut others = HashSet::new();
        if let Some(links) = &entry.links {
            for list in [&links.after, &links.requires] {
                let named: HashSet<usize> = list.iter().map(|tag| places[tag]).collect();
                assert_eq!(named.len(), list.len(), "a link is listed once");
                others.extend(named);
            }
            assert!(!others.is_empty(), "no links are `None`");
        }
        follows.push(others);
    }
    let mut waiting: Vec<usize> = follows.iter().map(HashSet::len).collect();
    let mut started: Vec<usize> = (0..entries.len()).filter(|&place| waiting[place] == 0).collect();
    let mut next = 0;
    while let Some(&place) = started.get(next) {
        next += 1;
        for (other, _) in follows.iter().enumerate().filter(|(_, others)| others.contains(&place)) {
            waiting[other] -= 1;
            if waiting[other] == 0 {
                started.push(other);
            }
        }
    }
    assert_eq!(started.len(), entries.len(), "every entry can be started after those that it follows");
}

fn check_diagnostics(diagnostics: &[Diagnostic], sources: &[Source]) {
    // The last of each severity says how many more there are, and one is about the whole table.
    assert!(diagnostics.len() <= FAULTS_MAX + WARNINGS_MAX + 3, "diagnostics are bounded");
    for diagnostic in diagnostics {
        check_span(diagnostic, sources);
        let text = render(diagnostic).to_string();
        let is_printable = |c: char| c == '\n' || !c.is_control();
        assert!(text.chars().all(is_printable), "a terminal is safe from {text:?}");
        let excerpts = text.lines().filter_map(|line| line.strip_prefix("  | "));
        for excerpt in excerpts {
            assert!(
                excerpt.chars().count() <= excerpt_chars_max(excerpt),
                "an excerpt is bounded: {excerpt}"
            );
        }
        assert!(render_one_line(diagnostic).to_string().lines().count() == 1, "one line is one line");
        let hint = diagnostic.hint.as_deref().unwrap_or_default();
        let longest = diagnostic.message.chars().count().max(hint.chars().count());
        assert!(longest <= MESSAGE_CHARS_MAX, "a message is bounded: {text}");
    }
}

/// An excerpt is bounded in columns, of which combining marks take none.
fn excerpt_chars_max(excerpt: &str) -> usize {
    let without_width = excerpt.chars().filter(|&c| crate::glyph::shown(c).1 == 0).count();
    EXCERPT_COLUMNS_MAX + "......".len() + without_width
}

fn check_span(diagnostic: &Diagnostic, sources: &[Source]) {
    let Some(span) = &diagnostic.span else { return };
    let characters = span.text.chars().count();
    assert!(
        span.column >= 1 && span.column - 1 + span.length <= characters,
        "a span is in its line: {span:?}"
    );
    let source = sources.iter().find(|source| *source.name == *span.source);
    let line = source.and_then(|source| source.text.split(|&byte| byte == b'\n').nth(span.line - 1));
    let line = line.unwrap_or_default();
    let is_cut = line.len() > LINE_BYTES_MAX;
    assert!(is_cut || String::from_utf8_lossy(line).contains(&span.text), "a span is of its line: {span:?}");
}

/// The table is the same without the lines that have faults.
fn check_faulty_lines_say_nothing(parsed: &Parsed, mut sources: Vec<Source>, options: ParseOptions) {
    let spans: Option<Vec<_>> = parsed.faults().map(|fault| fault.span.as_ref()).collect();
    // A fault without a span stands for those that are not shown.
    let Some(spans) = spans else { return };
    let faulty: HashSet<_> = spans.iter().map(|span| (&*span.source, span.line)).collect();
    for source in &mut sources {
        let lines = source.text.split(|&byte| byte == b'\n').zip(1..);
        // A comment in its place leaves all other lines their numbers.
        let kept = lines.map(
            |(line, number)| {
                if faulty.contains(&(source.name.as_str(), number)) { b"#" } else { line }
            },
        );
        source.text = kept.collect::<Vec<_>>().join(&b'\n');
    }
    let without = parse(&sources, options);
    assert_eq!(parsed.table, without.table, "a faulty line leaves no trace in the table");
    assert_eq!(parsed.settings, without.settings, "a faulty line leaves no trace in the settings");
}
