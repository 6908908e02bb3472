//! What people read is what the registries say, and the programs that read it take it.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clinit_docs::{COMMAND, files};
use clinit_table::diagnostic::CODES;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a command complains of; `None`, with a word about it, where it is not installed.
#[expect(clippy::print_stderr, reason = "a test that did nothing must not look like one that passed")]
fn complaints(words: &[&str], file: &str) -> Option<String> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(top().join(file)).stdin(Stdio::null()).stdout(Stdio::null());
    command.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "100").env_remove("MANOPT");
    let Ok(output) = command.output() else {
        // As root `cargo xtask test` installs it; others cannot be asked to.
        let is_root = fs::metadata("/proc/self").is_ok_and(|folder| folder.uid() == 0);
        assert!(!is_root, "{} is not installed: cargo xtask test installs it", words[0]);
        eprintln!("skipped: {} is not installed", words[0]);
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(if output.status.success() { said } else { format!("{said}{}", output.status) })
}

fn made(folder: &str) -> impl Iterator<Item = &'static str> {
    files().into_iter().map(|(name, _)| name).filter(move |name| name.starts_with(folder))
}

#[test]
fn what_people_read_is_what_the_registries_say() {
    let stale: Vec<_> = files()
        .into_iter()
        .filter(|(name, text)| fs::read_to_string(top().join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name)
        .collect();
    assert!(
        stale.is_empty(),
        "{stale:?} differ from the registries: run `{COMMAND}`, and commit what it wrote"
    );
}

#[test]
fn manual_pages_are_formatted_without_a_warning() {
    for page in made("man/") {
        for words in [&["man", "--warnings", "-l"][..], &["groff", "-ww", "-mandoc", "-Tutf8"]] {
            let said = complaints(words, page).unwrap_or_default();
            assert_eq!(said, "", "{words:?} {page}");
        }
    }
}

#[test]
fn completions_are_proper_scripts() {
    for (shell, file) in [
        ("bash", "completions/clinit.bash"),
        ("zsh", "completions/_clinit"),
        ("fish", "completions/clinit.fish"),
    ] {
        assert!(made("completions/").any(|name| name == file));
        assert_eq!(complaints(&[shell, "-n"], file).unwrap_or_default(), "", "{file}");
    }
}

/// String literals of a source, ahead of its tests, that look like codes.
fn codes_in(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let literals = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_code = |text: &&str| text.contains('-') && text.split('-').all(is_word);
    literals.filter(is_code).map(str::to_owned).collect()
}

#[test]
fn every_code_of_a_diagnostic_is_explained() {
    let folder = top().join("crates/table/src");
    let mut sources: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    sources.retain(|path| !path.ends_with("diagnostic.rs") && !path.ends_with("fuzzing.rs"));
    sources.extend(["machine.rs", "accounts.rs"].map(|name| top().join("crates/daemon/src").join(name)));
    let mut used = BTreeSet::from(["conflict".to_owned(), "unreadable".to_owned()]);
    for path in sources {
        used.extend(codes_in(&fs::read_to_string(path).unwrap()));
    }
    let explained: BTreeSet<String> = CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
    assert_eq!(explained.len(), CODES.len(), "a code stands twice");
    assert_eq!(used, explained, "CODES in crates/table/src/diagnostic.rs lists all codes");
}
