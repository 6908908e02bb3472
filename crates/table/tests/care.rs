//! What the table says of an entry beyond its command, one sentence each.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use clinit_engine::care::{Care, Links, ListenAddress, NOTHING, Readiness, Restart};
use clinit_engine::name::Tag;
use clinit_engine::spec::{EntrySpec, Mode};
use clinit_table::{ParseOptions, Parsed, Source, parse};

fn read(text: &str) -> Parsed {
    parse(&[Source { name: "t".into(), text: text.into() }], ParseOptions::default())
}

/// The entries of a table that has nothing wrong with it.
fn good(text: &str) -> Vec<EntrySpec> {
    let parsed = read(text);
    assert_eq!(parsed.diagnostics, []);
    parsed.table.groups.into_iter().flat_map(|group| group.entries).collect()
}

/// The codes of what is wrong, with the lines.
fn wrong(parsed: &Parsed) -> Vec<(&'static str, usize)> {
    let found = parsed.diagnostics.iter();
    found.map(|found| (found.code, found.span.as_ref().map_or(0, |span| span.line))).collect()
}

fn tags(names: &[&str]) -> Box<[Tag]> {
    names.iter().map(|name| Tag::new(name).unwrap()).collect()
}

fn care(entry: &EntrySpec) -> &Arc<Care> {
    entry.policy.care.as_ref().unwrap()
}

#[test]
fn an_entry_of_which_nothing_is_said_costs_nothing() {
    let [entry] = &good("g:a:1:respawn:x\n")[..] else { panic!() };
    assert_eq!((&entry.policy.care, &entry.links), (&None, &None));
    assert!(entry.program.listen.is_empty() && entry.program.watchdog.is_none());
    assert_eq!(entry.policy.care(), &NOTHING);
}

#[test]
fn what_is_said_in_vain_costs_nothing_either() {
    let text = "g:::health_interval:7\ng:::retry_interval:7\ng:a:1:respawn:x\ng:a::start_timeout:1m\n";
    assert_eq!(good(text)[0].policy.care, None);
}

#[test]
fn those_that_say_the_same_share_it() {
    let text = ":::start_timeout:7\ng:a:1:respawn:x\ng:b:1:respawn:x\ng:b::stop_timeout:3\n\
                g:c:1:respawn:x\ng:c::start_timeout:7s\ng:d:1:respawn:x\ng:d::restart:never\n\
                h:::restart_delay:0\nh:e:1:respawn:x\n";
    let [a, b, c, d, e] = &good(text)[..] else { panic!() };
    for other in [b, c, e] {
        assert!(Arc::ptr_eq(care(a), care(other)), "{}", other.tag);
    }
    assert_eq!(care(d).restart, Restart::Never);
    assert_eq!(care(d).start_timeout, Some(Duration::from_secs(7)));
}

#[test]
fn a_narrower_scope_takes_away_what_a_wider_one_gives() {
    for (name, value, unsaid) in [
        ("health_check", "tcp:80", "none"),
        ("retry_count", "3", "infinity"),
        ("stop_command", "x", "none"),
        ("reload_command", "x", "none"),
        ("reload_signal", "HUP", "none"),
        ("on_failure", "x", "none"),
        ("success_exit_status", "3", "0"),
        ("failover_mode", "soft", "none"),
    ] {
        let text = format!(":::{name}:{value}\ng:a:1:respawn:x\ng:b:1:respawn:x\ng:b::{name}:{unsaid}\n");
        let [a, b] = &good(&text)[..] else { panic!() };
        assert!(a.policy.care.is_some() && b.policy.care.is_none(), "{name}");
    }
}

#[test]
fn a_reload_of_a_narrower_scope_needs_the_other_kind_out_of_its_way() {
    let text = ":::reload_signal:HUP\ng:a:1:respawn:x\ng:a::reload_command:x\n";
    assert_eq!(wrong(&read(text)), [("conflict", 3)]);
    good(&format!("{text}g:a::reload_signal:none\n"));
}

#[test]
fn of_entries_that_end_no_word_is_awaited() {
    for mode in Mode::ALL {
        let text = format!(
            ":::readiness:notify\n:::watchdog:5\n:::health_check:tcp:80\n:::restart:never\ng:a:1:{mode}:x\n"
        );
        let [EntrySpec { program, policy, .. }] = &good(&text)[..] else { panic!() };
        let is_service = mode == Mode::Respawn || mode == Mode::Once;
        assert_eq!(program.readiness == Readiness::Notify, is_service, "{mode}");
        assert_eq!(program.notifies(), is_service, "{mode}");
        assert_eq!(policy.care().health.is_some(), is_service, "{mode}");
        assert_eq!(policy.care().restart, Restart::Never);
    }
}

#[test]
fn only_what_an_entry_itself_says_in_vain_is_warned_of() {
    good(":::restart:never\ng:::readiness:notify\ng:a:1:wait:x\ng:a::watchdog:none\n");
    let parsed = read("g:a:1:wait:x\ng:a::restart:never\ng:a::readiness:notify\n");
    assert_eq!(wrong(&parsed), [("no-effect", 2), ("no-effect", 3)]);
    assert!(!parsed.has_faults());
}

#[test]
fn sockets_add_up_and_only_those_with_a_path_have_a_mode() {
    let text =
        "g:a:1:respawn:x\ng:a::listen:tcp:80\ng:a::listen:unix:/x\ng:a::listen:tcp:80\n:::listen_mode:600\n";
    let listen = &good(text)[0].program.listen;
    assert_eq!(listen.iter().map(|socket| socket.mode).collect::<Vec<_>>(), [0, 0o600]);
    assert_eq!(listen[0].address, ListenAddress::Tcp("[::]:80".parse().unwrap()));
}

#[test]
fn links_add_up_wherever_they_stand() {
    let text = "g:a::after:b,c\ng:a:1:respawn:x\ng:b:1:respawn:x\ng:a::after:d b\ng:c:1:respawn:x\n\
                g:a::requires:d\ng:d:1:respawn:x\n";
    let links = Links { after: tags(&["b", "c", "d"]), requires: tags(&["d"]) };
    assert_eq!(good(text)[0].links.as_deref(), Some(&links));
}

#[test]
fn a_line_with_one_bad_link_is_left_out_as_a_whole() {
    let parsed = read("g:a:1:once:x\ng:b:1:once:x\nh:c:1:once:x\ng:a::after:b c\ng:a::after:b a\n");
    assert_eq!(wrong(&parsed), [("unknown-tag", 4), ("link-cycle", 5)]);
    assert_eq!(parsed.table.groups[0].entries[0].links, None);
}

#[test]
fn a_link_to_an_entry_with_a_fault_is_no_fault_of_its_own() {
    let parsed = read("g:a:1:once:x\ng:a::requires:b\ng:b:1:onec:x\n");
    assert_eq!(wrong(&parsed), [("unknown-mode", 3)]);
    assert_eq!(parsed.table.groups[0].entries[0].links, None);
}

#[test]
fn a_cycle_over_several_files_names_them() {
    let sources = [
        Source { name: "/a".into(), text: "g:a:1:once:x\ng:a::after:b\n".into() },
        Source { name: "/b".into(), text: "g:b:1:once:x\ng:b::requires:a\n".into() },
    ];
    let parsed = parse(&sources, ParseOptions::default());
    let [fault] = &parsed.diagnostics[..] else { panic!() };
    assert_eq!(fault.message, "a cycle: a after b, b requires a");
    assert_eq!(fault.hint.as_deref(), Some("the others are at /a:2: take one of them out"));
    assert_eq!(fault.span.as_ref().map(|span| (&*span.source, span.line, span.column)), Some(("/b", 2, 15)));
}

#[test]
fn an_entry_is_not_in_a_cycle_only_because_it_is_required_twice() {
    good(
        "g:a:1:once:x\ng:a::requires:b c\ng:b:1:once:x\ng:b::requires:d\ng:c:1:once:x\ng:c::requires:d\n\
         g:d:1:once:x\n",
    );
}
