//! What an entry prints is its own, whoever has its place after it, and whoever dies meanwhile.

use std::fs;

use rustix::process::Signal;

use crate::place::Place;
use crate::process::{is_alive, send};
use crate::wait::eventually;

/// A daemon in the background with this table.
#[track_caller]
fn background(table: &str) -> Place {
    let place = Place::new(table);
    place.clinit("daemon").done();
    place
}

/// Waits until no FIFOs are there but those of so many entries.
#[track_caller]
fn wait_fifos(place: &Place, count: usize) {
    eventually(&format!("{count} FIFOs"), || {
        fs::read_dir(place.path("init.s.state/out")).unwrap().count() == count
    });
}

/// Gives the place of `web/a` to `web/b`. It is free for that when a table after the one without `web/a` is read.
#[track_caller]
fn hand_over(place: &Place) {
    for table in ["web:silent:1,:wait:true\nweb:silent::output:null\n", "web:b:1,:wait:echo two\n"] {
        place.write_table(table);
        place.reread();
        place.settle("web", "1", "DONE");
    }
}

#[test]
fn a_logger_that_lags_writes_each_line_where_it_belongs() {
    let place = background("web:a:1,:wait:echo one\n");
    place.settle("web", "1", "DONE");
    place.kept("web/a").wait_lines(&["one"]);
    let logger = place.role_pid("logger");
    send(logger, Signal::STOP);
    hand_over(&place);
    send(logger, Signal::CONT);
    place.kept("web/b").wait_lines(&["two"]);
    place.kept("web/a").wait_lines(&["one"]);
    wait_fifos(&place, 1);
}

#[test]
fn deaths_of_a_logger_that_lags_and_of_others_cost_no_entry_its_lines() {
    for others in [&[][..], &["engine"], &["keeper"]] {
        let place = background("web:a:1,:wait:echo one\n");
        // It has never heard of either.
        let logger = place.role_pid("logger");
        send(logger, Signal::STOP);
        place.settle("web", "1", "DONE");
        hand_over(&place);
        let others: Vec<u32> = others.iter().map(|role| place.role_pid(role)).collect();
        others.iter().for_each(|&pid| send(pid, Signal::STOP));
        let dying = [&[logger], &others[..]].concat();
        dying.iter().for_each(|&pid| send(pid, Signal::KILL));
        eventually("their end", || dying.iter().all(|&pid| !is_alive(pid)));
        place.kept("web/a").wait_lines(&["one"]);
        place.kept("web/b").wait_lines(&["two"]);
        wait_fifos(&place, 1);
    }
}

/// A command that leaves a process in a session of its own, which prints `late` when there is the file `go`.
const LEAVES_ONE: &str = "echo one; setsid sh -c 'touch begun; until test -e go; do sleep 0.01; done; echo late' & \
                          until test -e begun; do sleep 0.01; done";

#[test]
fn a_process_that_outlives_its_entry_prints_where_that_did() {
    let place = background(&format!("web:a:1,:wait:{LEAVES_ONE}\n"));
    place.settle("web", "1", "DONE");
    hand_over(&place);
    place.kept("web/b").wait_lines(&["two"]);
    wait_fifos(&place, 2);
    place.write("go", "");
    place.kept("web/a").wait_lines(&["one", "late"]);
    wait_fifos(&place, 1);
    place.kept("web/b").wait_lines(&["two"]);
    assert_eq!(place.kept("web/a").mode("current"), 0o744, "it was left well");
}

#[test]
fn an_entry_that_comes_back_shares_its_folder_with_what_is_left_of_the_one_before() {
    let place = background(&format!("web:a:1,:wait:{LEAVES_ONE}\n"));
    place.settle("web", "1", "DONE");
    hand_over(&place);
    let both = "web:b:1,:wait:echo two\nweb:a:1,:wait:echo again; until test -e go; do sleep 0.01; done\n";
    place.write_table(both);
    place.reread();
    place.kept("web/a").wait_lines(&["one", "again"]);
    // The next logger finds both, too.
    send(place.role_pid("logger"), Signal::KILL);
    place.write("go", "");
    place.kept("web/a").wait_lines(&["one", "again", "late"]);
    wait_fifos(&place, 2);
    assert_eq!(place.kept("web/a").files().len(), 1);
}

#[test]
fn lines_that_cannot_be_written_wait_although_their_entry_is_gone() {
    let place = Place::new("web:a:1,:wait:echo one\n");
    fs::create_dir_all(place.path("logs/web")).unwrap();
    place.write("logs/web/a", "in the way");
    place.clinit("daemon").done();
    place.settle("web", "1", "DONE");
    eventually("a fault", || place.clinit("status web/a").out.contains("cannot be written and wait"));
    hand_over(&place);
    place.kept("web/b").wait_lines(&["two"]);
    fs::remove_file(place.path("logs/web/a")).unwrap();
    place.kept("web/a").wait_lines(&["one"]);
    wait_fifos(&place, 1);
}

#[test]
fn entries_that_come_and_go_leave_nothing_behind() {
    let place = background("");
    let descriptors = || {
        let folder = |role| format!("/proc/{}/fd", place.role_pid(role));
        ["keeper", "engine", "logger"].map(|role| fs::read_dir(folder(role)).unwrap().count())
    };
    let before = descriptors();
    for _ in 0..60 {
        place.clinit("run -- echo one").done();
    }
    wait_fifos(&place, 0);
    // Whoever holds a FIFO that was removed looks for such ones when there are more.
    let after = descriptors();
    assert!(after.iter().zip(before).all(|(&after, before)| after < before + 30), "{before:?} {after:?}");
}
