//! Entries that follow each other: `after` and `requires`.

use serde_json::json;

use crate::command::finish;
use crate::daemon::Daemon;
use crate::process::{is_alive, is_gone, kill};
use crate::wait::eventually;

/// Begins, and goes on when another has begun as well; ready at descriptor 3.
fn overlapping(own: &str, other: &str) -> String {
    format!(
        "web:{own}:1,:respawn:touch {own}.begun; until test -e {other}.begun; do sleep 0.02; done; echo >&3; exec sleep 1000\n\
         web:{own}::readiness:fd:3\n"
    )
}

#[test]
fn entries_that_do_not_follow_each_other_start_in_parallel() {
    let daemon = Daemon::start(&format!(
        "web:last:1,:wait:touch last\nweb:last::after:a b\n{}{}",
        overlapping("a", "b"),
        overlapping("b", "a")
    ));
    daemon.settle("web", "1", "DONE");
    assert!(daemon.has("last"));
}

#[test]
fn so_do_commands_that_end() {
    let meet = |own: &str, other: &str| {
        format!(
            "web:{own}:1,:wait:touch {own}.begun; until test -e {other}.begun; do sleep 0.02; done; echo {own} >> log\n"
        )
    };
    let daemon = Daemon::start(&format!(
        "web:last:1,:wait:echo last >> log\nweb:last::after:a, b\n{}{}",
        meet("a", "b"),
        meet("b", "a")
    ));
    daemon.settle("web", "1", "DONE");
    let log = daemon.lines("log");
    assert_eq!((log.len(), log[2].as_str()), (3, "last"), "{log:?}");
}

/// A service that notes when it starts and when it ends, and is ready when it has noted the one.
fn noting(tag: &str, follows: &str) -> String {
    format!(
        "web:{tag}:1,:respawn:trap 'echo -{tag} >> log; exit' TERM; echo +{tag} >> log; echo >&3; \
         while :; do sleep 0.02; done\n\
         web:{tag}::readiness:fd:3\n{follows}"
    )
}

/// `c` requires `b`, which starts after `a`; in the table they stand the other way round.
fn chain() -> String {
    let c = noting("c", "web:c::requires:b\n");
    let b = noting("b", "web:b::after:a\n");
    format!("{c}{b}{}web:::stop_timeout:infinity\n", noting("a", ""))
}

#[test]
fn they_start_in_order_and_stop_the_other_way_round() {
    let daemon = Daemon::start(&chain());
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.lines("log"), ["+a", "+b", "+c"]);
    daemon.settle("web", "2", "DONE");
    assert_eq!(daemon.lines("log")[3..], ["-c", "-b", "-a"]);
    daemon.settle("web", "1", "DONE");
    daemon.clinit("shutdown").done();
    daemon.wait_end();
    assert_eq!(daemon.lines("log")[6..], ["+a", "+b", "+c", "-c", "-b", "-a"]);
}

#[test]
fn what_requires_an_entry_stops_before_it_and_what_only_follows_it_stays() {
    let daemon = Daemon::start(&chain());
    daemon.settle("web", "1", "DONE");
    daemon.clinit("stop b").done();
    assert_eq!(daemon.lines("log")[3..], ["-c", "-b"]);
    daemon.clinit("start b").done();
    eventually("both again", || daemon.entry("c")["state"] == "ready");
    assert_eq!(daemon.lines("log")[5..], ["+b", "+c"]);
    daemon.clinit("stop a").done();
    daemon.clinit("start a").done();
    assert_eq!(daemon.lines("log")[7..], ["-a", "+a"]);
}

#[test]
fn what_requires_an_entry_is_restarted_with_it_by_hand_and_by_the_table_but_not_after_a_crash() {
    let daemon = Daemon::start(&chain());
    daemon.settle("web", "1", "DONE");
    daemon.clinit("restart b").done();
    eventually("all again", || daemon.entry("c")["state"] == "ready");
    assert_eq!(daemon.lines("log")[3..], ["-c", "-b", "+b", "+c"]);
    daemon.write_table(&chain().replace("echo +b", "echo  +b"));
    let plan = daemon.clinit("plan").done();
    assert_eq!(
        plan.lines().collect::<Vec<_>>(),
        ["restart  web/c: it requires web/b, which would restart", "restart  web/b: its command changed"]
    );
    daemon.clinit("").done();
    eventually("all again", || daemon.lines("log").len() == 11);
    assert_eq!(daemon.lines("log")[7..], ["-c", "-b", "+b", "+c"]);
    daemon.wait_group("web", "1", "DONE");
    let (b, c) = (daemon.pid("b"), daemon.pid("c"));
    kill(&[b]);
    eventually("another life", || daemon.entry("b")["state"] == "ready" && daemon.pid("b") != b);
    assert_eq!((daemon.lines("log")[11..].join(" ").as_str(), daemon.pid("c")), ("+b", c));
}

#[test]
fn whoever_leaves_for_another_says_so() {
    let stubborn = "web:c:1,:respawn:trap '' TERM; echo >&3; exec sleep 1000\n\
                    web:c::readiness:fd:3\nweb:c::requires:b\n";
    let daemon = Daemon::start(&format!("{stubborn}{}web:::stop_timeout:infinity\n", noting("b", "")));
    daemon.settle("web", "1", "DONE");
    let c = daemon.pid("c");
    let restart = daemon.begin("restart b");
    let explained = |what: &str, words: &str| daemon.clinit(&format!("explain {what}")).out.contains(words);
    eventually("a word about b", || {
        explained("b", "it is restarted when those that follow it have stopped: web/c")
    });
    assert!(explained("c", "it requires web/b, which is to be restarted  ("));
    kill(&[c]);
    finish(restart).done();
    assert_eq!(daemon.lines("log"), ["+b", "-b", "+b"]);
    daemon.wait_group("web", "1", "DONE");
}

#[test]
fn what_requires_a_command_that_failed_does_not_run_and_its_group_has_failed() {
    let daemon = Daemon::start(
        "web:app:1,:respawn:echo x >> app; exec sleep 1000\nweb:app::requires:prepare\n\
         web:free:1,:wait:touch free\nweb:free::after:prepare\n\
         web:prepare:1,:wait:test -e good\n",
    );
    daemon.settle("web", "1", "FAILED");
    // What only starts after it has begun later than the other would have.
    assert!(daemon.has("free") && !daemon.has("app"));
    let app = daemon.entry("app");
    assert_eq!((&app["state"], &app["pid"]), (&json!("down"), &json!(null)));
    assert!(app["why"].as_str().unwrap().contains("it requires web/prepare"), "{app}");
    daemon.write("good", "");
    daemon.clinit("start prepare").done();
    daemon.wait_group("web", "1", "DONE");
    daemon.pid("app");
    eventually("one start", || daemon.lines("app") == ["x"]);
}

#[test]
fn what_requires_an_entry_that_is_given_up_is_stopped() {
    let daemon = Daemon::start(
        "web:db:1,:respawn:until test -e bad; do sleep 0.02; done; exit 3\nweb:db::restart:never\n\
         web:app:1,:respawn:exec sleep 1000\nweb:app::requires:db\n\
         web:log:1,:respawn:exec sleep 1000\nweb:log::after:db\n",
    );
    daemon.settle("web", "1", "DONE");
    let (app, log) = (daemon.pid("app"), daemon.pid("log"));
    daemon.write("bad", "");
    daemon.wait_group("web", "1", "FAILED");
    eventually("that it is stopped", || is_gone(app));
    assert!(is_alive(log));
    assert_eq!((daemon.pid("log"), daemon.entry("app")["state"].as_str()), (log, Some("down")));
}

#[test]
fn what_is_not_of_the_level_is_not_waited_for_but_required_in_vain() {
    let daemon = Daemon::start(
        "web:a:2,:wait:sleep 1000\n\
         web:b:1,2:wait:touch b\nweb:b::after:a\n\
         web:c:1,2:wait:touch c\nweb:c::requires:a\n",
    );
    daemon.settle("web", "1", "DONE");
    assert!(daemon.has("b") && !daemon.has("c"));
    let said = daemon.clinit("start c");
    assert!(said.code == Some(1) && said.out.contains("it requires web/a"), "{said:?}");
}

#[test]
fn a_cycle_is_refused_at_a_reread_and_nothing_changes() {
    let daemon =
        Daemon::start("web:a:1,:respawn:exec sleep 1000\nweb:b:1,:respawn:exec sleep 1000\nweb:b::after:a\n");
    daemon.settle("web", "1", "DONE");
    let pids = (daemon.pid("a"), daemon.pid("b"));
    daemon.write_table(
        "web:a:1,:respawn:exec sleep 1001\nweb:a::requires:b\nweb:b:1,:respawn:exec sleep 1001\nweb:b::after:a\n",
    );
    daemon.clinit("").fails(1, &["cltab:4:14: a cycle: a requires b, b after a", "the table was not reread"]);
    assert_eq!((daemon.pid("a"), daemon.pid("b")), pids);
}
