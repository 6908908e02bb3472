//! Completion for shells: what people wrote in `shells`, with the words of the registries in their places.

use clinit::cli::verbs::{VERBS, Verb};
use clinit_table::property::{Property, REGISTRY, signal_names};

use crate::COMMAND;
use crate::usage::Usage;

/// Options of all verbs that have a value, with its kind.
const OF_ALL: [(&str, &str); 2] = [("-c", "TABLE"), ("-s", "SOCKET")];

/// For bash.
pub(crate) fn bash() -> String {
    let values = values().into_iter().map(|(option, kind)| format!("    {option}) printf '%s\\n' {kind} ;;"));
    let verbs = verbs().map(|verb| format!("    {} ;;", behind(verb)));
    filled(
        include_str!("../shells/clinit.bash"),
        &[
            ("@verbs", &lines(verbs)),
            ("@values", &lines(values)),
            ("\"@verb-list\"", &names()),
            ("@verb-names", &names()),
            ("@property-names", &properties()),
            ("@signal-names", &signals()),
        ],
    )
}

/// For zsh.
pub(crate) fn zsh() -> String {
    let values = values().into_iter().map(|(option, kind)| format!("    ({option}) print -r -- {kind} ;;"));
    let described =
        verbs().map(|verb| format!("                {}", quoted(&format!("{}:{}", verb.name, verb.about))));
    let verbs = verbs().map(|verb| format!("    ({} ;;", behind(verb)));
    filled(
        include_str!("../shells/_clinit"),
        &[
            ("@verbs", &lines(verbs)),
            ("@values", &lines(values)),
            ("@described-verbs", &lines(described)),
            ("@verb-names", &names()),
            ("@property-names", &properties()),
            ("@signal-names", &signals()),
        ],
    )
}

/// For fish.
pub(crate) fn fish() -> String {
    let options = values().into_iter().map(|(option, _)| option);
    filled(
        include_str!("../shells/clinit.fish"),
        &[
            ("@verbs", &lines(verbs().flat_map(fish_lines))),
            ("@verb-names", &names()),
            ("@value-options", &options.collect::<Vec<_>>().join(" ")),
        ],
    )
}

fn fish_lines(verb: &Verb) -> Vec<String> {
    let Usage { operands, options } = Usage::of(verb);
    let name = verb.name;
    let mut found =
        vec![format!("complete -c clinit -n '__clinit_without_verb 0' -a {name} -d {}", quoted(verb.about))];
    for (count, kinds) in operands.into_iter().enumerate() {
        for kind in kinds {
            let condition = format!("complete -c clinit -n '__clinit_at {name} {count}'");
            let group = if count > 0 { " (__clinit_operands)[2]" } else { "" };
            let words = match kind {
                "TABLE" | "FILE" | "SOCKET" => {
                    found.push(format!("{condition} -F"));
                    continue;
                }
                "GROUP" | "GROUP/TAG" | "TAG" => format!("(__clinit_names {kind})"),
                "LEVEL" => format!("(__clinit_names LEVEL{group})"),
                "VERB" => names(),
                "PROPERTY" => properties(),
                "SIGNAL" => signals(),
                word if word == word.to_lowercase() => word.to_owned(),
                _ => continue,
            };
            found.push(format!("{condition} -a '{words}'"));
        }
    }
    for (option, kind, about) in options {
        let option = match option.strip_prefix("--") {
            Some(long) => format!("-l {long}"),
            None => format!("-s {}", option.trim_start_matches('-')),
        };
        let value = match kind {
            None => "",
            Some("TABLE" | "FILE" | "SOCKET") => " -r -F",
            Some("LEVEL") => " -x -a '(__clinit_names LEVEL)'",
            Some("GROUP") => " -x -a '(__clinit_names GROUP)'",
            Some(_) => " -x",
        };
        let about = quoted(about);
        found.push(format!("complete -c clinit -n '__clinit_is {name}' {option}{value} -d {about}"));
    }
    found
}

/// `stop) operands=('GROUP GROUP/TAG TAG') options='--now-only --timeout'`, for bash and zsh.
fn behind(verb: &Verb) -> String {
    let Usage { operands, options } = Usage::of(verb);
    let operands: Vec<String> = operands.iter().map(|kinds| quoted(&kinds.join(" "))).collect();
    let options: Vec<&str> = options.into_iter().map(|(option, ..)| option).collect();
    format!("{}) operands=({}) options={}", verb.name, operands.join(" "), quoted(&options.join(" ")))
}

/// All options that have a value, each once, with its kind.
fn values() -> Vec<(&'static str, &'static str)> {
    let mut all = OF_ALL.to_vec();
    for (option, kind, _) in verbs().flat_map(|verb| Usage::of(verb).options) {
        if let Some(kind) = kind.filter(|_| all.iter().all(|(other, _)| *other != option)) {
            all.push((option, kind));
        }
    }
    all
}

fn verbs() -> impl Iterator<Item = &'static Verb> {
    VERBS.iter().filter(|verb| verb.usage.is_some())
}

fn names() -> String {
    verbs().map(|verb| verb.name).collect::<Vec<_>>().join(" ")
}

fn properties() -> String {
    REGISTRY.iter().flat_map(Property::names).collect::<Vec<_>>().join(" ")
}

fn signals() -> String {
    signal_names().collect::<Vec<_>>().join(" ")
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

/// In single quotes, for any of the shells: no text of the registries has one, so that none needs another.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "’"))
}

fn filled(text: &str, places: &[(&str, &str)]) -> String {
    let mut filled = text.to_owned();
    for (place, words) in places {
        filled = filled.replace(place, words);
    }
    let (first, rest) = filled.split_once('\n').unwrap_or_default();
    let notice = format!("# Made by {COMMAND}: change crates/docs/shells or the registries instead.");
    // zsh reads the first line, so the notice is the second.
    format!("{first}\n{notice}\n{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_has_values_of_one_kind_whichever_verb_it_is_of() {
        let all = values();
        for verb in verbs() {
            for (option, kind, _) in Usage::of(verb).options {
                let known = all.iter().find(|(other, _)| *other == option).map(|(_, kind)| *kind);
                assert_eq!(kind, known, "{} {option}", verb.name);
            }
        }
    }

    #[test]
    fn every_place_is_filled() {
        for text in [bash(), zsh(), fish()] {
            let left =
                text.split('@').skip(1).find(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            assert_eq!(left.and_then(|rest| rest.lines().next()), None);
        }
    }
}
