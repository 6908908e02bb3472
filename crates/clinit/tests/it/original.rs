//! The forms of Cluster::Init's `clinit`, to the letter.

use crate::command::run;
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::is_gone;
use crate::wait::eventually;

const WEB: &str = "web:httpd:start,:respawn:sleep 1000\n";

/// This host's name, as `uname -n` has it.
fn host() -> String {
    rustix::system::uname().nodename().to_str().unwrap().to_owned()
}

#[test]
fn a_group_and_a_level_start_a_transition() {
    let daemon = Daemon::start(WEB);
    daemon.clinit("web start").is(0, "level transition started\n", "");
    daemon.wait_group("web", "start", "DONE");
}

#[test]
fn it_returns_before_the_transition_ends() {
    let daemon = Daemon::start("web:slow:start,:wait:until test -e go; do sleep 0.02; done\n");
    daemon.clinit("web start").is(0, "level transition started\n", "");
    assert_eq!(daemon.group("web")["state"], "STARTING");
    daemon.write("go", "");
    daemon.wait_group("web", "start", "DONE");
}

#[test]
fn an_unknown_group_is_no_error_of_the_programs() {
    let daemon = Daemon::start(WEB);
    daemon.clinit("nothing start").is(0, "no such group: nothing\n", "");
    daemon.clinit("wbe start").is(0, "no such group: wbe\n", "hint: did you mean web?\n");
    assert_eq!(daemon.clstat(), "", "nobody was told anything");
}

#[test]
fn a_level_that_no_entry_has_is_obeyed_with_a_warning() {
    let daemon = Daemon::start(WEB);
    daemon.settle("web", "start", "DONE");
    let httpd = daemon.pid("httpd");
    let warning = "clinit: warning: no entry of group web has level stop: all of them are stopped\n";
    daemon.clinit("web stop").is(0, "level transition started\n", warning);
    daemon.wait_group("web", "stop", "DONE");
    assert!(is_gone(httpd));
}

#[test]
fn no_operands_reread_in_silence() {
    let daemon = Daemon::start(WEB);
    daemon.clinit("").is(0, "", "");
}

#[test]
fn with_v_the_status_follows() {
    let daemon = Daemon::start(&format!("{WEB}mail:smtpd:start,:respawn:sleep 1000\n"));
    daemon.clinit("-v").is(0, "", "");
    daemon.settle("web", "start", "DONE");
    daemon.clinit("-v").is(0, "web start DONE\n", "");
    let said = daemon.clinit("-v mail start").done();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "level transition started");
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[1].starts_with("mail start ") && lines[2] == "web start DONE", "{said}");
    daemon.wait_group("mail", "start", "DONE");
    daemon.clinit("nothing start -v").is(0, "no such group: nothing\nmail start DONE\nweb start DONE\n", "");
}

#[test]
fn k_shuts_down_in_silence_and_with_v_says_so() {
    let daemon = Daemon::start(WEB);
    daemon.clinit("-k").is(0, "", "");
    assert_eq!(daemon.wait_end(), Some(0));

    let daemon = Daemon::start(WEB);
    let said = daemon.clinit("-k -v").done();
    assert_eq!(said.lines().next(), Some("all groups halting"));
    assert_eq!(daemon.wait_end(), Some(0));
}

#[test]
fn h_and_nonsense_print_the_usage_of_old_on_standard_error_and_fail() {
    let place = Place::new(WEB);
    let usage = "usage: clinit [-h] [-d] [-k] [-v] [-c TABLE] [-s SOCKET] [[GROUP] LEVEL]\n       \
                 clinit VERB ...; clinit --help lists the verbs\n";
    place.clinit("-h").is(2, "", usage);
    for words in
        ["-x", "--bogus", "web start now", "-d web start", "-k web start", "-d -k", "-k 3", "-c", "-s"]
    {
        let said = place.bare(words);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words}: {said:?}");
        assert!(said.err.starts_with("clinit: ") && said.err.contains("\nhint: "), "{words}: {said:?}");
    }
    assert!(!place.has("init.s"));
}

#[test]
fn one_operand_is_a_level_of_the_hosts_group() {
    let host = host();
    let daemon = Daemon::start(&format!("{host}:getty:multi,3:respawn:sleep 1000\n"));
    daemon.clinit("multi").is(0, "level transition started\n", "");
    daemon.wait_group(&host, "multi", "DONE");
    let getty = daemon.pid("getty");

    // Strict: a word that is no level of it would stop everything.
    let said = daemon.clinit("mutli");
    said.is(2, "", &format!("clinit: group {host} has no level mutli\nhint: did you mean multi?\n"));
    let said = daemon.clinit("off-with-it");
    said.is(
        2,
        "",
        &format!("clinit: group {host} has no level off-with-it\nhint: its levels are multi, 3\n"),
    );
    assert_eq!(daemon.pid("getty"), getty);

    daemon.clinit("3 -v").done();
    assert_eq!(daemon.pid("getty"), getty);
    daemon.clinit(&format!("{host} stop")).done();
    daemon.wait_group(&host, "stop", "DONE");
}

#[test]
fn the_table_may_name_the_socket_and_c_finds_it_there() {
    let place = Place::new("");
    place.write("cltab", format!(":::socket:named.s\n:::clstat:named.clstat\n{WEB}"));
    let mut command = place.command();
    command.args(["-d", "-c", "cltab"]);
    let daemon = Daemon::begun(place, &mut command);
    eventually("an answer", || daemon.bare("-c cltab").code == Some(0));
    daemon.bare("-c cltab web start").is(0, "level transition started\n", "");
    assert!(daemon.has("named.s"));
    daemon.bare("-c cltab -k").is(0, "", "");
    daemon.wait_end();
}

#[test]
fn the_command_line_beats_the_table_unless_that_overrides() {
    let place = Place::new(&format!(":::socket:table.s\n{WEB}"));
    let daemon = Daemon::at(place);
    assert!(daemon.has("init.s") && !daemon.has("table.s"));
    drop(daemon);

    let place = Place::new(&format!("::override:socket:table.s\n{WEB}"));
    let mut command = place.command();
    command.args(["-d", "-c", "cltab", "-s", "init.s"]);
    let daemon = Daemon::begun(place, &mut command);
    eventually("an answer", || daemon.bare("-s table.s").code == Some(0));
    assert!(!daemon.has("init.s"));
    daemon.bare("-s table.s -k").done();
    daemon.wait_end();
}

#[test]
fn the_environment_names_the_socket_too() {
    let daemon = Daemon::start(WEB);
    let mut command = daemon.command();
    command.args(["web", "start"]).env("CLINIT_SOCKET", daemon.socket());
    run(&mut command).is(0, "level transition started\n", "");
    daemon.wait_group("web", "start", "DONE");
}
