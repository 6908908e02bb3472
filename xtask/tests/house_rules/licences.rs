//! Everything linked may be passed on under the project's own licence.

use crate::dependencies::packages;
use crate::none_of;

const ALLOWED: [&str; 11] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX licence expression leaves a choice of allowed licences alone. The slash of old manifests
/// means OR. `None` if it is no expression.
fn is_allowed(expression: &str) -> Option<bool> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let verdict = any_of(&mut rest)?;
    rest.is_empty().then_some(verdict)
}

fn any_of(rest: &mut &[&str]) -> Option<bool> {
    let mut verdict = all_of(rest)?;
    while take(rest, "OR") {
        verdict |= all_of(rest)?;
    }
    Some(verdict)
}

fn all_of(rest: &mut &[&str]) -> Option<bool> {
    let mut verdict = one(rest)?;
    while take(rest, "AND") {
        verdict &= one(rest)?;
    }
    Some(verdict)
}

fn one(rest: &mut &[&str]) -> Option<bool> {
    if take(rest, "(") {
        let verdict = any_of(rest)?;
        return take(rest, ")").then_some(verdict);
    }
    let mut licence = next(rest)?.to_owned();
    if take(rest, "WITH") {
        licence = format!("{licence} WITH {}", next(rest)?);
    }
    Some(ALLOWED.contains(&licence.as_str()))
}

fn next<'a>(rest: &mut &[&'a str]) -> Option<&'a str> {
    let (first, left) = rest.split_first()?;
    *rest = left;
    Some(first)
}

fn take(rest: &mut &[&str], word: &str) -> bool {
    let found = rest.first() == Some(&word);
    if found {
        *rest = &rest[1..];
    }
    found
}

#[test]
fn every_dependency_has_a_licence_that_we_may_pass_on() {
    let mut faults = Vec::new();
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or_default();
        if is_allowed(licence) != Some(true) {
            faults.push(format!("{} is under {licence:?}", package["id"]));
        }
    }
    none_of("licences are of the allowed list", &faults);
}

#[test]
fn licence_expressions_are_evaluated() {
    let allowed = [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ];
    let refused =
        ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND MPL-2.0", "Apache-2.0 WITH Other-exception"];
    let broken = ["", "MIT OR", "(MIT", "MIT)", "MIT ISC", "MIT WITH"];
    assert!(allowed.into_iter().all(|text| is_allowed(text) == Some(true)));
    assert!(refused.into_iter().all(|text| is_allowed(text) == Some(false)));
    assert!(broken.into_iter().all(|text| is_allowed(text).is_none()));
}
