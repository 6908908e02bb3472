//! Help, made from the registry of verbs.

use std::fmt::Write;

use super::exit::Exit;
use super::say;
use super::verbs::{VERBS, Verb};

/// The original forms, with what they do.
const FORMS: [(&str, &str); 6] = [
    ("clinit", "reread the table"),
    ("clinit LEVEL", "give the group named like this host a level"),
    ("clinit GROUP LEVEL", "give a group a level; starts a daemon if none answers"),
    ("clinit -d", "be the daemon, in the foreground; TERM and INT shut it down, HUP rereads the table"),
    ("clinit -k", "shut the daemon down; returns at once"),
    ("clinit -v ...", "print the status afterwards"),
];

const GLOBAL: [(&str, &str); 5] = [
    ("-c TABLE", "the table (default /etc/cltab, for ordinary users cltab in their config folder)"),
    (
        "-s SOCKET",
        "the daemon's socket (default $CLINIT_SOCKET, else as the table says, else init.s in /var/run/clinit)",
    ),
    ("--help", "this help; behind a verb, the verb's"),
    ("--version", "the version"),
    ("-h", "the usage of old, with exit code 2"),
];

/// Prints the help of a verb, or of everything.
pub(crate) fn print(verb: Option<&'static Verb>) -> Exit {
    say::text_as_it_is(&verb.map_or_else(of_all, of_verb))
}

fn table<'a>(text: &mut String, rows: impl Iterator<Item = (&'a str, &'a str)> + Clone) {
    let width = rows.clone().map(|(left, _)| left.len()).max().unwrap_or(0);
    for (left, right) in rows {
        let _infallible = writeln!(text, "  {left:width$}  {right}");
    }
}

fn of_all() -> String {
    let mut text = "clinit: one table says what runs.\n\nusage: clinit VERB ...\n".to_owned();
    let usable = VERBS.iter().filter(|verb| verb.usage.is_some());
    table(&mut text, usable.map(|verb| (verb.name, verb.about)));
    text.push_str("\nor, as of old:\n");
    table(&mut text, FORMS.into_iter());
    text.push_str("\noptions, before or after any verb:\n");
    table(&mut text, GLOBAL.into_iter());
    exit_codes(&mut text);
    text.push_str("\nA group or level that is named like a verb: clinit tell GROUP LEVEL\n");
    text
}

fn of_verb(verb: &'static Verb) -> String {
    let usage = verb.usage.unwrap_or_default();
    let mut text = format!("clinit {}: {}\n\nusage: clinit {} {usage}\n", verb.name, verb.about, verb.name);
    table(&mut text, verb.options.iter().copied().chain(GLOBAL[..2].iter().copied()));
    text.push_str("\nexamples:\n");
    table(&mut text, verb.examples.iter().copied());
    exit_codes(&mut text);
    text
}

fn exit_codes(text: &mut String) {
    text.push_str("\nexit codes:\n");
    for (exit, meaning) in Exit::ALL {
        let _infallible = writeln!(text, "  {}  {meaning}", exit.code());
    }
}
