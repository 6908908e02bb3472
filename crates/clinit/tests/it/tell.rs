//! `clinit tell`

use crate::command::{finish, run};
use crate::daemon::Daemon;
use crate::script::slow;

#[test]
fn tell_starts_a_transition() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    daemon.clinit("tell web 1").is(0, "level transition started\n", "");
    daemon.wait_group("web", "1", "DONE");
    let warning = "clinit: warning: no entry of group web has level 2: all of them are stopped\n";
    daemon.clinit("tell web 2").is(0, "level transition started\n", warning);
}

#[test]
fn with_wait_it_returns_when_the_group_has_the_level() {
    let daemon = Daemon::start(
        "web:slow:1,:wait:sleep 0.3; touch done\nweb:check:2,:test:true\nweb:fails:3,:test:false\n",
    );
    daemon.clinit("tell web 1 --wait").is(0, "web 1 DONE\n", "");
    assert!(daemon.has("done"));
    daemon.clinit("tell web 2 --wait").is(0, "web 2 PASSED\n", "");
    let complaint = "clinit: web/fails: failed: exited 1\nhint: clinit explain web says why\n";
    daemon.clinit("tell web 3 --wait").is(1, "web 3 FAILED\n", complaint);
    // Told again, it is so already.
    daemon.clinit("tell web 3 --wait").fails(1, &["hint"]);
}

#[test]
fn a_timeout_ends_the_wait_and_not_the_transition() {
    let daemon = Daemon::start("web:slow:1,:wait:until test -e go; do sleep 0.02; done\n");
    daemon.clinit("tell web 1 --wait --timeout 0.2").fails(4, &["200ms"]);
    assert_eq!(daemon.group("web")["state"], "STARTING");
    daemon.write("go", "");
    daemon.wait_group("web", "1", "DONE");
}

#[test]
fn an_unknown_group_is_a_failure() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    daemon.clinit("tell wbe 1").is(1, "", "clinit: no such group: wbe\nhint: did you mean web?\n");
    daemon.clinit("tell a/b 1").is(
        1,
        "",
        "clinit: no such group: a/b\nhint: clinit status shows what there is\n",
    );
}

#[test]
fn what_is_no_level_is_refused() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    let mut command = daemon.command();
    command.args(["-s", "init.s", "tell", "web", "a b"]);
    let said = run(&mut command);
    said.fails(2, &["level"]);
    assert_eq!(daemon.group("web")["told"], false);
}

#[test]
fn a_group_that_vanishes_is_gone_for_who_waits() {
    let daemon = Daemon::start(&format!(
        "web:slow:1,:respawn:{}\nweb:::stop_timeout:infinity\nmail:x:1,:off:x\n",
        slow()
    ));
    daemon.settle("web", "1", "DONE");
    daemon.wait_file("ready");
    let waiting = daemon.begin("tell web 2 --wait");
    daemon.wait_file("asked");
    daemon.write_table("mail:x:1,:off:x\n");
    daemon.reread();
    daemon.write("go", "");
    finish(waiting).fails(1, &["clinit: group web is gone: the table has it no longer\n"]);
}

#[test]
fn a_wait_ends_with_the_daemon() {
    let daemon = Daemon::start("web:slow:1,:wait:touch slow; sleep 1000\n");
    let waiting = daemon.begin("tell web 1 --wait");
    daemon.wait_file("slow");
    daemon.clinit("-k").done();
    let said = finish(waiting);
    said.fails(1, &["web"]);
}
