//! What help and manual say beyond verbs and properties.

/// Rows of two columns: a form, and what it means.
pub type Rows = &'static [(&'static str, &'static str)];

/// The original forms, with what they do.
pub const FORMS: Rows = &[
    ("clinit", "reread the table"),
    ("clinit LEVEL", "give the group named like this host a level"),
    ("clinit GROUP LEVEL", "give a group a level; starts a daemon if none answers"),
    ("clinit -d", "be the daemon, in the foreground; TERM and INT shut it down, HUP rereads the table"),
    ("clinit -k", "shut the daemon down; returns at once"),
    ("clinit -v ...", "print the status afterwards"),
];

/// The forms of `isinit`.
pub const ISINIT_FORMS: Rows = &[
    ("isinit", "reread the table; starts a daemon if none answers"),
    ("isinit LEVEL", "give the group named like this host a level; starts a daemon if none answers"),
    ("isinit GROUP LEVEL", "give a group a level; starts a daemon if none answers"),
    ("isinit -k", "shut the daemon down; returns at once; no daemon is no error"),
    ("isinit -v ...", "say what the daemon replies, and print the status afterwards"),
];

/// The options of all commands.
pub const OPTIONS: Rows = &[
    ("-c TABLE", "the table (default /etc/cltab, for ordinary users cltab in their config folder)"),
    (
        "-s SOCKET",
        "the daemon's socket (default $CLINIT_SOCKET, else as the table says, else init.s in /var/run/clinit)",
    ),
    ("--help", "this help; behind a verb, the verb's"),
    ("--version", "the version"),
    ("-h", "the usage of old, with exit code 2"),
];

/// Files and folders of root. Ordinary users have them elsewhere: [`OF_USERS`].
pub const FILES: Rows = &[
    ("/etc/cltab", "the table"),
    ("/etc/cltab.d/*.cltab", "more of the table, read behind it in the order of their names"),
    ("/var/run/clinit/init.s", "the socket of the daemon"),
    (
        "/var/run/clinit/init.s.state",
        "the folder in which the daemon keeps what must outlive its processes; it goes with the daemon",
    ),
    ("/var/run/clinit/clstat", "the status file: a line for each group that was told a level"),
    (
        "/var/log/clinit/GROUP/TAG/current",
        "what an entry prints, as a daemon in the background keeps it; beside it `@STAMP.s`, what was before",
    ),
];

/// The files of root for `isinit`.
pub const ISINIT_FILES: Rows = &[
    ("/etc/isinittab", "the table"),
    ("/etc/isinittab.d/*.cltab", "more of the table, read behind it in the order of their names"),
    ("/var/run/is/init.s", "the socket of the daemon"),
    ("/var/run/is/init.s.state", "the folder in which the daemon keeps what must outlive its processes"),
    ("/var/log/is/GROUP/TAG/current", "what an entry prints, as a daemon in the background keeps it"),
];

/// Where ordinary users have their files.
pub const OF_USERS: &str = "An ordinary user's table is in `$XDG_CONFIG_HOME`, else in `$HOME/.config`; \
    socket and status file are in a folder of the same name as root's in `$XDG_RUNTIME_DIR`, else in \
    `/tmp/clinit-UID`, which must be the user's own and closed to others; what entries print is in a folder of the \
    same name as root's in `$XDG_STATE_HOME`, else in `$HOME/.local/state`, else beside the socket.";

/// Variables that commands look at.
pub const ENVIRONMENT: Rows = &[
    (
        "CLINIT_SOCKET",
        "the daemon's socket, where no `-s` is given; entries have it, so that clinit in an entry speaks to its \
         own daemon",
    ),
    ("NO_COLOR", "if set, `clinit up` labels lines without colours"),
    ("XDG_CONFIG_HOME, XDG_RUNTIME_DIR, XDG_STATE_HOME, HOME", "where an ordinary user's files are"),
];

/// Variables that entries get.
pub const OF_ENTRIES: Rows = &[
    ("CLINIT_GROUP", "the group of the entry"),
    ("CLINIT_TAG", "its tag"),
    ("CLINIT_LEVEL", "the level that its group begins"),
    ("CLINIT_SOCKET", "the daemon's socket"),
];

/// What signals do to a daemon.
pub const SIGNALS: Rows = &[
    ("TERM, INT", "shut down: stop all groups, then end. For `clinit up`, a second one kills at once"),
    ("HUP", "reread the table; for `clinit up`, whose terminal is gone then, shut down"),
    (
        "KILL, and whatever else ends one of its processes",
        "no service dies of it: another process of the daemon starts it again",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_where_the_registry_puts_them() {
        for name in ["socket", "clstat"] {
            let default = clinit_table::property::find(name).unwrap().default.unwrap();
            assert!(FILES.iter().any(|(path, _)| *path == default), "{default}");
        }
    }
}
