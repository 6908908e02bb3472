//! `PATH.d/*.cltab` adds to the table at PATH.

use std::fs;

use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::is_gone;
use crate::wait::eventually;

/// A place with a table and a folder beside it.
fn place() -> Place {
    let place = Place::new("web:one:1,:wait:echo one >> log\n");
    fs::create_dir(place.path("cltab.d")).unwrap();
    place.chmod("cltab.d", 0o755);
    place
}

#[test]
fn files_of_the_folder_come_behind_the_table_in_their_order() {
    let place = place();
    place.write("cltab.d/b.cltab", "web:three:1,:wait:echo three >> log\n");
    place.write("cltab.d/a.cltab", "web:two:1,:wait:echo two >> log\nmail:smtpd:1,:wait:true\n");
    place.write("cltab.d/notes.txt", "this is no table\n");
    place.write("cltab.d/.hidden.cltab", "neither is this\n");
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.lines("log"), ["one", "two", "three"]);
    daemon.settle("mail", "1", "DONE");
    assert!(daemon.clinit("check cltab").done().contains("no faults, 2 groups with 4 entries"));
}

#[test]
fn a_package_may_come_and_go() {
    let daemon = Daemon::at(place());
    daemon.settle("web", "1", "DONE");
    daemon.write("cltab.d/package.cltab", "web:daemon:1,:respawn:sleep 1000\n");
    daemon.reread();
    let pid = daemon.pid("daemon");
    fs::remove_file(daemon.path("cltab.d/package.cltab")).unwrap();
    daemon.reread();
    eventually("its end", || is_gone(pid));
    assert_eq!(daemon.lines("log"), ["one"]);
}

#[test]
fn faults_name_their_file() {
    let daemon = Daemon::at(place());
    daemon.write("cltab.d/bad.cltab", "\nweb:one:1,:wait:true\n");
    let said = daemon.clinit("");
    said.fails(1, &["cltab.d/bad.cltab:2:", "entry has duplicate tag: one"]);
}
