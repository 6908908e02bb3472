//! The same program called `isinit`: IS::Init's command, which is silent and starts its daemon itself.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::command::{CLINIT, Said, program, run};
use crate::place::Place;
use crate::process::{cwd, is_gone, session};
use crate::user::{make_folder_for_unprivileged, unprivileged_as};
use crate::wait::eventually;

const WEB: &str = "web:httpd:start:respawn:sleep 1000\n";

/// A place with a link `isinit` to the program.
fn place(table: &str) -> Place {
    let place = Place::new(table);
    symlink(CLINIT, place.path("isinit")).unwrap();
    place
}

fn isinit(place: &Place, words: &str) -> Said {
    run(command(place).args(["-c", "cltab", "-s", "init.s"]).args(words.split_whitespace()))
}

fn command(place: &Place) -> Command {
    let mut command = program(place.path("isinit").to_str().unwrap());
    command.current_dir(place.path(""));
    command
}

#[test]
fn it_starts_a_daemon_and_is_silent() {
    let place = place(WEB);
    isinit(&place, "web start").is(0, "", "");
    place.wait_group("web", "start", "DONE");
    let keeper = place.role_pid("keeper");
    assert_eq!(session(keeper), keeper);
    assert_eq!(cwd(keeper), place.path("").canonicalize().unwrap());
    isinit(&place, "nothing start").is(0, "", "");
    isinit(&place, "web bogus").is(0, "", "");
    place.wait_group("web", "bogus", "DONE");
    isinit(&place, "").is(0, "", "");
    isinit(&place, "-v").is(0, "web bogus DONE\n", "");
    isinit(&place, "-k").is(0, "", "");
    eventually("the end", || place.processes().is_empty());
    isinit(&place, "-k").is(0, "", "");
}

#[test]
fn without_operands_it_starts_a_daemon_too() {
    let place = place(WEB);
    isinit(&place, "").is(0, "", "");
    assert_eq!(place.group("web")["told"], false);
}

#[test]
fn its_paths_are_those_of_old() {
    let place = Place::new("");
    ["run", "config"].into_iter().for_each(|name| make_folder_for_unprivileged(&place, name));
    place.write("config/isinittab", WEB);
    let isinit = |words: &str| {
        let mut command = unprivileged_as(&place, "isinit", words);
        command.env("XDG_RUNTIME_DIR", place.path("run")).env("XDG_CONFIG_HOME", place.path("config"));
        command.env("XDG_STATE_HOME", place.path("config"));
        run(&mut command)
    };
    isinit("web start").is(0, "", "");
    assert!(place.has("run/is/init.s"));
    eventually("the transition's end", || isinit("-v").out == "web start DONE\n");
    isinit("-k").is(0, "", "");
    eventually("the end", || place.processes().is_empty());
    assert_eq!(std::fs::read_dir(place.path("run/is")).unwrap().count(), 0, "it wrote no status file");
}

#[test]
fn it_knows_no_verbs_and_no_d() {
    let place = place("status:httpd:tell:respawn:sleep 1000\n");
    isinit(&place, "status tell").is(0, "", "");
    place.wait_group("status", "tell", "DONE");
    isinit(&place, "-d").fails(2, &["-d"]);
    let usage = "usage: isinit [-h] [-k] [-c TABLE] [-s SOCKET] [[GROUP] LEVEL]\n";
    let said = isinit(&place, "-h");
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.starts_with(usage), "{said:?}");
}

#[test]
fn settings_are_told_by_their_fourth_column() {
    let place = place("");
    let logs = place.path("logs").display().to_string();
    place.write("cltab", format!("::anything:socket:is.s\n:::initstat:is.stat\n:::log_folder:{logs}\n{WEB}"));
    let said = run(command(&place).args(["-c", "cltab", "web", "start"]));
    said.is(0, "", "");
    eventually("the status file", || place.read("is.stat") == "Cluster::Init::Group web start DONE\n");
    run(command(&place).args(["-c", "cltab", "-k"])).is(0, "", "");
    eventually("the end", || !place.has("is.s") && !place.has("is.stat"));
}

#[test]
fn a_table_without_anything_stops_everything() {
    let place = place(WEB);
    isinit(&place, "web start").is(0, "", "");
    let httpd = place.pid("httpd");
    place.write("cltab", "# nothing\n");
    isinit(&place, "").done();
    eventually("its end", || is_gone(httpd) && place.group("web").is_null());
}

#[test]
fn what_keeps_the_daemon_from_starting_is_told() {
    let place = place(WEB);
    std::fs::remove_file(place.path("cltab")).unwrap();
    isinit(&place, "web start").fails(7, &["no table at"]);
    assert!(!place.has("init.s"));
}
