//! Bad tables, as seen by whoever checks them, starts a daemon on them or puts them up.

use std::fs;
use std::time::{Duration, Instant};

use crate::command::{program, run};
use crate::daemon::Daemon;
use crate::place::Place;
use crate::user::{can_be_stranger, is_root, skip, unprivileged};

/// What every command that needs the table says of one that cannot be read.
#[track_caller]
fn is_refused(place: &Place, words: &[&str]) {
    place.bare("check cltab").fails(1, words);
    for command in ["-d", "web start", "up cltab"] {
        place.clinit(command).fails(7, words);
    }
    assert!(!place.has("init.s") && !place.has("init.s.state"), "nothing is left");
}

#[test]
fn a_folder_is_no_table() {
    let place = Place::new("");
    fs::remove_file(place.path("cltab")).unwrap();
    fs::create_dir(place.path("cltab")).unwrap();
    is_refused(&place, &["cltab is a folder: name the table in it"]);
}

#[test]
fn a_missing_table_is_named() {
    let place = Place::new("");
    fs::remove_file(place.path("cltab")).unwrap();
    is_refused(&place, &["no table at", "cltab: write one there, or name another path"]);
}

#[test]
fn a_fifo_is_refused_and_not_waited_for() {
    let place = Place::new("");
    fs::remove_file(place.path("cltab")).unwrap();
    run(program("mkfifo").arg(place.path("cltab"))).done();
    is_refused(&place, &["cltab is not a regular file"]);
}

#[test]
fn root_trusts_no_table_that_others_may_write() {
    if !is_root() {
        return skip("this concerns root alone");
    }
    let place = Place::new("web:httpd:start,:respawn:sleep 1000\n");
    place.chmod("cltab", 0o666);
    is_refused(&place, &["may be written by every user: chmod o-w"]);
    place.chmod("cltab", 0o664);
    fs::create_dir(place.path("cltab.d")).unwrap();
    place.chmod("cltab.d", 0o777);
    is_refused(&place, &["cltab.d may be written by every user"]);
    place.chmod("cltab.d", 0o755);
    place.write("cltab.d/x.cltab", "");
    place.chmod("cltab.d/x.cltab", 0o666);
    is_refused(&place, &["x.cltab may be written by every user"]);
}

#[test]
fn a_table_that_others_may_write_now_is_refused_at_a_reread() {
    if !is_root() {
        return skip("this concerns root alone");
    }
    let daemon = Daemon::start("web:httpd:start,:respawn:sleep 1000\n");
    daemon.write("cltab", "web:evil:start,:respawn:sleep 1000\n");
    daemon.chmod("cltab", 0o666);
    daemon.clinit("").fails(1, &["may be written by every user"]);
    daemon.settle("web", "start", "DONE");
    daemon.pid("httpd");
    assert!(daemon.entry("evil").is_null());
}

#[test]
fn a_table_that_may_not_be_read_says_so() {
    if !can_be_stranger() {
        return;
    }
    let place = Place::new("");
    place.chmod("cltab", 0o600);
    let said = run(&mut unprivileged(&place, "check cltab"));
    said.fails(1, &["no permission to read cltab"]);
}

#[test]
fn nul_and_invalid_utf8_are_faults_of_their_lines() {
    let place = Place::new("");
    place.write("cltab", b"web:a:1:wait:tr\0ue\nweb:b:1:wait:\xff\xfe\nweb:c:1:wait:true\n");
    let said = place.bare("check cltab");
    assert_eq!(said.code, Some(1));
    for words in ["cltab:1:16: fault: ", "cltab:2:", "UTF-8", "2 faults, 1 group with 1 entry without them"] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert!(!said.out.contains('\0'));
}

#[test]
fn every_fault_has_a_place_and_what_can_be_done() {
    let place = Place::new("");
    for (line, words) in [
        ("web:a:1:respwan:x", &[":1:9:", "unknown mode `respwan`", "did you mean `respawn`?"][..]),
        ("web:a:1:wait:x\nweb:a:1:wait:x", &[":2:", "entry has duplicate tag: a", "line 1"]),
        ("web:::stop_tiemout:3", &[":1:7:", "stop_tiemout", "did you mean `stop_timeout`?"]),
        ("web:a::respawn:x", &[":1:7:", "level", "respawn"]),
        ("web:a:1:respawn:", &["command"]),
        ("web:a:1:respawn", &["command"]),
        (":a:1:respawn:x", &[":1:1:", "group"]),
        ("web:a b:1:wait:x", &[":1:5:", "a b"]),
        ("service:a:1:wait:x", &[":1:1:", "service"]),
        ("web:a:1:wait:x\nweb:a::stop_timeout:soon", &[":2:21:", "soon"]),
        ("web:a:1:wait:x\nweb:b::stop_timeout:3", &[":2:5:", "web/b"]),
        ("web:a:1:wait:x\nweb:a::kill_mode:cgroup\nweb:a::cgroup:no", &["kill_mode"]),
    ] {
        place.write("cltab", format!("{line}\n"));
        let said = place.bare("check cltab");
        assert_eq!(said.code, Some(1), "{line}");
        assert!(said.out.contains("^"), "{line}: {}", said.out);
        for word in words {
            assert!(said.out.contains(word), "{word:?} of {line:?} is not in {}", said.out);
        }
    }
}

#[test]
fn a_line_of_10_megabytes_is_a_fault_and_no_burden() {
    let place = Place::new("");
    let long = "x".repeat(10 << 20);
    place.write("cltab", format!("web:a:1:wait:{long}\n{long}\nweb:c:1:wait:true\n"));
    let begun = Instant::now();
    let said = place.bare("check cltab");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(said.code, Some(1));
    assert!(said.out.len() < 4096, "what is shown of it is short");
    for words in ["cltab:1:", "cltab:2:", "too long", "1 group with 1 entry without them"] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
}

#[test]
fn a_hundred_thousand_entries_are_read_and_run() {
    let place = Place::new("");
    let entries: String =
        (0..100_000).map(|n| format!("group{}:tag{n}:1,:off:sleep 1000\n", n % 100)).collect();
    place.write_table(&entries);
    // How long that takes is tested where the machine's other work counts for nothing: `table/tests/speed.rs`.
    assert!(place.bare("check cltab").done().contains("100 groups with 100000 entries"));
    let daemon = Daemon::at(place);
    daemon.bare("-s init.s tell group7 1 --wait").is(0, "group7 1 DONE\n", "");
    let entries = daemon.bare("-s init.s status group7").done();
    assert_eq!(entries.lines().count(), 1002, "a head, the group and its entries");
}
