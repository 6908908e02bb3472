//! Instructions that hot paths take: counted by callgrind, compared with those that were accepted.
//!
//! Unlike times, they are the same on a busy machine and an idle one. Another compiler or another kind of
//! processor changes them a little.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::{cargo, run, say, succeeds};

/// What was accepted; written by `--accept`.
const ACCEPTED: &str = "bench/instructions.txt";

/// A rise by more than this is shown.
const RISE_PERCENT_MAX: f64 = 10.0;

/// How it is built.
const PROFILE: &str = "counted";

const EXAMPLE: &str = "hot_paths";

/// Before the name of a path, in the names of functions.
const MODULE: &str = "hot_paths::walk::";

/// Counts and compares. With `--strict` a rise is a failure; `--accept` makes these counts the accepted ones.
pub(crate) fn callgrind(options: &[String]) -> Result<(), String> {
    if let Some(unknown) = options.iter().find(|option| !["--strict", "--accept"].contains(&option.as_str()))
    {
        return Err(format!("no option {unknown}: there are --strict and --accept"));
    }
    let has = |name: &str| options.iter().any(|option| option == name);
    if !succeeds(Command::new("valgrind").arg("--version")) {
        say("not counted: there is no valgrind (Debian package valgrind)");
        return if has("--strict") { Err("nothing was counted".to_owned()) } else { Ok(()) };
    }
    let counts = count()?;
    let accepted = std::fs::read_to_string(ACCEPTED).unwrap_or_default();
    let rows = compare(&read_accepted(&accepted), &counts);
    say(&table(&rows));
    if has("--accept") {
        return std::fs::write(ACCEPTED, to_text(&counts))
            .map_err(|error| format!("failed to write {ACCEPTED}: {error}"));
    }
    let risen: Vec<&Row> = rows.iter().filter(|row| row.has_risen()).collect();
    if risen.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = risen.iter().map(|row| row.path.as_str()).collect();
    let said =
        format!("more instructions than accepted, by over {RISE_PERCENT_MAX} percent: {}", names.join(", "));
    say(&format!("WARNING: {said}; if it is worth it: cargo xtask callgrind --accept"));
    if has("--strict") { Err(said) } else { Ok(()) }
}

/// Instructions for one walk of each path.
fn count() -> Result<BTreeMap<String, f64>, String> {
    run(cargo().args([
        "build",
        "--profile",
        PROFILE,
        "--quiet",
        "--package",
        "clinit-daemon",
        "--example",
        EXAMPLE,
    ]))?;
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let file = Path::new(&target).join("callgrind.out");
    let program = Path::new(&target).join(PROFILE).join("examples").join(EXAMPLE);
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet", "--compress-strings=no", "--compress-pos=no"]);
    valgrind.arg(format!("--callgrind-out-file={}", file.display())).arg(program);
    let answer =
        valgrind.stdin(Stdio::null()).output().map_err(|error| format!("failed to run valgrind: {error}"))?;
    if !answer.status.success() {
        return Err(format!("valgrind: {}: {}", answer.status, String::from_utf8_lossy(&answer.stderr)));
    }
    let profile = std::fs::read_to_string(&file)
        .map_err(|error| format!("failed to read {}: {error}", file.display()))?;
    let walks = String::from_utf8_lossy(&answer.stdout).into_owned();
    per_walk(&walks, &profile)
}

/// `walks` has a line `PATH TIMES` for each path.
fn per_walk(walks: &str, profile: &str) -> Result<BTreeMap<String, f64>, String> {
    let counted = inclusive(profile);
    let paths = walks.lines().filter_map(|line| line.split_once(' '));
    let count = |(path, times): (&str, &str)| {
        let times: f64 = times.parse().map_err(|error| format!("{path} {times}: {error}"))?;
        let instructions =
            counted.get(path).ok_or_else(|| format!("{MODULE}{path} is not in the profile"))?;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let instructions = *instructions as f64;
        Ok((path.to_owned(), instructions / times.max(1.0)))
    };
    paths.map(count).collect()
}

/// What each path took with all that it called, by the lines that tell of calls to it: `cfn=NAME`, `calls=...`,
/// and then the place and the cost.
fn inclusive(profile: &str) -> BTreeMap<&str, u64> {
    let mut found = BTreeMap::new();
    let mut lines = profile.lines();
    while let Some(line) = lines.next() {
        let Some(path) = line.strip_prefix("cfn=").and_then(path_of) else { continue };
        let cost = lines.by_ref().find(|line| line.starts_with("calls=")).and_then(|_| lines.next());
        let cost = cost.and_then(|line| line.split(' ').next_back()?.parse::<u64>().ok());
        *found.entry(path).or_insert(0) += cost.unwrap_or(0);
    }
    found
}

/// The path that a function's name means; behind it there may be a hash.
fn path_of(function: &str) -> Option<&str> {
    function.strip_prefix(MODULE)?.split("::").next()
}

/// A path with its counts.
struct Row {
    path: String,
    accepted: Option<f64>,
    counted: f64,
}

impl Row {
    fn percent(&self) -> Option<f64> {
        Some((self.counted / self.accepted? - 1.0) * 100.0)
    }

    fn has_risen(&self) -> bool {
        self.percent().is_some_and(|percent| percent > RISE_PERCENT_MAX)
    }
}

fn compare(accepted: &BTreeMap<String, f64>, counts: &BTreeMap<String, f64>) -> Vec<Row> {
    let row = |(path, &counted): (&String, &f64)| Row {
        path: path.clone(),
        accepted: accepted.get(path).copied(),
        counted,
    };
    counts.iter().map(row).collect()
}

fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<14} {:>10} {:>10} {:>8}\n", "instructions", "accepted", "now", "percent");
    for row in rows {
        let accepted = row.accepted.map_or_else(|| "-".to_owned(), |count| format!("{count:.0}"));
        let percent = row.percent().map_or_else(|| "-".to_owned(), |percent| format!("{percent:+.1}"));
        let mark = if row.has_risen() { "  <- risen" } else { "" };
        text.push_str(&format!("{:<14} {accepted:>10} {:>10.0} {percent:>8}{mark}\n", row.path, row.counted));
    }
    text
}

fn to_text(counts: &BTreeMap<String, f64>) -> String {
    let lines: String = counts.iter().map(|(path, count)| format!("{path} {count:.0}\n")).collect();
    format!(
        "# Instructions for one walk of each hot path; made by `cargo xtask callgrind --accept`.\n{lines}"
    )
}

fn read_accepted(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(path, count)| Some((path.to_owned(), count.parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "fn=main\n10 5\ncfn=hot_paths::walk::exit::h0a1b\ncalls=1 0 \n11 300\ncfn=other\ncalls=2 0\n\
                           12 50\ncfn=hot_paths::walk::exit::h0a1b\ncalls=1 0 \n13 100\n\n\
                           fn=hot_paths::walk::exit::h0a1b\n20 400\n";

    #[test]
    fn calls_of_a_path_are_added_up() {
        assert_eq!(inclusive(SAMPLE), BTreeMap::from([("exit", 400)]));
        assert_eq!(per_walk("exit 200\n", SAMPLE), Ok(BTreeMap::from([("exit".to_owned(), 2.0)])));
        assert!(per_walk("tell 1\n", SAMPLE).is_err(), "what was not counted is not taken for nothing");
    }

    #[test]
    fn a_rise_beyond_the_bound_is_marked() {
        let accepted = read_accepted("# Made.\nexit 100\ntell 100\n");
        let counts =
            BTreeMap::from([("exit".to_owned(), 109.0), ("new".to_owned(), 9.0), ("tell".to_owned(), 111.0)]);
        let rows = compare(&accepted, &counts);
        let risen: Vec<&str> =
            rows.iter().filter(|row| row.has_risen()).map(|row| row.path.as_str()).collect();
        assert_eq!(risen, ["tell"]);
        assert!(table(&rows).contains("+11.0  <- risen"));
    }

    #[test]
    fn what_is_accepted_is_read_as_it_was_written() {
        let counts = BTreeMap::from([("exit".to_owned(), 109.0)]);
        assert_eq!(read_accepted(&to_text(&counts)), counts);
    }
}
