//! How files look.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{none_of, top};

const LINES_MAX: usize = 600;

/// The files of the project, by their paths from its top: what git has, and what it would take. `None`
/// where there is no git, as in an unpacked archive.
fn files() -> Option<Vec<PathBuf>> {
    let mut command = Command::new("git");
    command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let answer = command.current_dir(top()).output().ok().filter(|answer| answer.status.success())?;
    let names = String::from_utf8(answer.stdout).unwrap();
    // A file that was deleted and not yet committed is still listed.
    let there = names.split_terminator('\0').map(PathBuf::from).filter(|path| top().join(path).is_file());
    Some(there.collect())
}

/// All Rust files below `folder`, by their paths from the top.
pub(crate) fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![top().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(top()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no Rust files");
    found
}

fn rust_sources() -> Vec<PathBuf> {
    let inside_src = |path: &PathBuf| path.iter().any(|part| part == "src");
    ["crates", "xtask"].into_iter().flat_map(rust_files).filter(inside_src).collect()
}

/// The files that rustc begins with: of libraries and programs.
fn crate_roots() -> Vec<PathBuf> {
    let is_root = |path: &PathBuf| {
        path.ends_with("src/lib.rs")
            || path.ends_with("src/main.rs")
            || path.parent().is_some_and(|folder| folder.ends_with("src/bin"))
    };
    rust_sources().into_iter().filter(is_root).collect()
}

pub(crate) fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(top().join(path)).unwrap()).into_owned()
}

/// The paths whose text is not as `is_right` wants it.
fn wrong(paths: Vec<PathBuf>, is_right: impl Fn(&str) -> bool) -> Vec<String> {
    let wrong = paths.into_iter().filter(|path| !is_right(&read(path)));
    wrong.map(|path| path.display().to_string()).collect()
}

#[test]
fn unsafe_code_is_in_sys_alone() {
    let safe = crate_roots().into_iter().filter(|path| !path.starts_with("crates/sys")).collect();
    let faults = wrong(safe, |text| text.contains("\n#![forbid(unsafe_code)]\n"));
    none_of("the crate root says #![forbid(unsafe_code)]", &faults);
}

#[test]
fn every_crate_opens_with_its_purpose() {
    let faults = wrong(crate_roots(), |text| text.starts_with("//! "));
    none_of("the crate root opens with //!", &faults);
}

#[test]
fn the_wall_clock_is_for_stamps_alone() {
    let stamps = ["crates/logger/src/stamp.rs", "crates/daemon/src/engine/notes.rs"];
    let others = rust_files("crates").into_iter().filter(|path| path.iter().any(|part| part == "src"));
    let others = others.filter(|path| stamps.iter().all(|stamp| !path.ends_with(stamp))).collect();
    let faults = wrong(others, |text| !text.contains("SystemTime") && !text.contains("Realtime"));
    none_of("measure time with clinit_sys::clock: the wall clock may be set", &faults);
}

#[test]
fn files_are_short_or_say_why_not() {
    let faults = wrong(rust_sources(), |text| {
        let first = text.lines().next().unwrap_or_default();
        let says_why = first.starts_with("// ") && first.contains("600 lines");
        text.lines().count() <= LINES_MAX || says_why
    });
    none_of("split it, or say why not on the first line: `// Over 600 lines because ...`", &faults);
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let spellings = [concat!("#[", "allow("), concat!("#![", "allow(")];
    let all = ["crates", "xtask", "fuzz/fuzz_targets"].into_iter().flat_map(rust_files).collect();
    let faults = wrong(all, |text| !spellings.iter().any(|spelling| text.contains(spelling)));
    none_of("write #[expect(LINT, reason = ...)]", &faults);
}

#[test]
fn no_file_names_a_place_of_the_machine_it_was_written_on() {
    let places = [concat!("/wo", "rk/"), concat!(".lib", "rary"), concat!("sha", "red/")];
    let faults = wrong(files().unwrap_or_default(), |text| !places.iter().any(|place| text.contains(place)));
    none_of("paths of one machine mean nothing on another", &faults);
}
