//! Where a service starts, what it sees and how much it may use.

use std::fs;

use rustix::process::Signal;

use crate::command::Said;
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{file, send, status};
use crate::user::{give_to_unprivileged, is_root, unprivileged};
use crate::wait::eventually;

/// A daemon with an entry `it` that has these properties and runs.
fn running(properties: &[&str]) -> Daemon {
    let daemon = Daemon::start(&table("respawn:sleep 1000", properties));
    daemon.settle("web", "1", "DONE");
    executed(&daemon, "it");
    daemon
}

/// The process of an entry that has become `sleep`: what is done before that is done.
#[track_caller]
fn executed(daemon: &Daemon, tag: &str) -> u32 {
    let pid = daemon.pid(tag);
    eventually("to be executed", || file(pid, "cmdline").starts_with("sleep"));
    pid
}

fn table(entry: &str, properties: &[&str]) -> String {
    let lines = properties.iter().map(|property| format!("web:it::{property}\n"));
    lines.chain([format!("web:it:1,:{entry}\n")]).collect()
}

/// What the status says of the entry `it` that could not be executed.
#[track_caller]
fn fault(daemon: &Daemon) -> String {
    daemon.settle("web", "1", "DONE");
    let entry = daemon.wait_entry("it", "done");
    assert_eq!(entry["last_exit"]["kind"], "not_executed", "{entry}");
    entry["last_exit"]["error"].as_str().unwrap().to_owned()
}

/// The same for an entry with these properties.
#[track_caller]
fn fault_of(place: Place, properties: &[&str]) -> String {
    place.write_table(&table("once:true", properties));
    fault(&Daemon::at(place))
}

/// The same where an ordinary user runs the daemon.
#[track_caller]
fn fault_of_unprivileged(properties: &[&str]) -> String {
    let place = Place::new("");
    give_to_unprivileged(&place, "");
    place.write_table(&table("once:true", properties));
    let mut command = unprivileged(&place, "-c cltab -s init.s -d");
    fault(&Daemon::by(place, &mut command))
}

/// What `clinit check` says of these properties.
fn check(properties: &[&str]) -> Said {
    Place::new(&table("once:true", properties)).bare("check cltab")
}

/// Each is a fault with a hint.
#[track_caller]
fn are_refused(properties: &[&str]) {
    for property in properties {
        let said = check(&[property]);
        assert_eq!(said.code, Some(1), "{property}: {said:?}");
        assert!(said.out.contains("value") && said.out.contains("hint: it takes"), "{property}: {said:?}");
    }
}

fn variables(pid: u32) -> Vec<String> {
    file(pid, "environ").split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn directory_is_where_it_starts() {
    let place = Place::new("");
    fs::create_dir(place.path("a folder")).unwrap();
    let path = place.path("a folder");
    place.write_table(&table("respawn:sleep 1000", &[&format!("directory:{}", path.display())]));
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    let cwd = fs::read_link(format!("/proc/{}/cwd", executed(&daemon, "it"))).unwrap();
    assert_eq!(cwd, fs::canonicalize(path).unwrap());
}

#[test]
fn a_command_is_found_from_its_directory() {
    let place = Place::new("");
    fs::create_dir(place.path("folder")).unwrap();
    place.write_script("folder/program", "#!/bin/sh\npwd > log\n");
    let directory = format!("directory:{}", place.path("folder").display());
    place.write_table(&table("wait:./program", &[&directory]));
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.lines("folder/log").len(), 1);
}

#[test]
fn a_directory_that_cannot_be_entered_is_told() {
    let absent = fault_of(Place::new(""), &["directory:/absent/folder"]);
    assert_eq!(absent, "directory: /absent/folder: No such file or directory: make it");
    assert_eq!(
        fault_of(Place::new(""), &["directory:/etc/passwd"]),
        "directory: /etc/passwd: Not a directory"
    );
    are_refused(&["directory:folder", "directory:"]);
}

#[test]
fn people_hear_why_it_is_not_executed() {
    let daemon = Daemon::start(&table("once:true", &["directory:/absent/folder"]));
    fault(&daemon);
    eventually("a complaint", || {
        daemon.err().contains("web/it: not executed: directory: /absent/folder: No such file or directory")
    });
}

#[test]
fn umask_holds_for_its_files() {
    let daemon = Daemon::start(&table("wait:touch file; umask > log", &["umask:027"]));
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.lines("log"), ["0027"]);
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(daemon.path("file")).unwrap());
    assert_eq!(mode & 0o777, 0o640);
    are_refused(&["umask:8", "umask:1777", "umask:u=rwx"]);
}

#[test]
fn variables_add_up_and_the_narrower_wins() {
    let place = Place::new(
        ":::environment:A=table\n\
         :::environment:B=table\n\
         web:::environment:B=group\n\
         web:::environment:C=one\n\
         web:::environment:C=a=b:c \"d\" # e\n\
         web:it::environment:D=\n\
         web:it::environment:-GONE\n\
         web:it::environment:-NEVER\n\
         web:it:1,:respawn:sleep 1000\n\
         web:other:1,:respawn:sleep 1000\n\
         web:other::environment:-A\n\
         web:other::environment:GONE=back\n",
    );
    let mut command = place.command();
    command.args(["-c", "cltab", "-s", "init.s", "-d"]);
    command.env("A", "daemon").env("GONE", "daemon").env("KEPT", "daemon");
    let daemon = Daemon::by(place, &mut command);
    daemon.settle("web", "1", "DONE");
    let it = variables(executed(&daemon, "it"));
    for line in ["A=table", "B=group", "C=a=b:c \"d\" # e", "D=", "KEPT=daemon", "CLINIT_TAG=it"] {
        assert!(it.iter().any(|found| found == line), "{line}: {it:?}");
    }
    let starts =
        |variables: &[String], text: &str| variables.iter().filter(|line| line.starts_with(text)).count();
    assert_eq!(["A=", "C=", "GONE", "NEVER"].map(|name| starts(&it, name)), [1, 1, 0, 0], "{it:?}");
    let other = variables(executed(&daemon, "other"));
    assert!(other.contains(&"GONE=back".to_owned()) && starts(&other, "A=") == 0, "{other:?}");
    are_refused(&["environment:A", "environment:=x", "environment:A B=x", "environment:CLINIT_TAG=x"]);
}

#[test]
fn a_command_is_searched_in_the_path_that_it_has_itself() {
    let place = Place::new("");
    fs::create_dir(place.path("bin")).unwrap();
    place.write_script("bin/program", "#!/bin/sh\necho found > log\n");
    let path = format!("environment:PATH={}:/usr/bin:/bin", place.path("bin").display());
    place.write_table(&table("wait:program", &[&path]));
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    assert_eq!(daemon.lines("log"), ["found"]);
}

#[test]
fn an_environment_file_is_read_at_each_start() {
    let place = Place::new("");
    place.write("defaults", "# comment\nA=1\nexport B='two words'\nC=\"a \\\"b\\\"\"  \nD=file\n\n");
    let line = format!("environment_file:{}", place.path("defaults").display());
    place.write_table(&table("respawn:sleep 1000", &[&line, "environment:D=table"]));
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    let it = executed(&daemon, "it");
    let first = variables(it);
    for line in ["A=1", "B=two words", "C=a \"b\"", "D=table"] {
        assert!(first.iter().any(|found| found == line), "{line}: {first:?}");
    }
    daemon.write("defaults", "A=2\n");
    daemon.reread();
    assert_eq!(executed(&daemon, "it"), it, "the file is no part of the table");
    send(it, Signal::KILL);
    eventually("another life", || daemon.entry("it")["restarts"] == 1);
    let second = variables(executed(&daemon, "it"));
    assert!(second.contains(&"A=2".to_owned()) && !second.iter().any(|line| line.starts_with("B=")));
}

#[test]
fn entries_behind_an_environment_file_keep_their_order() {
    let place = Place::new("");
    place.write("defaults", "A=1\n");
    let path = place.path("defaults").display().to_string();
    place.write_table(&format!(
        "web:first:1,:respawn:sleep 1000\nweb:it:1,:respawn:sleep 1000\nweb:it::environment_file:{path}\n\
         web:last:1,:respawn:sleep 1000\n"
    ));
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    let pids = ["first", "it", "last"].map(|tag| daemon.pid(tag));
    assert!(pids.is_sorted() || pids.iter().any(|&pid| pid < 1000), "numbers begin anew: {pids:?}");
}

#[test]
fn an_environment_file_may_be_missing_if_the_table_says_so() {
    let daemon = running(&["environment_file:-/absent/defaults"]);
    executed(&daemon, "it");
    assert_eq!(
        fault_of(Place::new(""), &["environment_file:/absent/defaults"]),
        "environment_file: /absent/defaults: No such file or directory: write it, or put - before the path if \
         it may be missing"
    );
    are_refused(&["environment_file:defaults", "environment_file:--/defaults"]);
}

#[test]
fn an_environment_file_that_is_none_is_told() {
    let told = |make: &dyn Fn(&Place)| {
        let place = Place::new("");
        make(&place);
        let path = place.path("defaults").display().to_string();
        fault_of(place, &[&format!("environment_file:{path}")]).replace(&path, "PATH")
    };
    let line = told(&|place| place.write("defaults", "A=1\n\nB 2\n"));
    assert_eq!(line, "environment_file: PATH:3: the line is not NAME=VALUE");
    let folder = told(&|place| fs::create_dir(place.path("defaults")).unwrap());
    assert_eq!(folder, "environment_file: PATH: Is a directory");
    let fifo = told(&|place| {
        let made = std::process::Command::new("mkfifo").arg(place.path("defaults")).status().unwrap();
        assert!(made.success());
    });
    assert_eq!(fifo, "environment_file: PATH: it is not a regular file");
    let long = told(&|place| place.write("defaults", "A=1\n".repeat(40_000)));
    assert_eq!(long, "environment_file: PATH: File too large");
    if is_root() {
        let open = told(&|place| {
            place.write("defaults", "A=1\n");
            place.chmod("defaults", 0o666);
        });
        assert_eq!(open, "environment_file: PATH: it may be written by every user: chmod o-w PATH");
    }
}

#[test]
fn more_variables_than_an_order_holds_are_told() {
    let place = Place::new("");
    place.write("defaults", format!("A={}\n", "x".repeat(131_000)));
    let line = format!("environment_file:{}", place.path("defaults").display());
    let error = fault_of(place, &[&line]);
    assert!(error.starts_with("true: Argument list too long: shorten"), "{error}");
}

#[test]
fn limits_are_those_of_the_table() {
    let daemon = running(&[
        "limit_nofile:100:200",
        "limit_nproc:5000",
        "limit_core:0",
        "limit_as:8G",
        "limit_data:4G",
        "limit_stack:4M:8M",
        "limit_cpu:7200",
        "limit_fsize:1T",
        "limit_memlock:64K",
        "limit_rss:1G",
        "limit_sigpending:1000",
        "limit_msgqueue:4096",
        "limit_nice:0",
        "limit_rtprio:0",
    ]);
    let limits = file(executed(&daemon, "it"), "limits");
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    for (name, soft, hard) in [
        ("Max open files", 100_u64, 200),
        ("Max processes", 5000, 5000),
        ("Max core file size", 0, 0),
        ("Max address space", 8 << 30, 8 << 30),
        ("Max data size", 4 << 30, 4 << 30),
        ("Max stack size", 4 << 20, 8 << 20),
        ("Max cpu time", 7200, 7200),
        ("Max file size", 1 << 40, 1 << 40),
        ("Max locked memory", 64 << 10, 64 << 10),
        ("Max resident set", 1 << 30, 1 << 30),
        ("Max pending signals", 1000, 1000),
        ("Max msgqueue size", 4096, 4096),
        ("Max nice priority", 0, 0),
        ("Max realtime priority", 0, 0_u64),
    ] {
        assert_eq!(limit(name), [soft.to_string(), hard.to_string()], "{name}: {limits}");
    }
}

#[test]
fn limits_may_be_infinite() {
    let daemon = running(&["limit_rss:infinity", "limit_cpu:60:infinity"]);
    let limits = file(executed(&daemon, "it"), "limits");
    for line in ["Max resident set unlimited unlimited", "Max cpu time 60 unlimited"] {
        let found = limits.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        assert!(found.into_iter().any(|found| found.starts_with(line)), "{line}: {limits}");
    }
    are_refused(&["limit_cpu:1h", "limit_nofile:2:1", "limit_as:lots", "limit_nofile:-1", "limit_core:"]);
}

#[test]
fn what_takes_privileges_is_refused_without_them() {
    assert_eq!(
        fault_of_unprivileged(&["limit_core:0", "limit_nofile:infinity"]),
        "limit_nofile: infinity:infinity: Operation not permitted: clinit's own hard limit is lower, and to raise \
         it takes CAP_SYS_RESOURCE"
    );
    assert_eq!(
        fault_of_unprivileged(&["nice:-5"]),
        "nice: -5: Permission denied: to lower it takes CAP_SYS_NICE, which clinit lacks"
    );
    assert_eq!(
        fault_of_unprivileged(&["oom_score_adj:-999"]),
        "oom_score_adj: -999: Permission denied: to lower it takes CAP_SYS_RESOURCE, which clinit lacks"
    );
}

#[test]
fn nice_and_oom_score_adj_are_those_of_the_table() {
    let daemon = running(&["nice:7", "oom_score_adj:321"]);
    let it = executed(&daemon, "it");
    let stat = file(it, "stat");
    let nice = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().to_owned();
    assert_eq!((nice.as_str(), file(it, "oom_score_adj").trim()), ("7", "321"));
    let own = file(std::process::id(), "oom_score_adj");
    for role in ["keeper", "engine", "logger"] {
        assert_eq!(file(daemon.role_pid(role), "oom_score_adj"), own, "{role}");
    }
    are_refused(&["nice:20", "nice:+1", "oom_score_adj:1001", "oom_score_adj:low"]);
}

#[test]
fn an_entry_that_says_nothing_has_what_the_daemon_has() {
    let daemon = running(&["nice:7", "umask:077", "limit_nofile:99"]);
    daemon.write_table(&format!(
        "{}web:plain:1,:respawn:sleep 1000\n",
        table("respawn:sleep 1000", &["nice:7", "umask:077", "limit_nofile:99"])
    ));
    let it = executed(&daemon, "it");
    daemon.reread();
    let plain = executed(&daemon, "plain");
    assert_eq!(executed(&daemon, "it"), it, "it has not changed");
    let own = std::process::id();
    assert_eq!(status(plain, "Umask"), status(own, "Umask"));
    assert_eq!(file(plain, "limits"), file(own, "limits"));
}

#[test]
fn a_change_of_surroundings_starts_the_entry_again() {
    let daemon = running(&["nice:7"]);
    for properties in [&["nice:8"][..], &["nice:8", "environment:A=1"], &["nice:8"], &[]] {
        let before = executed(&daemon, "it");
        daemon.write_table(&table("respawn:sleep 1000", properties));
        daemon.reread();
        eventually("another process", || {
            let entry = daemon.entry("it");
            entry["state"] == "running" && entry["pid"] != before
        });
    }
}

/// The controllers that this machine's cgroup2 has.
fn controllers() -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 ")).unwrap_or_default();
    let point = line.split(' ').nth(4).unwrap_or("/absent");
    fs::read_to_string(format!("{point}/cgroup.controllers")).unwrap_or_default()
}

#[test]
fn bounds_of_a_cgroup_that_cannot_be_had_are_told_once_and_the_entry_runs() {
    if controllers().split_whitespace().any(|name| ["memory", "pids"].contains(&name)) {
        crate::user::skip("this machine's cgroup2 has the controllers memory and pids");
        return;
    }
    let properties = ["memory_max:512M", "pids_max:64"];
    let daemon = running(&properties);
    let words = "web/it: memory_max, pids_max not in effect: ";
    eventually("a note", || daemon.err().contains(words));
    for restarts in 1..=2 {
        send(executed(&daemon, "it"), Signal::KILL);
        eventually("another life", || daemon.entry("it")["restarts"] == restarts);
    }
    let engine = daemon.role_pid("engine");
    send(engine, Signal::KILL);
    eventually("another engine", || matches!(daemon.all_of_role("engine")[..], [pid] if pid != engine));
    eventually("an answer", || daemon.clinit("status").code == Some(0));
    send(executed(&daemon, "it"), Signal::KILL);
    eventually("another life", || daemon.entry("it")["restarts"] == 3);
    executed(&daemon, "it");
    assert_eq!(daemon.err().matches(words).count(), 1, "{}", daemon.err());

    let said = check(&properties);
    assert_eq!(said.code, Some(0));
    for word in ["cltab:1:20: warning: memory_max has no effect on this machine", "2 warnings"] {
        assert!(said.out.contains(word), "{word}: {}", said.out);
    }
    assert!(!check(&["memory_max:max"]).out.contains("warning"));
}

#[test]
fn bounds_of_a_cgroup_are_written_where_it_has_the_controllers() {
    let has = |name: &&str| controllers().split_whitespace().any(|other| other == *name);
    if !is_root() || !["memory", "cpu", "pids"].iter().all(has) {
        crate::user::skip("this needs root and a cgroup2 with the controllers memory, cpu and pids");
        return;
    }
    let daemon = running(&["memory_max:512M", "cpu_max:150%", "pids_max:64"]);
    let path = format!("/sys/fs/cgroup{}", crate::cgroup2::of(executed(&daemon, "it")));
    if daemon.err().contains("not in effect") {
        crate::user::skip("the tests do not run in a cgroup of their own");
        return;
    }
    let read = |name: &str| fs::read_to_string(format!("{path}/{name}")).unwrap_or_default();
    assert_eq!(["memory.max", "cpu.max", "pids.max"].map(read), ["536870912\n", "150000 100000\n", "64\n"]);
}

#[test]
fn bounds_of_a_cgroup_that_make_no_sense_are_faults() {
    are_refused(&["memory_max:0", "memory_max:50%", "cpu_max:2", "cpu_max:0%", "pids_max:0", "pids_max:1K"]);
    let said = check(&["cgroup:no", "memory_max:1G"]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.out.contains("memory_max, cpu_max and pids_max bound a cgroup, but cgroup is `no`"),
        "{said:?}"
    );
}
