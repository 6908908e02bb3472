//! From words to what is to be done.
//!
//! The first operand decides: a verb's name wins over a level's or a group's. `-c` and `-s` stand anywhere.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clinit_table::{Dialect, nearest};
use lexopt::{Arg, Parser, ValueExt};

use super::Place;
use super::logs::moment;
use super::verbs::{self, RESERVED_PREFIX, Verb};

/// What is to be done, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) place: Place,
    pub(crate) invocation: Invocation,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// `-h`: the usage of old.
    Usage,
    /// `--help`, of a verb or of everything.
    Help(Option<&'static Verb>),
    /// `help WORD`
    Topic(String),
    /// `--version`
    Version,
    /// No verb.
    Original(Original),
    /// `up [TABLE]`
    Up(Option<PathBuf>),
    /// `daemon [TABLE]`
    Daemon { table: Option<PathBuf>, foreground: bool },
    /// `logs [...]`
    Logs(Logs),
    /// `tell GROUP LEVEL`
    Tell(Tell),
    /// `status [...]`
    Status(Status),
    /// `start`, `stop`, `restart`, `reload`, `reset` or `signal` of entries
    Order(Order),
    /// `run -- COMMAND`
    Run(Run),
    /// `explain NAME`
    Explain(String),
    /// `plan [TABLE]`
    Plan(Check),
    /// `events`
    Events { follow: bool, json: bool },
    /// `check [TABLE]`
    Check(Check),
    /// `reexec`
    Reexec { program: Option<PathBuf>, timeout: Option<Duration> },
    /// `shutdown`
    Shutdown { now: bool, timeout: Option<Duration> },
}

/// The forms of Cluster::Init and IS::Init.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Original {
    /// `-d`
    pub(crate) daemon: bool,
    /// `-k`
    pub(crate) shutdown: bool,
    /// `-v`
    pub(crate) verbose: bool,
    /// `[[GROUP] LEVEL]`
    pub(crate) operands: Vec<String>,
}

/// The words behind `tell`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tell {
    pub(crate) group: String,
    pub(crate) level: String,
    pub(crate) wait: bool,
    pub(crate) timeout: Option<Duration>,
}

/// The words behind a verb for entries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) kind: OrderKind,
    pub(crate) name: String,
    pub(crate) timeout: Option<Duration>,
}

/// The verbs for entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrderKind {
    Start,
    Stop { now_only: bool },
    Restart,
    Reload,
    Reset,
    Signal(String),
}

/// The words behind `run`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) group: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) properties: Vec<String>,
    pub(crate) wait: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) command: Vec<String>,
}

/// The words behind `status`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) name: Option<String>,
    pub(crate) level: Option<String>,
    pub(crate) clstat: Option<PathBuf>,
    pub(crate) watch: bool,
    pub(crate) names: bool,
    pub(crate) json: bool,
}

/// The words behind `check` and `plan`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) table: Option<PathBuf>,
    pub(crate) json: bool,
}

/// The words behind `logs`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Logs {
    pub(crate) name: Option<String>,
    pub(crate) follow: bool,
    /// How many lines at the most, the last ones.
    pub(crate) last: Option<usize>,
    /// From when on, since 1970.
    pub(crate) since: Option<Duration>,
    pub(crate) json: bool,
}

/// What is wrong with a command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsageFault {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl From<lexopt::Error> for UsageFault {
    fn from(error: lexopt::Error) -> Self {
        fault(&error.to_string(), "clinit --help lists verbs and options")
    }
}

fn fault(message: &str, hint: &str) -> UsageFault {
    UsageFault { message: message.to_owned(), hint: Some(hint.to_owned()) }
}

/// Options that a verb may have.
#[derive(Debug, Default)]
struct Options {
    wait: bool,
    now: bool,
    now_only: bool,
    watch: bool,
    names: bool,
    follow: bool,
    foreground: bool,
    last: Option<usize>,
    since: Option<Duration>,
    json: bool,
    timeout: Option<Duration>,
    level: Option<String>,
    clstat: Option<PathBuf>,
    group: Option<String>,
    tag: Option<String>,
    mode: Option<String>,
    properties: Vec<String>,
    program: Option<PathBuf>,
}

/// Reads the words behind the program's name.
pub(crate) fn parse(dialect: Dialect, words: Vec<OsString>) -> Result<Parsed, UsageFault> {
    let mut parser = Parser::from_args(words);
    let mut place = Place { table: None, socket: None, dialect };
    let mut original = Original::default();
    let mut options = Options::default();
    let mut operands: Vec<OsString> = Vec::new();
    let mut verb: Option<&'static Verb> = None;
    let (mut usage, mut help, mut version) = (false, false, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('c') => place.table = Some(parser.value()?.into()),
            Arg::Short('s') => place.socket = Some(parser.value()?.into()),
            Arg::Short('h') => usage = true,
            Arg::Long("help") => help = true,
            Arg::Short('V') | Arg::Long("version") => version = true,
            Arg::Short('d') if verb.is_none() && dialect == Dialect::Clinit => original.daemon = true,
            Arg::Short('k') if verb.is_none() => original.shutdown = true,
            Arg::Short('v') if verb.is_none() => original.verbose = true,
            Arg::Short('f') if has_letter(verb, "-f") => options.follow = true,
            Arg::Short('n') if has_letter(verb, "-n") => options.last = Some(lines(&parser.value()?)?),
            Arg::Long(name) if has_option(verb, name) => match name {
                "wait" => options.wait = true,
                "now" => options.now = true,
                "now-only" => options.now_only = true,
                "watch" => options.watch = true,
                "names" => options.names = true,
                "json" => options.json = true,
                "foreground" => options.foreground = true,
                "since" => options.since = Some(since(&parser.value()?)?),
                "timeout" => options.timeout = Some(seconds(&parser.value()?)?),
                "level" => options.level = Some(parser.value()?.string()?),
                "group" => options.group = Some(parser.value()?.string()?),
                "tag" => options.tag = Some(parser.value()?.string()?),
                "mode" => options.mode = Some(parser.value()?.string()?),
                "property" => options.properties.push(parser.value()?.string()?),
                "program" => options.program = Some(parser.value()?.into()),
                _ => options.clstat = Some(parser.value()?.into()),
            },
            Arg::Value(word) if verb.is_none() && operands.is_empty() && dialect == Dialect::Clinit => {
                match find_verb(&word)? {
                    Some(found) => verb = Some(found),
                    None => operands.push(word),
                }
            }
            // The rest is the command's own, options and all.
            Arg::Value(word) if verb.is_some_and(|verb| verb.name == "run") => {
                operands.push(word);
                operands.extend(parser.raw_args()?);
            }
            Arg::Value(word) => operands.push(word),
            Arg::Short(_) | Arg::Long(_) => return Err(unexpected(&argument, verb)),
        }
    }
    let invocation = match verb {
        _ if version => Invocation::Version,
        _ if help => Invocation::Help(verb),
        Some(_) if usage => Invocation::Help(verb),
        None if usage => Invocation::Usage,
        None => Invocation::Original(finish_original(original, operands)?),
        Some(_) if original != Original::default() => {
            return Err(fault("-d, -k and -v go with no verb", "clinit --help shows both kinds of commands"));
        }
        Some(verb) => finish_verb(verb, operands, options)?,
    };
    Ok(Parsed { place, invocation })
}

/// Whether the registry gives the verb this option.
fn has_option(verb: Option<&'static Verb>, name: &str) -> bool {
    let names = verb.into_iter().flat_map(|verb| verb.options).map(|(option, _)| *option);
    names.filter_map(|option| option.strip_prefix("--")?.split(' ').next()).any(|option| option == name)
}

/// Whether it gives it an option of one letter.
fn has_letter(verb: Option<&'static Verb>, letter: &str) -> bool {
    let names = verb.into_iter().flat_map(|verb| verb.options).map(|(option, _)| *option);
    names.filter_map(|option| option.split(' ').next()).any(|option| option == letter)
}

fn unexpected(argument: &Arg<'_>, verb: Option<&'static Verb>) -> UsageFault {
    let option = match argument {
        Arg::Short(letter) => format!("-{letter}"),
        Arg::Long(name) => format!("--{name}"),
        Arg::Value(word) => word.to_string_lossy().into_owned(),
    };
    let (whose, help) = match verb {
        Some(verb) => (format!("{} ", verb.name), format!("clinit {} --help", verb.name)),
        None => (String::new(), "clinit --help".to_owned()),
    };
    fault(&format!("{whose}has no option {option}").replace("  ", " "), &format!("{help} lists the options"))
}

fn find_verb(word: &OsString) -> Result<Option<&'static Verb>, UsageFault> {
    let Some(text) = word.to_str() else { return Ok(None) };
    let found = verbs::find(text);
    if text.starts_with(RESERVED_PREFIX) || found.is_some_and(|verb| verb.usage.is_none()) {
        return Err(fault(
            &format!("{text} is a verb of a later version"),
            &format!(
                "for a group or level of that name: clinit tell GROUP LEVEL, here clinit tell {text} LEVEL"
            ),
        ));
    }
    Ok(found)
}

fn finish_original(mut original: Original, operands: Vec<OsString>) -> Result<Original, UsageFault> {
    original.operands = operands.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let operands = &original.operands;
    if operands.len() > 2 {
        let near = nearest(&operands[0], verbs::names());
        let hint = match near {
            Some(verb) => format!("did you mean clinit {verb}?"),
            None => "clinit --help lists the verbs".to_owned(),
        };
        return Err(fault("too many words: GROUP and LEVEL at the most", &hint));
    }
    let acts = [original.daemon, original.shutdown, !operands.is_empty()];
    if acts.into_iter().filter(|&act| act).count() > 1 {
        return Err(fault("-d, -k and a level are three different things", "ask for one at a time"));
    }
    Ok(original)
}

fn finish_verb(
    verb: &'static Verb,
    operands: Vec<OsString>,
    options: Options,
) -> Result<Invocation, UsageFault> {
    if verb.name == "run" {
        return run(operands, options);
    }
    let most = match verb.name {
        "tell" | "signal" => 2,
        "shutdown" | "events" | "reexec" => 0,
        _ => 1,
    };
    let shape = format!("usage: clinit {} {}", verb.name, verb.usage.unwrap_or_default());
    if operands.len() > most {
        return Err(fault(&format!("too many words behind {}", verb.name), &shape));
    }
    let mut operands = operands.into_iter();
    Ok(match verb.name {
        "up" => Invocation::Up(operands.next().map(PathBuf::from)),
        "daemon" => {
            Invocation::Daemon { table: operands.next().map(PathBuf::from), foreground: options.foreground }
        }
        "logs" => {
            let Options { follow, last, since, json, .. } = options;
            Invocation::Logs(Logs { name: operands.next().map(text).transpose()?, follow, last, since, json })
        }
        "tell" => {
            let (Some(group), Some(level)) = (operands.next(), operands.next()) else {
                return Err(fault("tell wants a group and a level", &shape));
            };
            let Options { wait, timeout, .. } = options;
            if timeout.is_some() && !wait {
                return Err(fault("--timeout goes with --wait", &shape));
            }
            Invocation::Tell(Tell { group: text(group)?, level: text(level)?, wait, timeout })
        }
        "status" => {
            let Options { level, clstat, watch, names, json, .. } = options;
            if watch && (json || clstat.is_some()) {
                return Err(fault("--watch goes with neither --json nor --clstat", &shape));
            }
            if names && (json || watch || clstat.is_some()) {
                return Err(fault("--names goes with none of --json, --watch and --clstat", &shape));
            }
            Invocation::Status(Status {
                name: operands.next().map(text).transpose()?,
                level,
                clstat,
                watch,
                names,
                json,
            })
        }
        "start" | "stop" | "restart" | "reload" | "reset" | "signal" => {
            let Some(name) = operands.next() else {
                return Err(fault(&format!("{} wants a group or an entry", verb.name), &shape));
            };
            let kind = match (verb.name, operands.next()) {
                ("start", _) => OrderKind::Start,
                ("stop", _) => OrderKind::Stop { now_only: options.now_only },
                ("restart", _) => OrderKind::Restart,
                ("reload", _) => OrderKind::Reload,
                ("reset", _) => OrderKind::Reset,
                (_, Some(signal)) => OrderKind::Signal(text(signal)?),
                (_, None) => return Err(fault("signal wants a signal", &shape)),
            };
            Invocation::Order(Order { kind, name: text(name)?, timeout: options.timeout })
        }
        "explain" => match operands.next() {
            Some(name) => Invocation::Explain(text(name)?),
            None => return Err(fault("explain wants a group or an entry", &shape)),
        },
        "help" => match operands.next() {
            Some(topic) => Invocation::Topic(text(topic)?),
            None => Invocation::Help(None),
        },
        "plan" => Invocation::Plan(Check { table: operands.next().map(PathBuf::from), json: options.json }),
        "events" => Invocation::Events { follow: options.follow, json: options.json },
        "check" => Invocation::Check(Check { table: operands.next().map(PathBuf::from), json: options.json }),
        "reexec" => Invocation::Reexec { program: options.program, timeout: options.timeout },
        _ => Invocation::Shutdown { now: options.now, timeout: options.timeout },
    })
}

fn run(operands: Vec<OsString>, options: Options) -> Result<Invocation, UsageFault> {
    if operands.is_empty() {
        return Err(fault("run wants a command", "such as clinit run -- sleep 1000"));
    }
    let word = |word: OsString| {
        word.into_string().map_err(|word| {
            fault(&format!("{} is no text in UTF-8", word.display()), "put such words into a script")
        })
    };
    let command = operands.into_iter().map(word).collect::<Result<Vec<_>, _>>()?;
    let Options { group, tag, mode, properties, wait, timeout, .. } = options;
    Ok(Invocation::Run(Run { group, tag, mode, properties, wait, timeout, command }))
}

fn text(word: OsString) -> Result<String, UsageFault> {
    word.into_string().map_err(|word| {
        fault(&format!("{} is no text in UTF-8", word.display()), "names of groups and levels are UTF-8")
    })
}

fn seconds(word: &OsStr) -> Result<Duration, UsageFault> {
    let number = word.to_str().and_then(|word| word.parse::<f64>().ok());
    let time = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    time.ok_or_else(|| {
        fault(&format!("{} is no number of seconds", word.display()), "such as --timeout 30 or --timeout 0.5")
    })
}

fn lines(word: &OsStr) -> Result<usize, UsageFault> {
    let number = word.to_str().and_then(|word| word.parse().ok());
    number.ok_or_else(|| fault(&format!("{} is no number of lines", word.display()), "such as -n 100"))
}

fn since(word: &OsStr) -> Result<Duration, UsageFault> {
    word.to_str().and_then(moment).ok_or_else(|| {
        let hint = "such as --since 10m, 2h, 1d, 2026-07-14 or 2026-07-14T09:30";
        fault(&format!("{} is no time", word.display()), hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Parsed, UsageFault> {
        parse(Dialect::Clinit, line.split_whitespace().map(OsString::from).collect())
    }

    fn invocation(line: &str) -> Invocation {
        parsed(line).unwrap().invocation
    }

    #[test]
    fn the_original_forms_are_taken() {
        assert_eq!(invocation(""), Invocation::Original(Original::default()));
        let Invocation::Original(original) = invocation("-v web start") else { panic!() };
        assert_eq!((original.verbose, original.operands), (true, vec!["web".to_owned(), "start".to_owned()]));
        let Invocation::Original(original) = invocation("-d -c t -s s") else { panic!() };
        assert!(original.daemon);
        assert_eq!(invocation("-h"), Invocation::Usage);
    }

    #[test]
    fn a_verb_wins_over_a_level_and_only_as_the_first_operand() {
        assert!(matches!(invocation("status"), Invocation::Status(_)));
        let Invocation::Original(original) = invocation("web status") else { panic!() };
        assert_eq!(original.operands, ["web", "status"]);
        let Invocation::Tell(tell) = invocation("tell status up") else { panic!() };
        assert_eq!((tell.group.as_str(), tell.level.as_str()), ("status", "up"));
    }

    #[test]
    fn table_and_socket_stand_before_and_behind_a_verb() {
        for line in ["-c t -s s status web", "status -c t web -s s", "status web -c t -s s"] {
            let parsed = parsed(line).unwrap();
            assert_eq!(parsed.place.table, Some("t".into()), "{line}");
            assert_eq!(parsed.place.socket, Some("s".into()), "{line}");
        }
    }

    #[test]
    fn verbs_of_later_versions_are_reserved_now() {
        for line in ["drain web", "import-services /service", "cluster"] {
            let fault = parsed(line).unwrap_err();
            assert!(fault.message.contains("later version"), "{fault:?}");
            assert!(fault.hint.unwrap().contains("clinit tell"));
        }
    }

    #[test]
    fn verbs_for_entries_take_a_name_and_their_options() {
        let Invocation::Order(order) = invocation("stop web/httpd --now-only --timeout 3") else { panic!() };
        assert_eq!(order.kind, OrderKind::Stop { now_only: true });
        assert_eq!((order.name.as_str(), order.timeout), ("web/httpd", Some(Duration::from_secs(3))));
        let Invocation::Order(order) = invocation("signal web HUP") else { panic!() };
        assert_eq!(order.kind, OrderKind::Signal("HUP".to_owned()));
        for line in ["start", "signal web", "start --now-only web", "start a b"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn behind_run_all_is_the_commands_own() {
        let line = "run --tag x --property nice=5 --property umask=022 --wait -- ls --wait -s a";
        let Invocation::Run(run) = invocation(line) else { panic!() };
        assert_eq!((run.tag.as_deref(), run.wait), (Some("x"), true));
        assert_eq!(run.properties, ["nice=5", "umask=022"]);
        assert_eq!(run.command, ["ls", "--wait", "-s", "a"]);
        let Invocation::Run(run) = invocation("run ls -l -- status") else { panic!() };
        assert_eq!(run.command, ["ls", "-l", "--", "status"]);
        assert!(parsed("run").is_err() && parsed("run --wait --").is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "-d web start",
            "-k web",
            "a b c",
            "tell web",
            "status a b",
            "check --wait",
            "status --names --json",
            "help a b",
            "status -d",
            "shutdown x",
            "logs a b",
            "logs -n some",
            "logs --since soon",
            "status -f",
            "up --foreground",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
        for line in ["tell a b --timeout 3", "tell a b --wait --timeout x", "tell a b --wait --timeout -1"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
