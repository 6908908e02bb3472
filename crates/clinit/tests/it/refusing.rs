//! Tables with faults: skipped line by line at start, refused whole at a reread.

use std::fs;

use crate::daemon::Daemon;
use crate::place::Place;
use crate::wait::eventually;

#[test]
fn at_start_the_faulty_lines_are_skipped_loudly_and_the_rest_runs() {
    let daemon = Daemon::start(
        "web:httpd:1,:respawn:sleep 1000\n\
         web:typo:1,:respwan:sleep 1000\n\
         web:other:1,:respawn:sleep 1000\n",
    );
    daemon.settle("web", "1", "DONE");
    daemon.pid("httpd");
    daemon.pid("other");
    assert!(daemon.entry("typo").is_null());
    for words in ["cltab:2:13: unknown mode `respwan`", "did you mean `respawn`?", "1 fault in the table"] {
        assert!(daemon.err().contains(words), "{words:?} is not in {:?}", daemon.err());
    }
}

#[test]
fn at_a_reread_a_faulty_table_is_refused_whole_and_the_old_one_goes_on() {
    let daemon = Daemon::start("web:a:1,2:respawn:sleep 1000\nweb:b:2,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let a = daemon.pid("a");
    daemon.write_table("web:new:1,:respawn:sleep 1000\nweb:typo:1,:respwan:sleep 1000\n");
    let said = daemon.clinit("");
    said.fails(
        1,
        &[
            "cltab:2:13: unknown mode `respwan`",
            "did you mean `respawn`?",
            "the table was not reread; the one that held goes on",
        ],
    );
    assert_eq!(said.out, "");

    // The tell acts on the old one, and its reply names the fault.
    let said = daemon.clinit("web 2").done();
    let (first, rest) = said.split_once('\n').unwrap();
    assert_eq!(first, "level transition started");
    assert!(rest.contains("cltab:2:13: unknown mode `respwan`"), "{rest}");
    daemon.wait_group("web", "2", "DONE");
    assert_eq!(daemon.pid("a"), a);
    daemon.pid("b");
    assert!(daemon.entry("new").is_null());

    daemon.write_table("web:a:1,2:respawn:sleep 1000\nweb:new:2,:respawn:sleep 1000\n");
    daemon.clinit("").is(0, "", "");
    daemon.pid("new");
    assert_eq!(daemon.pid("a"), a);
}

#[test]
fn a_table_without_anything_is_refused_at_a_reread() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let httpd = daemon.pid("httpd");
    for table in ["", "# nothing\n", ":::socket:x\n"] {
        daemon.write("cltab", table);
        daemon.clinit("").fails(1, &["the table has neither entries nor groups", "clinit shutdown"]);
    }
    assert_eq!(daemon.pid("httpd"), httpd);
}

#[test]
fn a_table_without_anything_is_fine_at_start_with_a_warning() {
    let daemon = Daemon::start("# nothing\n");
    assert_eq!(daemon.status()["groups"], serde_json::json!([]));
    assert!(daemon.err().contains("neither entries nor groups"), "{}", daemon.err());
    daemon.write_table("web:httpd:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
}

#[test]
fn no_bad_table_changes_anything_or_ends_the_daemon() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    daemon.settle("web", "1", "DONE");
    let (httpd, keeper) = (daemon.pid("httpd"), daemon.role_pid("keeper"));
    let engine = daemon.role_pid("engine");
    let long = format!("web:long:1,:once:echo {}\n", "x".repeat(10 << 20));
    for (what, bytes, words) in [
        ("a NUL", &b"web:a:1,:wait:tr\0ue\n"[..], &["control character"][..]),
        ("no UTF-8", b"web:a:1,:wait:echo \xff\n", &["UTF-8"]),
        ("a duplicate tag", b"web:a:1:wait:x\nmail:a:1:wait:x\n", &["entry has duplicate tag: a", ":2:"]),
        ("a mode", b"web:a:1:sometimes:x\n", &["unknown mode `sometimes`"]),
        ("a property", b"web:::stop_tiemout:3\n", &["stop_tiemout", "did you mean `stop_timeout`?"]),
        ("a value", b"web:::stop_timeout:soon\n", &["soon"]),
        ("a forgotten level", b"web:a::respawn:x\n", &["level"]),
        ("no command", b"web:a:1:respawn:\n", &["command"]),
        ("too few columns", b"web:a:1\n", &[":1:"]),
        ("no group", b":a:1:respawn:x\n", &["group"]),
        ("a line without end", long.as_bytes(), &["is too long"]),
    ] {
        daemon.write("cltab", bytes);
        let said = daemon.clinit("");
        assert!(words.iter().all(|word| said.err.contains(word)), "{what}: {:.500}", said.err);
        said.fails(1, &["the table was not reread"]);
    }
    fs::remove_file(daemon.path("cltab")).unwrap();
    daemon.clinit("").fails(1, &["no table at"]);
    fs::create_dir(daemon.path("cltab")).unwrap();
    daemon.clinit("").fails(1, &["is a folder"]);
    daemon.clinit("web 1").done();
    assert_eq!(daemon.pid("httpd"), httpd);
    assert_eq!((daemon.role_pid("keeper"), daemon.role_pid("engine")), (keeper, engine));
    eventually("that the daemon said so, too", || daemon.err().contains("the table was not reread"));
}

#[test]
fn all_faults_are_told_at_once() {
    let daemon = Daemon::at(Place::new("web:httpd:1,:respawn:sleep 1000\n"));
    daemon.write("cltab", "web:a:1:x:y\nweb:b:1:z:y\n\nweb:c:1:wait:true\nweb:c:1:wait:true\n");
    daemon.clinit("").fails(1, &["cltab:1:9:", "cltab:2:9:", "cltab:5:"]);
}
