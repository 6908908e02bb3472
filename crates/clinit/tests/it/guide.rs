//! docs/getting-started.md tells the truth: its sessions are run, in their order, in a folder of their own.
//!
//! In a session a line that begins with `$ ` is typed, and the lines below it are what is printed. What differs
//! from run to run is taken for the same: numbers, lengths of time, and the width of columns; `...` is anything, in
//! a line or for any number of lines. What only looks is asked again until it prints what is written, since
//! things take their time.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use crate::command::{CLINIT, program};
use crate::place::Place;
use crate::wait::DEADLINE;

/// Commands that change nothing.
const LOOKS: [&str; 4] = ["clinit status", "clinit explain", "clinit events", "clinit plan"];

/// The line behind what a command printed.
const END: &str = "end of what was printed";

/// A piece of the page that a test can do something with.
#[derive(Debug)]
enum Piece<'a> {
    /// A file that the reader writes.
    File(&'a str, String),
    /// A command, and what it prints.
    Command(&'a str, Vec<&'a str>),
}

fn pieces(page: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if let Some(name) = kind.strip_prefix("cltab ") {
            pieces.push(Piece::File(name, block.join("\n") + "\n"));
        } else if kind == "sh" {
            for line in block {
                match (line.strip_prefix("$ "), pieces.last_mut()) {
                    (Some(command), _) => pieces.push(Piece::Command(command, Vec::new())),
                    (None, Some(Piece::Command(_, printed))) => printed.push(line),
                    (None, _) => panic!("printed by nobody: {line}"),
                }
            }
        }
    }
    pieces
}

/// Words that mean the same at every run.
fn alike(line: &str) -> Vec<&str> {
    let differs = |word: &&str| {
        let word = word.trim_end_matches([',', ';']);
        word.starts_with(|c: char| c.is_ascii_digit())
            && word.bytes().all(|b| b.is_ascii_digit() || b"smhd:.Z".contains(&b))
    };
    line.split_whitespace().map(|word| if differs(&word) { "#" } else { word }).collect()
}

fn is_line(written: &str, printed: &str) -> bool {
    match written.split_once("...") {
        Some((before, after)) => {
            let (before, after) = (alike(before).join(" "), alike(after).join(" "));
            let printed = alike(printed).join(" ");
            printed.len() >= before.len() + after.len()
                && printed.starts_with(&before)
                && printed.ends_with(&after)
        }
        None => alike(written) == alike(printed),
    }
}

/// Whether what was printed is what is written.
fn is_as_written(written: &[&str], printed: &[String]) -> bool {
    match (written.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((&"...", rest)), None) => is_as_written(rest, printed),
        (Some((&"...", rest)), Some((_, behind))) => {
            is_as_written(rest, printed) || is_as_written(written, behind)
        }
        (Some((line, rest)), Some((first, behind))) => is_line(line, first) && is_as_written(rest, behind),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// A shell that is typed to.
struct Shell {
    child: Child,
    typed: ChildStdin,
    printed: Receiver<String>,
}

impl Shell {
    fn new(place: &Place) -> Self {
        let path = format!("{}:/usr/bin:/bin", Path::new(CLINIT).parent().unwrap().display());
        let mut command = program("sh");
        command.current_dir(place.path("")).env("PATH", path);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (typed, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, printed) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _nobody_asks_any_more = sender.send(line);
            }
        });
        let mut shell = Self { child, typed, printed };
        shell.run("exec 2>&1");
        shell
    }

    /// Runs a command, and returns the lines that it printed. Its exit status is there for the next.
    fn run(&mut self, command: &str) -> Vec<String> {
        let quoted = command.replace('\'', "'\\''");
        let line = format!("eval '{quoted}' </dev/null; code=$?; echo '{END}'; (exit $code)\n");
        self.typed.write_all(line.as_bytes()).unwrap();
        let mut lines = Vec::new();
        loop {
            let line =
                self.printed.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("it does not end: {command}"));
            if line == END {
                return lines;
            }
            lines.push(line);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[test]
fn every_session_of_getting_started_is_as_written() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/getting-started.md");
    let page = fs::read_to_string(page).unwrap();
    let place = Place::new("");
    let mut shell = Shell::new(&place);
    let pieces = pieces(&page);
    assert!(pieces.iter().filter(|piece| matches!(piece, Piece::Command(..))).count() > 20);
    for piece in pieces {
        match piece {
            Piece::File(name, text) => place.write(name, text),
            Piece::Command(command, written) => {
                let looks = LOOKS.iter().any(|look| command.starts_with(look));
                let by = Instant::now() + DEADLINE;
                let mut printed = shell.run(command);
                while !is_as_written(&written, &printed) {
                    let (written, shown) = (written.join("\n"), printed.join("\n"));
                    assert!(
                        looks && Instant::now() < by,
                        "$ {command}\nwritten:\n{written}\nprinted:\n{shown}"
                    );
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    printed = shell.run(command);
                }
            }
        }
    }
}
