//! What entries print is in files, whatever becomes of those who carry it.

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::command::{program, run};
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{is_alive, send};
use crate::user::{STRANGER, can_be_stranger, make_folder_for_unprivileged, skip, unprivileged};
use crate::wait::{eventually, wait_for};

/// An entry that counts until there is a file `stop`.
const COUNTING: &str = "web:count:1,:once:i=0; until test -e stop; do echo line $i; i=$((i+1)); test $((i%100)) != 0 || sleep 0.01; \
     done; echo end $i\n";

/// A daemon in the background with this table.
#[track_caller]
fn background(table: &str) -> Place {
    let place = Place::new(table);
    place.clinit("daemon").done();
    place
}

/// All numbers from 0 on, and then how many they were.
#[track_caller]
fn are_complete(lines: &[String]) {
    let (end, lines) = lines.split_last().unwrap();
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(*line, format!("line {number}"));
    }
    assert_eq!(*end, format!("end {}", lines.len()));
}

#[test]
fn a_daemon_in_the_background_keeps_what_entries_print() {
    let place = background("web:a:1,:wait:echo one; echo two >&2; printf three\nweb:b:1,:wait:echo other\n");
    place.settle("web", "1", "DONE");
    place.kept("web/a").wait_lines(&["one", "two", "three"]);
    place.kept("web/b").wait_lines(&["other"]);
    assert_eq!(place.kept("web/a").mode("current"), 0o644);
    place.clinit("shutdown").done();
    let kept = place.kept("web/a");
    assert!(kept.text().ends_with("three\n"), "the last line has an end");
    assert_eq!(kept.mode("current"), 0o744);
}

#[test]
fn one_that_is_started_by_a_level_does_so_too_and_one_in_the_foreground_does_not() {
    let place = Place::new("web:a:1,:wait:echo one\n");
    place.clinit("web 1").done();
    place.kept("web/a").wait_lines(&["one"]);
    let daemon = Daemon::start("web:a:1,:wait:echo one\n");
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.out(), "one\n");
    assert!(!daemon.has("logs"));
}

#[test]
fn the_table_says_where_to() {
    let place = Place::new("");
    let other = place.path("other");
    place.write_table(&format!(
        "web:::output:file:{}\nweb:a:1,:wait:echo one\nweb:b:1,:wait:echo two\nweb:b::output:inherit\n\
         web:c:1,:wait:echo three\nweb:c::output:null\n",
        other.display()
    ));
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    crate::kept::Kept(other.join("web/a")).wait_lines(&["one"]);
    assert_eq!(daemon.out(), "two\n");
    assert_eq!(fs::read_dir(other.join("web")).unwrap().count(), 1);
    let folder = daemon.entry("a")["log"]["folder"].clone();
    assert_eq!(folder, other.join("web/a").to_str().unwrap());
    assert_eq!(daemon.entry("b")["log"], serde_json::Value::Null);
}

#[test]
fn names_that_mean_something_to_paths_stay_in_the_folder() {
    let place = background("..:.:1,:wait:echo one\n%:a%:1,:wait:echo two\n");
    place.settle("..", "1", "DONE");
    place.settle("%", "1", "DONE");
    place.kept("%2E./%2E").wait_lines(&["one"]);
    place.kept("%25/a%25").wait_lines(&["two"]);
}

#[test]
fn files_are_rotated_by_size_and_removed_by_number() {
    let place = background(
        "web:a:1,:wait:i=0; while test $i -lt 2000; do echo line $i; i=$((i+1)); done\n\
         web:::log_size:4K\nweb:::log_count:4\n",
    );
    place.settle("web", "1", "DONE");
    place.clinit("shutdown").done();
    let kept = place.kept("web/a");
    let files = kept.files();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name == "current" || name.ends_with(".s"), "{files:?}");
        assert_eq!(kept.mode(name), 0o744);
        assert!(file.metadata().unwrap().len() <= 4096);
        assert!(fs::read_to_string(file).unwrap().ends_with('\n'));
    }
    let lines = kept.lines();
    let first: usize = lines[0].strip_prefix("line ").unwrap().parse().unwrap();
    let expected: Vec<String> = (first..2000).map(|number| format!("line {number}")).collect();
    assert_eq!(lines, expected);
}

#[test]
fn a_line_longer_than_everything_is_whole() {
    let place = background(
        "web:a:1,:wait:head -c 300000 /dev/zero | tr '\\0' x; echo; echo next\nweb:::log_size:64K\n",
    );
    place.settle("web", "1", "DONE");
    place.clinit("shutdown").done();
    let kept = place.kept("web/a");
    let text = kept.text();
    let (long, next) = text.split_once('\n').unwrap();
    assert_eq!(long.len(), 26 + 300_000);
    assert!(long[26..].bytes().all(|byte| byte == b'x') && next.ends_with(" next\n"));
    assert!(kept.files().len() > 4);
}

#[test]
fn what_was_printed_last_is_there_when_the_daemon_has_ended() {
    let place = background(
        "web:flood:1,:once:i=0; while test $i -lt 20000; do echo line $i; i=$((i+1)); done; echo end $i; touch done\n\
         web:bye:1,:respawn:trap 'echo bye; exit' TERM; touch ready; while :; do sleep 0.02; done\n",
    );
    place.settle("web", "1", "DONE");
    place.wait_file("done");
    place.wait_file("ready");
    place.clinit("shutdown").done();
    are_complete(&place.kept("web/flood").lines());
    assert_eq!(place.kept("web/bye").lines().last().map(String::as_str), Some("bye"));
    eventually("the end", || place.processes().is_empty());
}

#[test]
fn how_lines_are_kept_changes_without_a_restart() {
    let table = "web:a:1,:respawn:while :; do echo tick; sleep 0.02; done\n";
    let place = background(table);
    place.settle("web", "1", "DONE");
    let pid = place.pid("a");
    let kept = place.kept("web/a");
    eventually("a tick", || !kept.lines().is_empty());
    place.write_table(&format!("{table}web:::log_stamp:none\n"));
    place.reread();
    eventually("a bare line", || kept.text().contains("\ntick\n"));
    place.write_table(&format!("{table}web:::log_stamp:iso\n"));
    place.reread();
    eventually("a line with a date", || kept.text().contains("Z tick\n"));

    for folder in ["one", "other"] {
        let path = place.path(folder);
        place.write_table(&format!("{table}web:::output:file:{}\n", path.display()));
        place.reread();
        let there = crate::kept::Kept(path.join("web/a"));
        eventually("lines elsewhere", || there.lines().len() > 1);
    }
    assert_eq!(crate::kept::Kept(place.path("one/web/a")).mode("current"), 0o744, "it was left well");
    // From one folder to another it need not be started anew; for the first of them it was.
    let moved = place.pid("a");
    place.write_table(&format!("{table}web:::output:file:{}\n", place.path("third").display()));
    place.reread();
    let third = crate::kept::Kept(place.path("third/web/a"));
    eventually("lines in the third", || third.lines().len() > 1);
    assert_eq!(place.pid("a"), moved);
    assert!(is_alive(moved) && pid != 0);
}

#[test]
fn the_logger_is_killed_again_and_again_and_no_line_is_lost_or_comes_twice() {
    let place = background(&format!("{COUNTING}web:::log_size:256K\nweb:::log_count:10000\n"));
    place.settle("web", "1", "DONE");
    let kept = place.kept("web/count");
    let mut logger = place.role_pid("logger");
    for round in 0..12 {
        let before = kept.size();
        eventually("that it is carried", || kept.size() > before + 1000);
        std::thread::sleep(std::time::Duration::from_micros(round * 317));
        send(logger, Signal::KILL);
        let killed = logger;
        logger = wait_for("another logger", || match place.all_of_role("logger")[..] {
            [pid] if pid != killed => Some(pid),
            _ => None,
        });
    }
    place.write("stop", "");
    place.wait_entry("count", "done");
    place.clinit("shutdown").done();
    are_complete(&kept.lines());
}

#[test]
fn keeper_and_logger_are_killed_together_and_no_line_is_lost_or_comes_twice() {
    let place = background(&format!("{COUNTING}web:::log_size:256K\nweb:::log_count:10000\n"));
    place.settle("web", "1", "DONE");
    let kept = place.kept("web/count");
    for _ in 0..3 {
        let before = kept.size();
        eventually("that it is carried", || kept.size() > before + 1000);
        let killed = [place.role_pid("keeper"), place.role_pid("logger")];
        for signal in [Signal::STOP, Signal::KILL] {
            killed.iter().for_each(|&pid| send(pid, signal));
        }
        eventually("successors", || {
            let found = ["keeper", "logger"].map(|role| place.all_of_role(role));
            found.iter().zip(killed).all(|(pids, old)| matches!(pids[..], [pid] if pid != old))
        });
        eventually("an answer", || place.clinit("status").code == Some(0));
    }
    place.write("stop", "");
    eventually("its end", || kept.text().contains(" end "));
    place.clinit("shutdown").done();
    are_complete(&kept.lines());
}

#[test]
fn what_an_entry_printed_last_before_keeper_and_logger_died_is_not_lost() {
    let place = background("web:a:1,:once:echo one; until test -e go; do sleep 0.01; done; echo last\n");
    place.settle("web", "1", "DONE");
    place.kept("web/a").wait_lines(&["one"]);
    let pid = place.pid("a");
    let companions = [place.role_pid("logger"), place.role_pid("keeper")];
    companions.iter().for_each(|&pid| send(pid, Signal::STOP));
    place.write("go", "");
    // It has ended, and only the engine holds what it said.
    eventually("its end", || !is_alive(pid));
    companions.iter().for_each(|&pid| send(pid, Signal::KILL));
    place.kept("web/a").wait_lines(&["one", "last"]);
}

#[test]
fn all_three_die_and_the_next_daemon_goes_on_in_the_same_file() {
    let place = background(&format!("{COUNTING}web:::log_count:10000\n"));
    place.settle("web", "1", "DONE");
    let kept = place.kept("web/count");
    eventually("that it is carried", || kept.size() > 1000);
    let pids = ["keeper", "engine", "logger"].map(|role| place.role_pid(role));
    for signal in [Signal::STOP, Signal::KILL] {
        pids.iter().for_each(|&pid| send(pid, signal));
    }
    eventually("their end", || pids.iter().all(|&pid| !is_alive(pid)));
    place.clinit("daemon").done();
    let before = kept.size();
    eventually("that it goes on", || kept.size() > before);
    place.write("stop", "");
    eventually("its end", || kept.text().contains(" end "));
    place.clinit("shutdown").done();
    are_complete(&kept.lines());
    assert!(kept.files().iter().all(|path| !path.to_str().unwrap().ends_with(".u")), "it was no bad end");
}

#[test]
fn a_slot_that_another_entry_has_now_is_another_folder() {
    let place = background("web:a:1,:wait:echo one\n");
    place.settle("web", "1", "DONE");
    place.kept("web/a").wait_lines(&["one"]);
    for number in 0..5 {
        place.write_table(&format!("web:n{number}:1,:wait:echo number {number}\n"));
        place.reread();
        place.settle("web", "1", "DONE");
        place.kept(&format!("web/n{number}")).wait_lines(&[&format!("number {number}")]);
    }
    place.kept("web/a").wait_lines(&["one"]);
}

#[test]
fn two_daemons_do_not_write_into_the_same_folder() {
    let place = background("web:a:1,:wait:echo one\n");
    place.settle("web", "1", "DONE");
    place.kept("web/a").wait_lines(&["one"]);
    place.bare("-c cltab -s other.s daemon").done();
    place.bare("-c cltab -s other.s tell web 1 --wait").done();
    let fault = wait_for("a fault", || {
        let said = place.bare("-c cltab -s other.s status web/a");
        said.out.contains("cannot be written and wait").then_some(said.out)
    });
    assert!(fault.contains("web/a: its lines cannot be written"), "{fault}");
    // What waited is written when there is nobody else.
    place.clinit("shutdown").done();
    place.kept("web/a").wait_lines(&["one", "one"]);
    eventually("that all is well", || {
        !place.bare("-c cltab -s other.s status web/a").out.contains("cannot be written")
    });
}

#[test]
fn an_ordinary_users_logs_are_in_the_users_folder() {
    if !can_be_stranger() {
        return;
    }
    let place = Place::new("web:a:1,:wait:echo one\n");
    place.write("cltab", "web:a:1,:wait:echo one\n");
    make_folder_for_unprivileged(&place, "home");
    make_folder_for_unprivileged(&place, "run");
    let home = place.path("home");
    let user = |words: &str, state: Option<&str>, home: Option<&std::path::Path>| {
        let mut command = unprivileged(&place, words);
        command.env_remove("HOME").env_remove("XDG_STATE_HOME").env("XDG_RUNTIME_DIR", place.path("run"));
        command.envs(state.map(|state| ("XDG_STATE_HOME", place.path(state))));
        command.envs(home.map(|home| ("HOME", home)));
        run(&mut command)
    };
    for (state, home, logs) in [
        (Some("home/state"), Some(&*home), "home/state/clinit"),
        (None, Some(&*home), "home/.local/state/clinit"),
        (None, None, "run/init.s.logs"),
    ] {
        let said = user("-c cltab -s run/init.s daemon", state, home).done();
        let path = place.path(logs);
        assert!(said.contains(&format!("logs    {}\n", path.display())), "{said}");
        user("-c cltab -s run/init.s tell web 1 --wait", state, home).done();
        let kept = crate::kept::Kept(path.join("web/a"));
        kept.wait_lines(&["one"]);
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&kept.0.metadata().unwrap()), STRANGER);
        user("-c cltab -s run/init.s shutdown", state, home).done();
    }
}

/// Whether daemontools are there; says so if not. Where they can be installed, a missing one is a failure.
fn has_daemontools() -> bool {
    let found = Command::new("multilog").stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok();
    assert!(
        found || !crate::user::is_root(),
        "daemontools are not installed: cargo xtask test installs them"
    );
    if !found {
        skip("daemontools are not installed");
    }
    found
}

#[test]
fn daemontools_read_and_take_over_what_is_written() {
    if !has_daemontools() {
        return;
    }
    let place = background("web:a:1,:wait:echo one; echo two\n");
    place.settle("web", "1", "DONE");
    place.kept("web/a").wait_lines(&["one", "two"]);
    let folder = place.kept("web/a").0;
    let local = || {
        let input = fs::File::open(folder.join("current")).unwrap();
        let mut command = program("tai64nlocal");
        command.env("TZ", "UTC").stdin(input);
        run(&mut command).done()
    };
    let year = |line: &str| line.get(..2) == Some("20") && line.as_bytes().get(4) == Some(&b'-');
    let lines = local();
    assert!(lines.lines().all(year) && lines.ends_with(" two\n"), "{lines}");

    // While clinit writes there, multilog keeps away.
    let multilog = |text: &str| {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("printf '{text}' | multilog t s4096 \"$1\"")).arg("sh").arg(&folder);
        run(&mut command)
    };
    assert!(multilog("no\\n").err.contains("unable to lock"));
    place.clinit("shutdown").done();
    multilog("three\\n").done();
    place.kept("web/a").wait_lines(&["one", "two", "three"]);
    place.clinit("daemon").done();
    place.settle("web", "1", "DONE");
    place.kept("web/a").wait_lines(&["one", "two", "three", "one", "two"]);
    assert_eq!(place.kept("web/a").files().len(), 1, "it went on in the same file");
}

#[test]
fn a_current_that_was_left_in_the_middle_is_put_aside() {
    let place = Place::new("web:a:1,:wait:echo one\n");
    let folder = place.kept("web/a").0;
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("current"), "@400000003f0000000000000 half a").unwrap();
    place.clinit("daemon").done();
    place.settle("web", "1", "DONE");
    eventually("a line", || {
        fs::read_to_string(folder.join("current")).is_ok_and(|text| text.ends_with(" one\n"))
    });
    let files = place.kept("web/a").files();
    assert_eq!(files.len(), 2);
    assert!(files[0].to_str().unwrap().ends_with(".u"), "{files:?}");
}
