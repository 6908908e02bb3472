//! The registry of verbs. All are reserved now, those of later work too: a level or a group that is named
//! like one is reached with `clinit tell GROUP LEVEL`.

/// A verb.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    /// What stands behind the name; `None` for a verb that this version only reserves.
    pub(crate) usage: Option<&'static str>,
    pub(crate) about: &'static str,
    /// Options with their meaning.
    pub(crate) options: &'static [(&'static str, &'static str)],
    /// Command lines with what they do.
    pub(crate) examples: &'static [(&'static str, &'static str)],
}

const TIMEOUT: (&str, &str) = ("--timeout SECONDS", "give up waiting after this time, with exit code 4");
const JSON: (&str, &str) = ("--json", "print JSON for programs");

/// A verb that a later version has.
const fn reserved(name: &'static str) -> Verb {
    Verb { name, usage: None, about: "", options: &[], examples: &[] }
}

/// All verbs, in the order of help.
pub(crate) const VERBS: &[Verb] = &[
    Verb {
        name: "up",
        usage: Some("[TABLE]"),
        about: "run a table in the foreground, on a socket of its own, until Ctrl-C",
        options: &[],
        examples: &[("clinit up examples/quickstart.cltab", "run the example; Ctrl-C stops it in order")],
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
        usage: Some("[GROUP | GROUP/TAG | TAG] [--level LEVEL] [--clstat FILE] [--watch] [--json]"),
        about: "show groups and entries: state, pid, since when, restarts, last exit and why",
        options: &[
            ("--level LEVEL", "only groups that have this level"),
            ("--clstat FILE", "read a status file, of this or another machine; no daemon is asked"),
            ("--watch", "show it again every second, until Ctrl-C"),
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
        about: "stop entries that run, then start them",
        options: &[TIMEOUT],
        examples: &[("clinit restart web", "restart all entries of a group")],
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
        name: "explain",
        usage: Some("GROUP | GROUP/TAG | TAG"),
        about: "say why a group or entry is as it is, what happens next, and what to do",
        options: &[],
        examples: &[("clinit explain web/httpd", "state, since when, causes, what follows, remedy")],
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
    reserved("daemon"),
    reserved("reload"),
    reserved("run"),
    reserved("logs"),
    reserved("reexec"),
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
    fn no_verb_stands_twice() {
        let mut all = names();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), VERBS.len());
    }
}
