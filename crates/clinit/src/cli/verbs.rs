//! The registry of verbs. All are reserved now, those of later work too: a level or a group that is named
//! like one is reached with `clinit tell GROUP LEVEL`.

/// A verb.
#[derive(Debug, PartialEq, Eq)]
pub struct Verb {
    /// Its name.
    pub name: &'static str,
    /// What stands behind the name; `None` for a verb that this version only reserves. Completion is made from
    /// it: GROUP, TAG, GROUP/TAG, LEVEL, TABLE, FILE, SIGNAL, VERB and PROPERTY are completed, other words in
    /// capitals are not, and words in small letters stand for themselves.
    pub usage: Option<&'static str>,
    /// What it does, in one line without a full stop.
    pub about: &'static str,
    /// Options with their meaning.
    pub options: &'static [(&'static str, &'static str)],
    /// Command lines with what they do.
    pub examples: &'static [(&'static str, &'static str)],
}

const TIMEOUT: (&str, &str) = ("--timeout SECONDS", "give up waiting after this time, with exit code 4");
const JSON: (&str, &str) = ("--json", "print JSON for programs");

/// A verb that a later version has.
const fn reserved(name: &'static str) -> Verb {
    Verb { name, usage: None, about: "", options: &[], examples: &[] }
}

/// All verbs, in the order of help.
pub const VERBS: &[Verb] = &[
    Verb {
        name: "up",
        usage: Some("[TABLE]"),
        about: "run a table in the foreground, on a socket of its own, until Ctrl-C",
        options: &[],
        examples: &[("clinit up examples/quickstart.cltab", "run the example; Ctrl-C stops it in order")],
    },
    Verb {
        name: "daemon",
        usage: Some("[TABLE] [--foreground]"),
        about: "start a daemon in the background that keeps what entries print, and wait until it answers",
        options: &[("--foreground", "be the daemon, and stay in the foreground")],
        examples: &[
            ("clinit daemon", "the default table; exit code 6 if a daemon has the socket already"),
            ("clinit daemon examples/quickstart.cltab -s /tmp/init.s", "another table, on another socket"),
        ],
    },
    Verb {
        name: "tell",
        usage: Some("GROUP LEVEL [--wait] [--timeout SECONDS]"),
        about: "reread the table and give a group a level",
        options: &[("--wait", "return when the group has the level; exit code 1 if it FAILED"), TIMEOUT],
        examples: &[
            ("clinit tell web start --wait", "start the group web and wait for it"),
            ("clinit tell web stop", "a level that no entry has stops them all"),
        ],
    },
    Verb {
        name: "status",
        usage: Some("[GROUP | GROUP/TAG | TAG] [--level LEVEL] [--clstat FILE] [--watch] [--names] [--json]"),
        about: "show groups and entries: state, pid, since when, restarts, last exit and why",
        options: &[
            ("--level LEVEL", "only groups that have this level"),
            ("--clstat FILE", "read a status file, of this or another machine; no daemon is asked"),
            ("--watch", "show it again every second, until Ctrl-C"),
            (
                "--names",
                "only what there is, for scripts: lines `group GROUP`, `level GROUP LEVEL`, `entry GROUP/TAG`",
            ),
            JSON,
        ],
        examples: &[
            ("clinit status web/httpd", "one entry"),
            ("clinit status --json | jq '.groups[].state'", "for programs"),
        ],
    },
    Verb {
        name: "start",
        usage: Some("GROUP | GROUP/TAG | TAG [--timeout SECONDS]"),
        about: "start entries that their group's level has: what was stopped by hand, pauses, or ran once",
        options: &[TIMEOUT],
        examples: &[("clinit start web/httpd", "start one entry and wait until it runs")],
    },
    Verb {
        name: "stop",
        usage: Some("GROUP | GROUP/TAG | TAG [--now-only] [--timeout SECONDS]"),
        about: "stop entries; they stay down over rereads until start or reset",
        options: &[("--now-only", "only until the group is told a level again"), TIMEOUT],
        examples: &[("clinit stop web/httpd --timeout 30", "stop one entry; exit code 4 if it takes longer")],
    },
    Verb {
        name: "restart",
        usage: Some("GROUP | GROUP/TAG | TAG [--timeout SECONDS]"),
        about: "stop entries that run, and what requires them, then start them all",
        options: &[TIMEOUT],
        examples: &[("clinit restart web", "restart all entries of a group")],
    },
    Verb {
        name: "reload",
        usage: Some("GROUP | GROUP/TAG | TAG [--timeout SECONDS]"),
        about: "have entries read their configuration again, by their reload_command or reload_signal",
        options: &[TIMEOUT],
        examples: &[
            (
                "clinit reload web/httpd",
                "wait until its reload_command has ended; exit code 1 if that failed",
            ),
            ("clinit reload web", "all entries of a group that can"),
        ],
    },
    Verb {
        name: "reset",
        usage: Some("GROUP | GROUP/TAG | TAG [--timeout SECONDS]"),
        about: "forget that entries were stopped by hand or started too often, and start what is wanted",
        options: &[TIMEOUT],
        examples: &[("clinit reset web/worker", "end the pause of an entry that was started too often")],
    },
    Verb {
        name: "signal",
        usage: Some("GROUP | GROUP/TAG | TAG SIGNAL"),
        about: "send a signal to the main process of entries",
        options: &[],
        examples: &[("clinit signal web/httpd HUP", "by name, with or without SIG, or by number")],
    },
    Verb {
        name: "run",
        usage: Some(
            "[--group GROUP] [--tag TAG] [--mode MODE] [--property NAME=VALUE] ... [--wait] \
             [--timeout SECONDS] -- COMMAND",
        ),
        about: "run a command as an entry that no table has",
        options: &[
            ("--group GROUP", "the group that it is in (default run)"),
            ("--tag TAG", "its name (default that of the program, with a number if that is taken)"),
            ("--mode MODE", "once, respawn or test (default once)"),
            ("--property NAME=VALUE", "a property, as in the table; as often as you like"),
            ("--wait", "return when it has ended, with its exit code"),
            TIMEOUT,
        ],
        examples: &[
            ("clinit run -- sleep 1000", "returns when it runs; clinit stop run/sleep ends and forgets it"),
            ("clinit run --wait --property run_user=www -- make -C /srv/site", "its exit code is clinit's"),
            ("clinit run --mode respawn --tag proxy -- /usr/bin/proxy -f", "started again whenever it ends"),
        ],
    },
    Verb {
        name: "explain",
        usage: Some("GROUP | GROUP/TAG | TAG"),
        about: "say why a group or entry is as it is, what happens next, and what to do",
        options: &[],
        examples: &[("clinit explain web/httpd", "state, since when, causes, what follows, remedy")],
    },
    Verb {
        name: "logs",
        usage: Some("[GROUP | GROUP/TAG | TAG] [-f] [-n N] [--since T] [--json]"),
        about: "show what entries have printed, as far as it is kept, in the order of time",
        options: &[
            ("-f", "go on with what they print, until Ctrl-C; first the last 10 lines"),
            ("-n N", "only the last N lines"),
            ("--since T", "only what was printed since: 10m, 2h or 1d ago, or a date, or date and time"),
            JSON,
        ],
        examples: &[
            ("clinit logs web/httpd -n 100", "the last lines of an entry"),
            ("clinit logs web -f", "what all entries of a group print"),
            ("clinit logs --since 10m --json", "one JSON object a line, for programs"),
        ],
    },
    Verb {
        name: "plan",
        usage: Some("[TABLE] [--json]"),
        about: "show what a reread would start, stop and restart, and why; changes nothing",
        options: &[JSON],
        examples: &[
            ("clinit plan", "before clinit rereads the edited table"),
            ("clinit plan /tmp/cltab.new", "what another table would change"),
        ],
    },
    Verb {
        name: "events",
        usage: Some("[-f] [--json]"),
        about: "show what happened lately, and with -f what happens",
        options: &[("-f", "go on until Ctrl-C"), JSON],
        examples: &[("clinit events -f --json", "one JSON object a line, for programs")],
    },
    Verb {
        name: "check",
        usage: Some("[TABLE] [--json]"),
        about: "find all faults of a table, and what is doubtful in it",
        options: &[JSON],
        examples: &[("clinit check /etc/cltab", "exit code 0, or 1 when it has faults")],
    },
    Verb {
        name: "shutdown",
        usage: Some("[--now] [--timeout SECONDS]"),
        about: "stop all groups, end the daemon, and wait until it is gone",
        options: &[("--now", "kill at once what otherwise has its stop_timeout"), TIMEOUT],
        examples: &[("clinit shutdown --timeout 30", "exit code 4 if it takes longer")],
    },
    Verb {
        name: "reexec",
        usage: Some("[--program FILE] [--timeout SECONDS]"),
        about: "replace the daemon's program, after a trial on its state; no service is touched",
        options: &[
            (
                "--program FILE",
                "the new program (default the file at the path that the daemon was started from)",
            ),
            ("--timeout SECONDS", "how long it may take to show that it can go on with the state (10)"),
        ],
        examples: &[("clinit reexec", "after an upgrade of the package; refused, all goes on as before")],
    },
    Verb {
        name: "help",
        usage: Some("[VERB | PROPERTY | modes | properties]"),
        about: "explain a verb, a property, the modes, or list the properties",
        options: &[],
        examples: &[
            ("clinit help stop", "as clinit stop --help"),
            ("clinit help stop_timeout", "what it sets, to which values, and for what"),
        ],
    },
    reserved("cluster"),
    reserved("apply"),
    reserved("history"),
    reserved("rollback"),
    reserved("nodes"),
    reserved("drain"),
    reserved("undrain"),
    reserved("move"),
    reserved("freeze"),
    reserved("unfreeze"),
    reserved("simulate"),
    reserved("show"),
];

/// Every word that begins like this is a verb, too.
pub(crate) const RESERVED_PREFIX: &str = "import-";

/// The verb of this name.
pub(crate) fn find(word: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == word)
}

/// The names of all verbs.
pub(crate) fn names() -> Vec<&'static str> {
    VERBS.iter().map(|verb| verb.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_that_can_be_used_has_an_example_that_begins_with_it() {
        for verb in VERBS.iter().filter(|verb| verb.usage.is_some()) {
            let begins = format!("clinit {}", verb.name);
            assert!(!verb.examples.is_empty(), "{}", verb.name);
            assert!(verb.examples.iter().all(|(line, _)| line.starts_with(&begins)), "{}", verb.name);
            assert!(!verb.about.is_empty());
        }
    }

    #[test]
    fn a_usage_has_the_options_that_are_explained_and_no_others() {
        for Verb { name, usage, options, .. } in VERBS {
            let usage = usage.unwrap_or_default();
            let shown = usage.split(['[', ']']).filter(|part| part.starts_with('-'));
            let explained = options.iter().map(|(option, _)| *option);
            assert_eq!(shown.collect::<Vec<_>>(), explained.collect::<Vec<_>>(), "{name}: {usage}");
        }
    }

    #[test]
    fn no_verb_stands_twice() {
        let mut all = names();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), VERBS.len());
    }
}
