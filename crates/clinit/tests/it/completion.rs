//! What shells complete, asked of the shells themselves.

use std::path::Path;
use std::process::Command;

use crate::command::{CLINIT, program, run};
use crate::daemon::Daemon;
use crate::user::skip;

/// Completes the last of the words, and prints what it may be.
const BASH: &str = r#"
    source "$COMPLETIONS/clinit.bash"
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _clinit "$1" "${COMP_WORDS[COMP_CWORD]}"
    printf '%s\n' "${COMPREPLY[@]}"
"#;

/// Without a line editor: what it would be given is printed, as far as it begins like the word.
const ZSH: &str = r#"
    offer() { for word; do [[ $word == "$words[CURRENT]"* ]] && print -r -- "$word"; done; true }
    compadd() { offer "${(@P)2}"; }
    _describe() { offer "${(@)${(@P)2}%%:*}"; }
    _files() { offer *(N); }
    words=("$@") CURRENT=$#
    source "$COMPLETIONS/_clinit"
"#;

/// Fish completes a line by itself.
const FISH: &str = r#"
    source $COMPLETIONS/clinit.fish
    complete -C (string join ' ' -- $argv) | string replace -r '\t.*' ''
"#;

const SHELLS: [(&str, &[&str], &str); 3] = [
    ("bash", &["--norc", "--noprofile", "-c"], BASH),
    ("zsh", &["-f", "-c"], ZSH),
    ("fish", &["--no-config", "-c"], FISH),
];

/// The shells that are there; says which are not.
fn shells() -> Vec<(&'static str, &'static [&'static str], &'static str)> {
    let is_there = |shell: &str| {
        let answers = program(shell).args(["-c", "exit 0"]).status().is_ok();
        if !answers {
            skip(&format!("{shell} is not installed"));
        }
        answers
    };
    SHELLS.into_iter().filter(|(shell, ..)| is_there(shell)).collect()
}

/// What a shell completes the last of these words to, sorted.
#[track_caller]
fn completed(
    daemon: &Daemon,
    (shell, options, script): (&str, &[&str], &str),
    words: &[&str],
) -> Vec<String> {
    let completions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../completions");
    let mut command: Command = program(shell);
    command.args(options).arg(script);
    // For the others the word behind the script is $0.
    if shell != "fish" {
        command.arg(shell);
    }
    let path = format!("{}:/usr/bin:/bin", Path::new(CLINIT).parent().unwrap().display());
    command.args(words).env("COMPLETIONS", completions).env("PATH", path).env("HOME", daemon.path("home"));
    let said = run(command.current_dir(daemon.path("")));
    assert_eq!(said.err, "", "{shell} {words:?}");
    let mut found: Vec<String> =
        said.out.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

fn daemon() -> Daemon {
    Daemon::start(
        "web:nginx:day,night:respawn:sleep 1000\n\
         web:logs:night,:wait:true\n\
         mail:smtpd:on,:respawn:sleep 1000\n",
    )
}

#[test]
fn names_of_groups_entries_and_levels_are_the_daemons() {
    let daemon = daemon();
    for shell in shells() {
        for (line, expected) in [
            ("clinit -s init.s tell _", &["mail", "web"][..]),
            ("clinit tell -s init.s w_", &["web"]),
            ("clinit -s init.s tell web _", &["day", "night"]),
            ("clinit -s init.s tell mail _", &["on"]),
            ("clinit -s init.s mail _", &["on"]),
            ("clinit -s init.s stop web/_", &["web/logs", "web/nginx"]),
            ("clinit -s init.s stop --timeout 3 sm_", &["smtpd"]),
            ("clinit -s init.s status --level n_", &["night"]),
            ("clinit -s init.s signal web/nginx US_", &["USR1", "USR2"]),
            ("clinit -s init.s ma_", &["mail"]),
            ("clinit -s absent.s tell _", &[]),
        ] {
            let words: Vec<&str> = line.split(' ').map(|word| word.trim_end_matches('_')).collect();
            assert_eq!(completed(&daemon, shell, &words), expected, "{}: {line}", shell.0);
        }
    }
}

#[test]
fn verbs_options_properties_and_files_are_completed() {
    let daemon = daemon();
    daemon.write("other.cltab", "");
    for shell in shells() {
        for (line, expected) in [
            ("clinit -s init.s sta_", &["start", "status"][..]),
            ("clinit -s init.s tell --w_", &["--wait"]),
            ("clinit -s init.s stop --now_", &["--now-only"]),
            ("clinit help stop__", &["stop_command", "stop_signal", "stop_timeout"]),
            ("clinit help shut_", &["shutdown", "shutdown_timeout"]),
            ("clinit help prop_", &["properties"]),
            ("clinit check oth_", &["other.cltab"]),
            ("clinit -c oth_", &["other.cltab"]),
            ("clinit up oth_", &["other.cltab"]),
        ] {
            let words: Vec<&str> =
                line.split(' ').map(|word| word.strip_suffix('_').unwrap_or(word)).collect();
            let mut found = completed(&daemon, shell, &words);
            // Fish takes what is near, too, and shows what the option does not say.
            found.retain(|word| word.starts_with(words.last().unwrap()));
            assert_eq!(found, expected, "{}: {line}", shell.0);
        }
    }
}

#[test]
fn a_name_is_never_evaluated() {
    let daemon = Daemon::start("a$(touch${IFS}evaluated)b:x;y:on,:respawn:sleep 1000\n");
    for shell in shells() {
        let found = completed(&daemon, shell, &["clinit", "-s", "init.s", "tell", "a"]);
        let plain: String = found.concat().chars().filter(|c| *c != '\\').collect();
        assert_eq!(plain, "a$(touch${IFS}evaluated)b", "{}", shell.0);
        assert!(!daemon.has("evaluated"), "{}", shell.0);
    }
}
