//! Commands that cannot be executed: what is wrong stands in the status.

use std::fs;
use std::os::unix::fs::symlink;

use crate::daemon::Daemon;
use crate::place::Place;
use crate::wait::eventually;

/// A daemon with this PATH.
fn with_path(place: Place, path: &str) -> Daemon {
    let mut command = place.command();
    command.args(["-c", "cltab", "-s", "init.s", "-d"]).env("PATH", path);
    Daemon::by(place, &mut command)
}

/// A daemon with this command in a `once` entry, which has ended.
fn ended(place: Place, command: &str) -> Daemon {
    place.write_table(&format!("web:it:1,:once:{command}\n"));
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    daemon.wait_entry("it", "done");
    daemon
}

/// What the status says of a command that could not be executed.
fn fault(place: Place, command: &str) -> String {
    let entry = ended(place, command).entry("it");
    assert_eq!(entry["last_exit"]["kind"], "not_executed", "{entry}");
    entry["last_exit"]["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_missing_program_is_not_found_in_path() {
    let place = Place::new("web:it:1,:once:clinit-absent-program --now\n");
    let daemon = with_path(place, "/usr/bin:/bin");
    daemon.settle("web", "1", "DONE");
    let entry = daemon.wait_entry("it", "done");
    let error = "clinit-absent-program: No such file or directory: not found in PATH";
    assert_eq!(entry["last_exit"]["error"], error);
}

#[test]
fn a_missing_file_is_named() {
    assert_eq!(fault(Place::new(""), "./absent"), "./absent: No such file or directory");
    assert_eq!(fault(Place::new(""), "./cltab/x"), "./cltab/x: Not a directory");
}

#[test]
fn a_file_that_is_not_executable_is_told_how_to_become_so() {
    let place = Place::new("");
    place.write("plain", "#!/bin/sh\ntrue\n");
    assert_eq!(
        fault(place, "./plain"),
        "./plain: Permission denied: is it a file, and executable (chmod +x)?"
    );
}

#[test]
fn a_folder_is_no_program() {
    let place = Place::new("");
    fs::create_dir(place.path("folder")).unwrap();
    assert_eq!(
        fault(place, "./folder"),
        "./folder: Permission denied: is it a file, and executable (chmod +x)?"
    );
}

#[test]
fn a_missing_interpreter_is_not_taken_for_a_missing_script() {
    let place = Place::new("");
    place.write_script("script", "#!/absent/interpreter\n");
    assert_eq!(
        fault(place, "./script"),
        "./script: the interpreter that its first line (#!) names is missing: No such file or directory"
    );
}

#[test]
fn a_script_without_a_first_line_runs_by_the_shell() {
    let place = Place::new("");
    place.write_script("script", "echo \"$0 $1\" > log; exit 3\n");
    let daemon = ended(place, "./script word");
    assert_eq!(daemon.read("log"), "./script word\n");
    assert_eq!(daemon.entry("it")["last_exit"]["code"], 3);
}

#[test]
fn a_link_to_itself_is_no_program() {
    let place = Place::new("");
    symlink("loop", place.path("loop")).unwrap();
    assert!(fault(place, "./loop").starts_with("./loop: Too many "));
}

#[test]
fn path_is_searched_past_what_cannot_be_executed() {
    let place = Place::new("web:it:1,:wait:program\n");
    for folder in ["first", "second"] {
        fs::create_dir(place.path(folder)).unwrap();
        place.chmod(folder, 0o755);
    }
    place.write("first/program", "#!/bin/sh\necho first > log\n");
    place.write_script("second/program", "#!/bin/sh\necho second > log\n");
    let path = format!("{}:{}:/usr/bin:/bin", place.path("first").display(), place.path("second").display());
    let daemon = with_path(place, &path);
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.read("log"), "second\n");
}

#[test]
fn a_command_that_the_shell_does_not_find_is_the_shells_to_tell() {
    let daemon = ended(Place::new(""), "clinit-absent-program; exit $?");
    assert_eq!(daemon.entry("it")["last_exit"]["code"], 127);
    assert!(daemon.err().contains("clinit-absent-program"), "{}", daemon.err());
}

#[test]
fn a_test_that_cannot_be_executed_has_failed() {
    let daemon = Daemon::start("web:check:1,:test:./absent\nweb:last:1,:wait:touch last\n");
    daemon.settle("web", "1", "FAILED");
    assert!(daemon.has("last"));
    let check = daemon.entry("check");
    assert_eq!(check["state"], "failed");
    assert_eq!(check["last_exit"]["kind"], "not_executed");
}

#[test]
fn people_read_it_in_the_status_and_in_what_the_daemon_says() {
    let daemon = ended(Place::new(""), "./absent");
    let table = daemon.clinit("status it").done();
    assert!(table.contains("not executed: ./absent: No such file or directory"), "{table}");
    eventually("a complaint", || {
        daemon.err().contains("web/it: not executed: ./absent: No such file or directory\n")
    });
}
