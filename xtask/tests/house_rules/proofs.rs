//! Pages that say what clinit withstands name the tests that prove it.

use crate::sources::{read, rust_files};
use crate::{none_of, top};

/// The pages, as far as there are such.
const PAGES: [&str; 2] = ["docs/faults.md", "docs/security.md"];

/// The tests that a page names: `FILE::TEST` between backquotes, both in small letters.
fn named(text: &str) -> Vec<(&str, &str)> {
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|name| name.split_once("::"))
        .filter(|(file, test)| is_name(file) && is_name(test))
        .collect()
}

#[test]
fn tests_that_pages_name_are_there() {
    let files: Vec<_> = ["crates", "xtask"].into_iter().flat_map(rust_files).collect();
    let mut faults = Vec::new();
    for page in PAGES.into_iter().filter(|page| top().join(page).exists()) {
        let text = read(page.as_ref());
        let names = named(&text);
        assert!(!names.is_empty(), "{page} names no test");
        for (file, test) in names {
            let line = format!("fn {test}() {{");
            let is_in = |path: &&std::path::PathBuf| path.file_stem().is_some_and(|stem| stem == file);
            if !files.iter().filter(is_in).any(|path| read(path).contains(&line)) {
                faults.push(format!("{page}: {file}::{test}"));
            }
        }
    }
    none_of("name a test that is there, as FILE::TEST", &faults);
}

#[test]
fn names_of_tests_are_found_among_other_words() {
    let text = "`a::b_1`, `a`, a::c, `x::Y z` and `ls a::b` `d::e`.";
    assert_eq!(named(text), [("a", "b_1"), ("d", "e")]);
}
