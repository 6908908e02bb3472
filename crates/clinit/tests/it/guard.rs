//! Ending what a test has started, even if the test is killed.
//!
//! Services have sessions of their own and outlive whoever started them, so a test that is ended from outside (nextest
//! does so when one takes too long) leaves them. A guard is a process with the reading end of a pipe whose
//! writing end the test has: it sees the end of that, however it comes, and then clears the place.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use rustix::process::Signal;

use crate::command::program;
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{is_alive, send};
use crate::wait::eventually;

/// Names its place to a guard.
const GUARDED: &str = "CLINIT_IT_GUARDED";

/// Names a file to a test that is to be killed.
const KILLED: &str = "CLINIT_IT_KILLED";

/// A guard; it ends with the test, too. To be dropped after the place.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    /// Watches over the place of a test.
    pub(crate) fn over(place: &Place) -> Self {
        let mut command = this_program("guard::one_that_clears_a_place");
        // In a group of its own: whoever kills the test kills the group of that.
        command.env(GUARDED, place.path("")).stdin(Stdio::piped()).process_group(0);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ended = self.0.wait();
    }
}

/// This program, to do what one of its tests does.
fn this_program(test: &str) -> std::process::Command {
    let mut command = program(std::env::current_exe().unwrap().to_str().unwrap());
    command.args(["--exact", test]);
    command
}

/// Not a test by itself: the guard.
#[test]
fn one_that_clears_a_place() {
    let Some(folder) = std::env::var_os(GUARDED).map(PathBuf::from) else { return };
    let _end = std::io::stdin().read(&mut [0]);
    if folder.exists() {
        drop(Place::at(folder));
    }
}

/// Not a test by itself: one that is killed.
#[test]
fn one_that_is_killed() {
    let Some(file) = std::env::var_os(KILLED) else { return };
    let place = Place::new("web:a:1,:respawn:sleep 1000\n");
    let _guard = Guard::over(&place);
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    let folder = daemon.path("").display().to_string();
    std::fs::write(file, format!("{folder}\n{}\n", daemon.pid("a"))).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn what_a_test_that_is_killed_has_started_ends() {
    let place = Place::new("");
    let mut test = this_program("guard::one_that_is_killed");
    test.env(KILLED, place.path("told")).stdout(Stdio::null()).process_group(0);
    let mut test = test.spawn().unwrap();
    eventually("that it runs", || place.lines("told").len() == 2);
    let told = place.lines("told");
    let (folder, service) = (PathBuf::from(&told[0]), told[1].parse().unwrap());
    assert!(is_alive(service));
    send(test.id(), Signal::KILL);
    test.wait().unwrap();
    eventually("the end of its service", || !is_alive(service));
    eventually("the end of its folder", || !folder.exists());
}
