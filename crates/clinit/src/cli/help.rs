//! Help, made from the registries of verbs and properties.

use std::fmt::Write;

use clinit_engine::spec::Mode;
use clinit_table::nearest;
use clinit_table::property::{self, Property, REGISTRY, Scope, Section};
use clinit_table::reference::{ENTRY_FORM, PROPERTY_FORMS, meaning};

use super::exit::Exit;
use super::manual::{FORMS, OPTIONS};
use super::say;
use super::verbs::{self, VERBS, Verb};

/// How wide running text is.
const COLUMNS: usize = 100;

/// What help knows beside verbs and properties.
const MODES: &str = "modes";
const PROPERTIES: &str = "properties";

/// Prints the help of a verb, or of everything.
pub(crate) fn print(verb: Option<&'static Verb>) -> Exit {
    say::text_as_it_is(&verb.map_or_else(of_all, of_verb))
}

/// Prints help about a word.
pub(crate) fn topic(word: &str) -> Exit {
    let verb = verbs::find(word).filter(|verb| verb.usage.is_some());
    let text = match (word, verb, property::find(word)) {
        (MODES, ..) => of_modes(),
        (PROPERTIES, ..) => of_properties(),
        // A word may be both.
        (_, Some(verb), Some(property)) => format!("{}\nproperty {}", of_verb(verb), of_property(property)),
        (_, Some(verb), None) => of_verb(verb),
        (_, None, Some(property)) => of_property(property),
        (_, None, None) => {
            let usable = VERBS.iter().filter(|verb| verb.usage.is_some()).map(|verb| verb.name);
            let words = usable.chain(REGISTRY.iter().flat_map(Property::names)).chain([MODES, PROPERTIES]);
            let hint = match nearest(word, words) {
                Some(near) => format!("did you mean clinit help {near}?"),
                None => "clinit help lists the verbs, clinit help properties the properties".to_owned(),
            };
            say::error(&format!("no help about {word}"), Some(&hint));
            return Exit::Usage;
        }
    };
    say::text_as_it_is(&text)
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
    table(&mut text, FORMS.iter().copied());
    text.push_str("\noptions, before or after any verb:\n");
    table(&mut text, OPTIONS.iter().copied());
    exit_codes(&mut text);
    text.push_str("\nA group or level that is named like a verb: clinit tell GROUP LEVEL\n");
    text
}

fn of_verb(verb: &'static Verb) -> String {
    let usage = verb.usage.unwrap_or_default();
    let mut text = format!("clinit {}: {}\n\nusage: clinit {} {usage}\n", verb.name, verb.about, verb.name);
    table(&mut text, verb.options.iter().copied().chain(OPTIONS[..2].iter().copied()));
    text.push_str("\nexamples:\n");
    table(&mut text, verb.examples.iter().copied());
    exit_codes(&mut text);
    if verb.name == "run" {
        text.push_str("\nwith --wait:\n");
        table(&mut text, Exit::OF_COMMANDS.iter().copied());
    }
    text
}

fn of_modes() -> String {
    let mut text = format!("A line that is an entry: {ENTRY_FORM}\n\nmodes:\n");
    table(&mut text, Mode::ALL.into_iter().map(|mode| (mode.as_str(), meaning(mode))));
    text
}

fn of_properties() -> String {
    let mut text = "Lines of the table that are properties:\n".to_owned();
    table(&mut text, PROPERTY_FORMS.iter().copied());
    for section in Section::ALL {
        let _infallible = writeln!(text, "\n{}:", section.title());
        let rows = REGISTRY.iter().filter(|property| property.section == section);
        table(&mut text, rows.map(|property| (property.name, property.doc)));
    }
    text.push_str("\nclinit help PROPERTY says more of each.\n");
    text
}

fn of_property(property: &Property) -> String {
    let Property { name, doc, more, .. } = property;
    let mut text = format!("{name}: {doc}\n");
    if !more.is_empty() {
        text.push_str(&wrapped(more));
    }
    text.push('\n');
    let scopes: Vec<&str> = property.scopes.iter().copied().map(Scope::as_str).collect();
    let (values, scopes) = (property.values().to_string(), scopes.join(", "));
    let aliases = property.aliases.join(", ");
    let mut rows = vec![("values", values.as_str()), ("default", property.default.unwrap_or("none"))];
    rows.push(("set for", &scopes));
    rows.push(("a change", property.effect()));
    if !aliases.is_empty() {
        rows.push(("also", &aliases));
    }
    table(&mut text, rows.into_iter());
    text
}

/// Running text in lines.
fn wrapped(words: &str) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for word in words.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > COLUMNS {
            text.push('\n');
            column = 0;
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += width;
    }
    text + "\n"
}

fn exit_codes(text: &mut String) {
    text.push_str("\nexit codes:\n");
    for (exit, meaning) in Exit::ALL {
        let _infallible = writeln!(text, "  {}  {meaning}", exit.code());
    }
}
