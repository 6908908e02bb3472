//! The text files of the interfaces and the Rust types say the same.
//!
//! Samples of every type, the fullest and the barest, are written as JSON and held against the text. What
//! the samples show must be in the text; what is in the text must be shown by some sample: each field with
//! its type, each optional field once present and once absent, each value of an enumeration, each method
//! and each error.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic like tests")]

mod parser;
mod samples;

use std::collections::BTreeSet;

use clinit_control::interface::{INIT, INIT_IDL, METHODS, SERVICE, SERVICE_IDL};
use parser::{Interface, Type};
use samples::{Sample, errors, methods};
use serde_json::{Value, json};

/// What the samples showed, or the text asks to be shown, a line each.
type Shown = BTreeSet<String>;

/// Holds `value` against `wanted`, and notes what it shows of it. `path` is where it stands in the text.
fn check(interface: &Interface, path: &str, wanted: &Type, value: &Value, shown: &mut Shown) {
    match (wanted, value) {
        (Type::Bool, Value::Bool(_)) | (Type::String, Value::String(_)) => {}
        (Type::Int, number) if number.is_i64() => {}
        (Type::Named(name), value) => check(interface, name, &interface.types[name], value, shown),
        (Type::Optional(wanted), value) => check(interface, path, wanted, value, shown),
        (Type::Array(element), Value::Array(values)) => {
            values.iter().for_each(|value| check(interface, path, element, value, shown));
        }
        (Type::Enum(values), Value::String(value)) => {
            assert!(values.contains(value), "{path} has no value {value}");
            shown.insert(format!("{path} = {value}"));
        }
        (Type::Struct(fields), Value::Object(given)) => {
            for name in given.keys() {
                assert!(fields.iter().any(|(field, _)| field == name), "{path} has no field {name}");
            }
            for (name, wanted) in fields {
                let path = format!("{path}.{name}");
                match (wanted, given.get(name)) {
                    (Type::Optional(_), None) => drop(shown.insert(format!("{path} absent"))),
                    (_, None) => panic!("{path} is missing"),
                    (_, Some(value)) => {
                        shown.insert(path.clone());
                        check(interface, &path, wanted, value, shown);
                    }
                }
            }
        }
        (wanted, value) => panic!("{path} is to be {wanted:?} and is {value}"),
    }
}

/// Notes all that the text asks to be shown of `wanted`.
fn ask(path: &str, wanted: &Type, asked: &mut Shown) {
    match wanted {
        Type::Bool | Type::Int | Type::String | Type::Named(_) => {}
        Type::Optional(wanted) | Type::Array(wanted) => ask(path, wanted, asked),
        Type::Enum(values) => asked.extend(values.iter().map(|value| format!("{path} = {value}"))),
        Type::Struct(fields) => {
            for (name, wanted) in fields {
                let path = format!("{path}.{name}");
                if let Type::Optional(_) = wanted {
                    asked.insert(format!("{path} absent"));
                }
                ask(&path, wanted, asked);
                asked.insert(path);
            }
        }
    }
}

fn all_that_is_asked(interface: &Interface) -> Shown {
    let mut asked = Shown::new();
    interface.types.iter().for_each(|(name, wanted)| ask(name, wanted, &mut asked));
    interface.errors.iter().for_each(|(name, wanted)| ask(&format!("error {name}"), wanted, &mut asked));
    for (name, (parameters, reply)) in &interface.methods {
        ask(&format!("{name} takes"), parameters, &mut asked);
        ask(&format!("{name} gives"), reply, &mut asked);
    }
    asked
}

fn compare(name: &str, text: &str) {
    let interface = parser::parse(text);
    assert_eq!(interface.name, name);
    let own = |full: &str| full.strip_prefix(name)?.strip_prefix('.').map(str::to_owned);
    let mut shown = Shown::new();

    let mut names = Shown::new();
    for Sample { method, parameters, replies } in methods() {
        let Some(method) = own(method) else { continue };
        let (takes, gives) = &interface.methods[&method];
        for value in &parameters {
            check(&interface, &format!("{method} takes"), takes, value, &mut shown);
        }
        for value in &replies {
            check(&interface, &format!("{method} gives"), gives, value, &mut shown);
        }
        names.insert(method);
    }
    assert_eq!(names, interface.methods.keys().cloned().collect());
    assert_eq!(names, METHODS.iter().filter_map(|method| own(method)).collect());

    let mut names = Shown::new();
    for error in errors() {
        let Some(name) = own(error["error"].as_str().unwrap()) else { continue };
        let parameters = error.get("parameters").cloned().unwrap_or(json!({}));
        check(&interface, &format!("error {name}"), &interface.errors[&name], &parameters, &mut shown);
        names.insert(name);
    }
    assert_eq!(names, interface.errors.keys().cloned().collect());

    let asked = all_that_is_asked(&interface);
    let unshown: Vec<_> = asked.difference(&shown).collect();
    assert!(unshown.is_empty(), "no sample shows {unshown:#?}");
}

#[test]
fn the_text_of_the_init_interface_is_what_the_types_say() {
    compare(INIT, INIT_IDL);
}

#[test]
fn the_text_of_the_service_interface_is_what_the_types_say() {
    compare(SERVICE, SERVICE_IDL);
}

#[test]
fn names_in_the_texts_are_those_that_varlink_allows() {
    let letters = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && !name.ends_with('_')
            && !name.contains("__")
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    for text in [INIT_IDL, SERVICE_IDL] {
        let interface = parser::parse(text);
        for line in all_that_is_asked(&interface) {
            let name = line.trim_end_matches(" absent").rsplit(['.', ' ']).next().unwrap();
            assert!(letters(name), "{line}");
        }
        let names = interface.types.keys().chain(interface.methods.keys()).chain(interface.errors.keys());
        for name in names {
            assert!(letters(name) && name.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
        }
    }
}
