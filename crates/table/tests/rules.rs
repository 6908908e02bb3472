//! The rules of the grammar, one sentence each.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use clinit_engine::name::{Level, Tag};
use clinit_engine::spec::{Command, EntrySpec, KillScope, Levels, Mode, Output};
use clinit_table::{
    Dialect, ENTRIES_MAX, LINE_BYTES_MAX, ParseOptions, Parsed, RESERVED_GROUPS, Source, lint, parse,
};

fn source(text: impl Into<Vec<u8>>) -> Source {
    Source { name: "t".into(), text: text.into() }
}

fn read(text: impl Into<Vec<u8>>) -> Parsed {
    parse(&[source(text)], ParseOptions::default())
}

/// Reads a table that has nothing wrong with it.
fn good(text: impl Into<Vec<u8>>) -> Parsed {
    let parsed = read(text);
    assert_eq!(parsed.diagnostics, []);
    parsed
}

/// The codes of what is wrong, with line and column.
fn wrong(parsed: &Parsed) -> Vec<(&'static str, usize, usize)> {
    let place = |span: &clinit_table::Span| (span.line, span.column);
    let found = parsed.diagnostics.iter();
    found
        .map(|found| (found.code, found.span.as_ref().map_or((0, 0), place)))
        .map(|(code, (line, column))| (code, line, column))
        .collect()
}

fn entries(parsed: &Parsed) -> Vec<&EntrySpec> {
    parsed.table.groups.iter().flat_map(|group| &group.entries).collect()
}

fn tags(parsed: &Parsed) -> Vec<&str> {
    entries(parsed).into_iter().map(|entry| entry.tag.as_str()).collect()
}

fn groups(parsed: &Parsed) -> Vec<&str> {
    parsed.table.groups.iter().map(|group| group.name.as_str()).collect()
}

fn direct(words: &[&str]) -> Command {
    Command::Direct(words.iter().map(|&word| word.into()).collect())
}

fn level(text: &str) -> Level {
    Level::new(text).unwrap()
}

#[test]
fn an_entry_has_five_columns_and_its_command_may_hold_colons() {
    let parsed = good("web:httpd:12:respawn:/usr/sbin/httpd -l 0:80\n");
    let [entry] = entries(&parsed)[..] else { panic!() };
    assert_eq!(groups(&parsed), ["web"]);
    assert_eq!(entry.tag, Tag::new("httpd").unwrap());
    assert_eq!(*entry.levels, Levels::Word(level("12")));
    assert_eq!(entry.mode, Mode::Respawn);
    assert_eq!(entry.program.command, direct(&["/usr/sbin/httpd", "-l", "0:80"]));
    assert!(entry.program.cgroup);
    assert_eq!(entry.program.output, Output::Usual);
}

#[test]
fn groups_stand_in_the_order_of_their_first_line_and_entries_in_file_order() {
    let parsed = good("c:::output:null\nb:1:1:once:x\na:2:1:once:x\nb:0:1:once:x\n");
    assert_eq!(groups(&parsed), ["c", "b", "a"]);
    assert_eq!(tags(&parsed), ["1", "0", "2"]);
}

#[test]
fn a_property_of_an_entry_counts_as_a_line_of_its_group_only_if_the_entry_is_there() {
    let text = "b:x::output:null\na:y:1:once:x\nb:x:1:once:x\n";
    assert_eq!(groups(&good(text)), ["b", "a"]);
    let text = "b:nope::output:null\na:y:1:once:x\nb:x:1:once:x\n";
    assert_eq!(groups(&read(text)), ["a", "b"]);
}

#[test]
fn columns_are_not_trimmed() {
    let parsed = read(" web:a:1:once:x\nweb:b :1:once:x\nweb:c:1 :once:x\nweb:d:1: once:x\n");
    let expected = [("bad-group", 1, 1), ("bad-tag", 2, 5), ("bad-level", 3, 7), ("unknown-mode", 4, 9)];
    assert_eq!(wrong(&parsed), [&expected[..], &[("empty-table", 0, 0)]].concat());
    assert_eq!(parsed.diagnostics[3].hint.as_deref(), Some("did you mean `once`?"));
}

#[test]
fn all_faults_of_a_line_are_found_at_once() {
    let parsed = read("w/b:-t:1 2:respwan:x\n");
    let expected = [("bad-group", 1, 1), ("bad-tag", 1, 5), ("bad-level", 1, 8), ("unknown-mode", 1, 12)];
    assert_eq!(wrong(&parsed)[..4], expected);
}

#[test]
fn a_comma_makes_a_list_of_labels_of_which_empty_ones_say_nothing() {
    let parsed = good("g:a:start,,2,:once:x\ng:b:long3,:once:x\n");
    let [a, b] = entries(&parsed)[..] else { panic!() };
    assert_eq!(*a.levels, Levels::Labels([level("start"), level("2")].into()));
    assert_eq!(*b.levels, Levels::Labels([level("long3")].into()));
    assert_eq!(wrong(&read("g:a:,,:once:x\n"))[0], ("missing-level", 1, 5));
}

#[test]
fn an_entry_that_never_runs_needs_no_command() {
    let parsed = good("g:a:1:off:\n");
    assert_eq!(entries(&parsed)[0].program.command, direct(&[]));
    for mode in Mode::ALL.into_iter().filter(|&mode| mode != Mode::Off) {
        let parsed = read(format!("g:a:1:{mode}: \t\n"));
        assert_eq!(wrong(&parsed)[0].0, "missing-command", "{mode}");
    }
}

#[test]
fn a_tag_is_unique_over_the_whole_table_and_the_first_line_stays() {
    let parsed = read("g:a:1:once:x\nh:a:1:once:y\ng:a:2:once:z\n");
    assert_eq!(wrong(&parsed), [("duplicate-tag", 2, 3), ("duplicate-tag", 3, 3)]);
    assert_eq!(parsed.diagnostics[0].message, "entry has duplicate tag: a");
    assert!(parsed.diagnostics[0].hint.as_ref().unwrap().starts_with("line 1 has it"));
    assert_eq!(groups(&parsed), ["g"]);
    assert_eq!(entries(&parsed)[0].program.command, direct(&["x"]));
}

#[test]
fn a_line_with_a_fault_does_not_take_its_tag_away_from_a_good_one() {
    let parsed = read("g:a:1:respwan:x\ng:a:1:respawn:y\n");
    assert_eq!(wrong(&parsed), [("unknown-mode", 1, 7)]);
    assert_eq!(tags(&parsed), ["a"]);
}

#[test]
fn an_entry_with_a_fault_is_the_only_fault_even_if_it_has_properties() {
    let parsed = read("g:a::output:null\ng:a:1:respwan:x\ng:a::stop_timeout:1\nh:b:1:once:x\n");
    assert_eq!(wrong(&parsed), [("unknown-mode", 2, 7)]);
}

#[test]
fn a_wider_scope_is_the_default_for_a_narrower_one_in_whatever_order_they_stand() {
    let parsed = good(
        "g:a::stop_timeout:1\ng:a:1:once:x\ng:b:1:once:x\nh:c:1:once:x\ng:::stop_timeout:2\n:::stop_timeout:3\n",
    );
    let seconds = |entry: &EntrySpec| entry.policy.stop.timeout.unwrap().as_secs();
    assert_eq!(entries(&parsed).into_iter().map(seconds).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_property_set_twice_in_one_scope_takes_its_last_value_with_a_warning() {
    let parsed = read("g:a:1:once:x\ng:a::output:null\ng:::output:null\ng:a::output:inherit\n");
    assert_eq!(wrong(&parsed), [("set-twice", 4, 6)]);
    assert_eq!(parsed.diagnostics[0].hint.as_deref(), Some("line 2 sets it too; this line wins"));
    assert_eq!(entries(&parsed)[0].program.output, Output::Inherit);
}

#[test]
fn a_bad_value_leaves_the_one_before_it() {
    let parsed = read("g:a:1:once:x\ng:::stop_signal:INT\ng:::stop_signal:NOPE\n");
    assert_eq!(wrong(&parsed), [("bad-value", 3, 17)]);
    assert_eq!(entries(&parsed)[0].policy.stop.signal, 2);
}

#[test]
fn properties_alone_make_a_group_but_those_of_the_table_do_not() {
    assert_eq!(groups(&good("web:::initdefault:1\nweb:a:1:once:x\n")), ["web"]);
    let parsed = good("web:::stop_timeout:5\n");
    assert_eq!(groups(&parsed), ["web"]);
    assert!(!parsed.is_empty());
    let parsed = read(":::stop_timeout:5\n");
    assert!(parsed.is_empty());
    assert_eq!(wrong(&parsed), [("empty-table", 0, 0)]);
    assert!(!parsed.has_faults());
}

#[test]
fn settings_know_where_they_stand_and_whether_they_override() {
    let parsed = good(":::socket:/a:b\n::override:initstat:c\n:::socket_mode:0660\ng:a:1:once:x\n");
    let settings = parsed.settings;
    let socket = settings.socket.unwrap();
    assert_eq!((&*socket.value, socket.overrides), (Path::new("/a:b"), false));
    assert_eq!(socket.place.to_string(), "t:1");
    let clstat = settings.clstat.unwrap();
    assert_eq!((clstat.value, clstat.overrides), (PathBuf::from("c"), true));
    assert_eq!(settings.socket_mode.unwrap().value, 0o660);
    assert_eq!(settings.log, None);
}

#[test]
fn an_overriding_setting_beats_a_plain_one_wherever_it_stands() {
    let parsed = read("g:a:1:once:x\n::override:socket:/a\n:::socket:/b\n");
    assert_eq!(wrong(&parsed), [("set-twice", 2, 12)]);
    assert_eq!(parsed.settings.socket.unwrap().value, Path::new("/a"));
}

#[test]
fn a_level_may_be_named_override_where_there_is_a_group() {
    assert_eq!(*entries(&good("g:a:override:once:x\n"))[0].levels, Levels::Word(level("override")));
}

#[test]
fn isinit_takes_settings_whatever_stands_in_the_levels_column() {
    let text = "::anything:socket:/a\ng:a:1:initstat:/b\ng:x:1:once:y\n";
    let parsed = parse(&[source(text)], ParseOptions { dialect: Dialect::IsInit });
    assert_eq!(parsed.diagnostics, []);
    assert_eq!(parsed.settings.socket.unwrap().value, Path::new("/a"));
    assert_eq!(parsed.settings.clstat.unwrap().value, Path::new("/b"));
    let codes: Vec<_> = wrong(&read(text)).into_iter().map(|(code, ..)| code).collect();
    assert_eq!(codes, ["missing-group", "unknown-mode", "unknown-mode"]);
}

#[test]
fn a_cgroup_cannot_be_killed_where_there_is_none() {
    let conflict = |text: &str, line| {
        let parsed = read(text);
        let codes: Vec<_> = wrong(&parsed).into_iter().map(|(code, line, _)| (code, line)).collect();
        assert_eq!(codes, [("conflict", line)], "{text}");
        parsed
    };
    let parsed = conflict("g:a:1:once:x\ng:::kill_mode:cgroup\ng:a::cgroup:no\n", 3);
    assert_eq!(entries(&parsed)[0].policy.stop.scope, KillScope::Cgroup);
    let parsed = conflict("g:a:1:once:x\n:::cgroup:no\ng:::kill_mode:cgroup\n", 3);
    assert_eq!(entries(&parsed)[0].policy.stop.scope, KillScope::Group);
    good("g:a:1:once:x\n:::cgroup:no\ng:::kill_mode:cgroup\ng:::cgroup:yes\n");
}

#[test]
fn a_forgotten_level_is_told_with_the_line_put_right() {
    let parsed = read("web:httpd::respawn:/usr/sbin/httpd\n");
    assert_eq!(wrong(&parsed)[0], ("forgotten-level", 1, 11));
    let hint = parsed.diagnostics[0].hint.as_ref().unwrap();
    assert!(hint.ends_with(": web:httpd:1:respawn:/usr/sbin/httpd"), "{hint}");
}

#[test]
fn names_that_other_dialects_make_entries_under_are_reserved() {
    for name in RESERVED_GROUPS {
        assert_eq!(wrong(&read(format!("{name}:a:1:once:x\n")))[0], ("reserved-group", 1, 1));
        assert_eq!(wrong(&read(format!("{name}:::output:null\n")))[0], ("reserved-group", 1, 1));
    }
}

#[test]
fn group_and_level_zero_are_ordinary() {
    let parsed = good("0:0:0:once:0\n0:::initdefault:0\n");
    assert_eq!(parsed.table.groups[0].initdefault, Some(level("0")));
}

#[test]
fn a_line_may_be_long_but_not_endless() {
    let command = "x".repeat(LINE_BYTES_MAX - "g:a:1:once:".len());
    good(format!("g:a:1:once:{command}\r\n"));
    let parsed = read(format!("g:a:1:once:x{command}\ng:b:1:once:x\n"));
    assert_eq!(wrong(&parsed), [("line-too-long", 1, LINE_BYTES_MAX + 1)]);
    assert_eq!(tags(&parsed), ["b"]);
}

#[test]
fn entries_are_bounded_and_one_fault_speaks_for_all_beyond() {
    let lines = |count: usize| (0..count).map(|n| format!("g:{n}:1:off:\n")).collect::<String>();
    good(lines(ENTRIES_MAX));
    let parsed = read(lines(ENTRIES_MAX + 2) + &format!("g:{}::output:null\n", ENTRIES_MAX + 1));
    assert_eq!(wrong(&parsed), [("too-many-entries", ENTRIES_MAX + 1, 3)]);
    assert_eq!(entries(&parsed).len(), ENTRIES_MAX);
}

#[test]
fn a_line_that_is_no_text_costs_only_itself() {
    let parsed = read(b"g:a:1:once:\xff\ng:b:1:once:\0\ng:c:1:once:\tx\ng:d:1:once:\x1b[m\n".to_vec());
    let expected = [("not-utf8", 1, 12), ("control-character", 2, 12), ("control-character", 4, 12)];
    assert_eq!(wrong(&parsed), expected);
    assert_eq!(tags(&parsed), ["c"]);
}

#[test]
fn several_sources_are_one_table_and_name_each_other() {
    let sources = [
        Source { name: "/a".into(), text: b"g:a:1:once:x".into() },
        Source { name: "/b".into(), text: b"g:a:1:once:x".into() },
    ];
    let parsed = parse(&sources, ParseOptions::default());
    assert_eq!(*parsed.diagnostics[0].span.as_ref().unwrap().source, *"/b");
    assert!(parsed.diagnostics[0].hint.as_ref().unwrap().starts_with("/a:1 has it"));
}

#[test]
fn lint_warns_once_of_each_group_and_level_named_like_a_command() {
    let text = "stop:a:1:once:x\nstop:b:stop:once:x\nweb:c:run,stop,status:once:x\nweb:d::start:x\nstart:::output:null\n";
    let warnings = lint(&[source(text)], ParseOptions::default(), &["start", "stop", "status"]);
    let found: Vec<_> = warnings
        .iter()
        .map(|warning| {
            (warning.code, &*warning.message, warning.span.as_ref().map(|span| (span.line, span.column)))
        })
        .collect();
    let code = "verb-as-name";
    assert_eq!(
        found,
        [
            (code, "group `stop` is named like a command", Some((1, 1))),
            (code, "level `stop` is named like a command", Some((2, 8))),
            (code, "level `status` is named like a command", Some((3, 7))),
            (code, "group `start` is named like a command", Some((5, 1))),
        ]
    );
}
