//! What all verbs have in common: help, names that are taken, options anywhere, exit codes.

use std::process::Stdio;

use crate::command::finish;
use crate::daemon::Daemon;
use crate::place::Place;

const VERBS: [&str; 8] = ["up", "tell", "status", "reload", "run", "check", "shutdown", "reexec"];

/// All words that are verbs, some of them of later versions.
const TAKEN: [&str; 32] = [
    "help",
    "up",
    "daemon",
    "tell",
    "status",
    "start",
    "stop",
    "restart",
    "reload",
    "reset",
    "signal",
    "run",
    "logs",
    "events",
    "explain",
    "plan",
    "check",
    "shutdown",
    "reexec",
    "cluster",
    "apply",
    "history",
    "rollback",
    "nodes",
    "drain",
    "undrain",
    "move",
    "freeze",
    "unfreeze",
    "simulate",
    "show",
    "import-services",
];

const EXIT_CODES: &str = "
exit codes:
  0  done as asked
  1  not as asked: faults in a table, a group FAILED, no such group or entry, a program refused
  2  the command line makes no sense
  3  no daemon answers
  4  the time given with --timeout is over; what was begun goes on
  5  this user may not
  6  another daemon has the socket
  7  the system refused something; the message says what
  8  the daemon was lost meanwhile, and what came of it cannot be told
";

#[test]
fn help_lists_verbs_forms_and_exit_codes() {
    let place = Place::new("");
    let help = place.bare("--help").done();
    for verb in VERBS {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}: {help}");
    }
    for form in ["clinit LEVEL", "clinit GROUP LEVEL", "clinit -d", "clinit -k", "clinit -v ..."] {
        assert!(help.contains(&format!("\n  {form} ")), "{form}: {help}");
    }
    assert!(help.contains(EXIT_CODES), "{help}");
}

#[test]
fn the_help_of_every_verb_has_an_example_and_the_exit_codes() {
    let place = Place::new("");
    for verb in VERBS {
        let help = place.bare(&format!("{verb} --help")).done();
        assert!(help.contains(&format!("usage: clinit {verb}")), "{help}");
        let (_, examples) = help.split_once("\nexamples:\n").unwrap();
        assert!(examples.starts_with(&format!("  clinit {verb} ")), "{help}");
        assert!(help.contains(EXIT_CODES), "{help}");
        assert_eq!(place.bare(&format!("{verb} -h")).done(), help);
    }
}

#[test]
fn help_explains_verbs_properties_and_modes() {
    let place = Place::new("");
    assert_eq!(place.bare("help").done(), place.bare("--help").done());
    assert_eq!(place.bare("help stop").done(), place.bare("stop --help").done());
    let properties = place.bare("help properties").done();
    assert!(properties.contains("\nStopping:\n  stop_signal   the signal that asks"), "{properties}");
    let property = place.bare("help stop_timeout").done();
    assert!(property.starts_with("stop_timeout: how long a process may take"), "{property}");
    for row in ["values    a time such as 20", "default   10s", "set for   table, group, entry", "at once"] {
        assert!(property.contains(row), "{row}: {property}");
    }
    let by_alias = place.bare("help initstat").done();
    assert!(by_alias.starts_with("clstat: ") && by_alias.ends_with("also      initstat\n"), "{by_alias}");
    assert!(place.bare("help modes").done().contains("\n  respawn  runs always"));
    let said = place.bare("help stop_timeuot");
    said.is(2, "", "clinit: no help about stop_timeuot\nhint: did you mean clinit help stop_timeout?\n");
}

#[test]
fn help_about_a_word_that_is_verb_and_property_tells_of_both() {
    let help = Place::new("").bare("help restart").done();
    for words in ["usage: clinit restart", "\nproperty restart: ", "on-failure"] {
        assert!(help.contains(words), "{words}: {help}");
    }
}

#[test]
fn version_is_the_packages() {
    let version = format!("clinit {}\n", env!("CARGO_PKG_VERSION"));
    Place::new("").bare("--version").is(0, &version, "");
}

#[test]
fn every_verb_is_there_or_reserved_now() {
    let place = Place::new("");
    let help = place.bare("--help").done();
    for word in TAKEN.into_iter().filter(|word| !help.contains(&format!("\n  {word} "))) {
        let said = place.bare(word);
        let message = format!("clinit: {word} is a verb of a later version\n");
        assert!(said.err.starts_with(&message), "{said:?}");
        said.fails(2, &["hint: ", "clinit tell GROUP LEVEL"]);
    }
}

#[test]
fn a_group_or_level_named_like_a_verb_is_reached_with_tell() {
    let daemon = Daemon::start("status:httpd:up,start:respawn:sleep 1000\n");
    daemon.clinit("tell status up --wait").is(0, "status up DONE\n", "");
    daemon.clinit("tell status start --wait").is(0, "status start DONE\n", "");
    assert!(daemon.clinit("status status").done().contains("\nstatus       start  DONE"));
    let warnings = daemon.clinit("check cltab").done();
    for words in ["group `status` is named like a command", "level `up` is named", "level `start` is named"] {
        assert!(warnings.contains(words), "{words}: {warnings}");
    }
}

#[test]
fn table_and_socket_stand_before_and_behind_a_verb() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    for words in [
        "-c cltab -s init.s tell web 1",
        "tell -c cltab -s init.s web 1",
        "tell web 1 -s init.s -c cltab",
        "tell web -sinit.s 1 -ccltab",
    ] {
        daemon.bare(words).is(0, "level transition started\n", "");
    }
}

#[test]
fn what_a_verb_does_not_know_is_refused() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    for (words, complaint) in [
        ("status --wait", "status has no option --wait"),
        ("status -d", "status has no option -d"),
        ("check --now", "check has no option --now"),
        ("tell web", "tell wants a group and a level"),
        ("tell web 1 2", "too many words behind tell"),
        ("tell web 1 --timeout 3", "--timeout goes with --wait"),
        ("tell web 1 --wait --timeout soon", "soon is no number of seconds"),
        ("tell web 1 --wait --timeout -1", "-1"),
        ("status web mail", "too many words behind status"),
        ("shutdown web", "too many words behind shutdown"),
        ("-v status", "-d, -k and -v go with no verb"),
        ("-k status", "-d, -k and -v go with no verb"),
        ("status --level", "missing argument"),
    ] {
        let said = daemon.clinit(words);
        said.fails(2, &[complaint, "hint: "]);
        assert_eq!(said.out, "", "{words}");
    }
    assert_eq!(daemon.group("web")["told"], false);
}

#[test]
fn a_reader_that_has_gone_is_no_reason_to_panic() {
    let daemon = Daemon::start("web:httpd:1,:respawn:sleep 1000\n");
    for words in ["status", "status --json", "--help", "check cltab", "web 1 -v"] {
        let mut command = daemon.command();
        command.args(["-c", "cltab", "-s", "init.s"]).args(words.split(' '));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        finish(child).is(0, "", "");
    }
}

#[test]
fn a_socket_path_that_is_too_long_is_a_fault_of_the_command_line() {
    let place = Place::new("web:httpd:1,:respawn:sleep 1000\n");
    let long = "x".repeat(200);
    for words in ["status", "web 1", "-d", "up cltab"] {
        place.bare(&format!("-c cltab -s {long} {words}")).fails(2, &["socket", "path", "107", &long]);
    }
}
