//! Who a service is and what it may do.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::command::{CLINIT, program};
use crate::daemon::Daemon;
use crate::place::Place;
use crate::process::{file, is_gone, send, status};
use crate::user::{can_be_stranger, give_to_unprivileged, skip, unprivileged};
use crate::wait::eventually;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
                      nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
                      kim:x:4711:4712:Kim:/home/kim:/bin/bash\n";

const GROUPS: &str = "root:x:0:\nnogroup:x:65534:\nkim:x:4712:\naudio:x:4801:nobody,kim\nvideo:x:4802:kim\n";

/// A daemon on this table, for which the users and groups of the machine are those in the files `passwd` and
/// `group` of its place.
fn among_users(table: &str) -> Daemon {
    let place = Place::new(table);
    place.write("passwd", PASSWD);
    place.write("group", GROUPS);
    among_users_of(place, "")
}

fn among_users_of(place: Place, more: &str) -> Daemon {
    let script = format!(
        "mount --bind passwd /etc/passwd && mount --bind group /etc/group && {more} exec \"$@\" -c cltab -s init.s -d"
    );
    let mut command = program("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh", CLINIT]).current_dir(place.path(""));
    Daemon::by(place, &mut command)
}

/// A table with the entry `it`, which has these properties.
fn table(entry: &str, properties: &[&str]) -> String {
    let lines = properties.iter().map(|property| format!("web:it::{property}\n"));
    lines.chain([format!("web:it:1,:{entry}\n")]).collect()
}

/// Users, Unix groups and supplementary groups of the entry `it`, which runs with these properties.
fn ids(properties: &[&str]) -> [String; 3] {
    let daemon = among_users(&table("respawn:sleep 1000", properties));
    daemon.settle("web", "1", "DONE");
    let it = executed(&daemon, "it");
    ["Uid", "Gid", "Groups"].map(|name| {
        let value = status(it, name);
        let mut numbers: Vec<&str> = value.split_whitespace().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.join(" ")
    })
}

/// The process of an entry that has become `sleep`: what is done before that is done.
#[track_caller]
fn executed(daemon: &Daemon, tag: &str) -> u32 {
    let pid = daemon.pid(tag);
    eventually("to be executed", || file(pid, "cmdline").starts_with("sleep"));
    pid
}

/// Kills a process of the daemon, and waits until another has taken over.
#[track_caller]
fn replace(daemon: &Daemon, role: &str) {
    // A new keeper has a new engine, too.
    let old = [daemon.role_pid(role), daemon.role_pid("engine")];
    send(old[0], Signal::KILL);
    for role in [role, "engine"] {
        let is_new = || matches!(daemon.all_of_role(role)[..], [pid] if !old.contains(&pid));
        eventually(&format!("another {role}"), is_new);
    }
    eventually("an answer", || daemon.clinit("status").code == Some(0));
}

#[track_caller]
fn fault(daemon: &Daemon) -> String {
    daemon.settle("web", "1", "DONE");
    let entry = daemon.wait_entry("it", "done");
    assert_eq!(entry["last_exit"]["kind"], "not_executed", "{entry}");
    entry["last_exit"]["error"].as_str().unwrap().to_owned()
}

#[test]
fn run_user_is_a_user_with_its_groups() {
    if !can_be_stranger() {
        return;
    }
    let kim = ["4711", "4712", "4712 4801 4802"];
    assert_eq!(ids(&["run_user:kim"]), kim);
    assert_eq!(ids(&["run_user:4711"]), kim);
    assert_eq!(ids(&["run_user:kim", "run_group:audio"]), ["4711", "4801", "4801 4802"]);
    assert_eq!(ids(&["run_user:kim", "run_group:5000"]), ["4711", "5000", "4801 4802 5000"]);
    assert_eq!(ids(&["run_user:90000", "run_group:kim"]), ["90000", "4712", ""]);
    let [_, _, own] = ids(&["nice:1"]);
    assert_eq!(ids(&["run_group:video"]), ["0", "4802", own.as_str()]);
}

#[test]
fn a_user_finds_itself_in_its_environment() {
    if !can_be_stranger() {
        return;
    }
    let daemon = among_users(&table("respawn:sleep 1000", &["run_user:kim", "environment:SHELL=/bin/zsh"]));
    daemon.settle("web", "1", "DONE");
    let environment = file(executed(&daemon, "it"), "environ");
    for line in ["USER=kim", "LOGNAME=kim", "HOME=/home/kim", "SHELL=/bin/zsh"] {
        assert_eq!(
            environment.split('\0').filter(|found| *found == line).count(),
            1,
            "{line}: {environment}"
        );
    }
}

#[test]
fn files_of_an_entry_are_its_users() {
    if !can_be_stranger() {
        return;
    }
    let place = Place::new("");
    place.write("passwd", PASSWD);
    place.write("group", GROUPS);
    fs::create_dir(place.path("open")).unwrap();
    place.chmod("open", 0o777);
    fs::create_dir(place.path("closed")).unwrap();
    place.chmod("closed", 0o700);
    place.write_table(&format!(
        "web:it:1,:wait:touch open/file; touch closed/file\n\
         web:kept:1,:once:true\n\
         web:kept::directory:{}\n\
         web:::run_user:kim\n",
        place.path("closed").display()
    ));
    let daemon = among_users_of(place, "");
    daemon.settle("web", "1", "DONE");
    let file = fs::metadata(daemon.path("open/file")).unwrap();
    let owner = (std::os::unix::fs::MetadataExt::uid(&file), std::os::unix::fs::MetadataExt::gid(&file));
    assert_eq!(owner, (4711, 4712));
    assert!(!daemon.has("closed/file"));
    let error = daemon.wait_entry("kept", "done")["last_exit"]["error"].to_string();
    assert!(error.contains("Permission denied: may the user whom the entry runs as enter it?"), "{error}");
}

#[test]
fn names_that_nobody_has_are_told_and_found_when_they_are_there() {
    if !can_be_stranger() {
        return;
    }
    let daemon = among_users(
        "web:it:1,:once:sleep 1000\n\
         web:it::run_user:wbe\n\
         web:other:1,:once:true\n\
         web:other::run_group:wbe\n\
         web:number:1,:once:true\n\
         web:number::run_user:90000\n",
    );
    assert_eq!(fault(&daemon), "run_user: no such user: wbe: make one, or name another");
    let error = |tag: &str| daemon.wait_entry(tag, "done")["last_exit"]["error"].as_str().unwrap().to_owned();
    assert_eq!(error("other"), "run_group: no such Unix group: wbe: make one, or name another");
    let number = "run_user: no user has the number 90000, so its group is not known: set run_group";
    assert_eq!(error("number"), number);
    eventually("a word at the start", || daemon.err().contains("cltab:2:18: no such user: wbe"));

    // The daemon warns of another table, too, and takes it all the same.
    daemon.write_table(&format!("{}web:more:1,:wait:true\n", daemon.read("cltab")));
    daemon.reread();
    eventually("another word", || daemon.err().matches("cltab:4:22: no such Unix group: wbe").count() == 2);

    // Somebody adds the user: the next start finds it, without a word to the daemon.
    daemon.settle("web", "2", "DONE");
    daemon.write("passwd", format!("{PASSWD}wbe:x:4713:4713::/:/bin/sh\n"));
    daemon.settle("web", "1", "DONE");
    assert_eq!(status(executed(&daemon, "it"), "Uid"), "4713\t4713\t4713\t4713");
}

#[test]
fn check_warns_of_names_that_nobody_has() {
    let place = Place::new(&table("once:true", &["run_user:no-such-user", "run_group:no-such-group"]));
    let said = place.bare("check cltab");
    assert_eq!(said.code, Some(0), "it may be the table of another machine");
    for words in [
        "cltab:1:18: warning: no such user: no-such-user\n",
        "  |                  ^^^^^^^^^^^^\n  hint: until that is so, entries",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    for property in ["run_user:", "run_user:a b", "run_user:4294967295", "run_group:a/b"] {
        place.write_table(&table("once:true", &[property]));
        let said = place.bare("check cltab");
        assert_eq!(said.code, Some(1), "{property}: {said:?}");
    }
}

#[test]
fn only_root_can_run_entries_as_somebody_else() {
    if !can_be_stranger() {
        return;
    }
    let place = Place::new(&table("once:true", &["run_user:root"]));
    give_to_unprivileged(&place, "");
    let mut command = unprivileged(&place, "-c cltab -s init.s -d");
    let daemon = Daemon::by(place, &mut command);
    assert_eq!(
        fault(&daemon),
        "run_user: root: Operation not permitted: only root can run entries as somebody else"
    );
    // To run it as who one is takes nothing.
    daemon.write_table(&table("respawn:sleep 1000", &["run_user:65534", "run_group:65534"]));
    daemon.settle("web", "1", "DONE");
    assert!(status(executed(&daemon, "it"), "Uid").starts_with("65534"));
}

#[test]
fn a_restarted_engine_and_keeper_still_know_the_user() {
    if !can_be_stranger() {
        return;
    }
    let daemon = among_users(&table("respawn:sleep 1000", &["run_user:kim"]));
    daemon.settle("web", "1", "DONE");
    for (role, restarts) in [("engine", 1), ("keeper", 2)] {
        let it = executed(&daemon, "it");
        replace(&daemon, role);
        assert_eq!(executed(&daemon, "it"), it);
        send(it, Signal::KILL);
        eventually("another life", || daemon.entry("it")["restarts"] == restarts);
        assert!(status(executed(&daemon, "it"), "Uid").starts_with("4711"));
    }
}

#[test]
fn its_output_can_be_opened_again_by_its_user() {
    if !can_be_stranger() {
        return;
    }
    let daemon = Daemon::up(
        "web:it:1,:wait:echo by-name > /dev/stdout; echo again > /proc/self/fd/2\nweb:it::run_user:nobody\n",
    );
    eventually("both lines", || {
        let out = daemon.out();
        out.contains("by-name") && out.contains("again")
    });
}

#[test]
fn no_new_privs_is_as_the_table_says() {
    let daemon = Daemon::start(
        "web:it:1,:respawn:sleep 1000\nweb:::no_new_privs:yes\n\
         web:free:1,:respawn:sleep 1000\nweb:free::no_new_privs:no\n",
    );
    daemon.settle("web", "1", "DONE");
    assert_eq!(status(executed(&daemon, "it"), "NoNewPrivs"), "1");
    assert_eq!(status(executed(&daemon, "free"), "NoNewPrivs"), "0");
    let place = Place::new(&table("once:true", &["no_new_privs:on"]));
    assert_eq!(place.bare("check cltab").code, Some(1));
}

#[test]
fn capabilities_are_kept_whoever_the_user_is_and_others_gone_for_ever() {
    if !can_be_stranger() {
        return;
    }
    let daemon = Daemon::start(
        "web:nobody:1,:respawn:sleep 1000\n\
         web:nobody::run_user:nobody\n\
         web:nobody::capabilities:CAP_NET_BIND_SERVICE, kill\n\
         web:root:1,:respawn:sleep 1000\n\
         web:root::capabilities:net_bind_service kill\n\
         web:none:1,:respawn:sleep 1000\n\
         web:none::capabilities:none\n\
         web:all:1,:respawn:sleep 1000\n\
         web:all::capabilities:all\n",
    );
    daemon.settle("web", "1", "DONE");
    let sets =
        |tag: &str| ["CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|set| status(executed(&daemon, tag), set));
    let [two, none] = ["0000000000000420", "0000000000000000"];
    assert_eq!(sets("nobody"), [two; 4]);
    assert_eq!(sets("root")[..3], [two; 3]);
    assert_eq!(sets("none"), [none; 4]);
    let own = ["CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|set| status(std::process::id(), set));
    assert_eq!(sets("all"), own);
}

#[test]
fn what_a_capability_allows_its_user_can_do() {
    if !can_be_stranger() {
        return;
    }
    let daemon = Daemon::start(
        "web:it:1,:wait:chown 12:34 file; chmod 600 cltab && touch never\n\
         web:it::run_user:nobody\n\
         web:it::capabilities:chown\n",
    );
    daemon.write("file", "");
    daemon.settle("web", "1", "DONE");
    let file = fs::metadata(daemon.path("file")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&file), 12);
    assert!(!daemon.has("never"));
}

#[test]
fn capabilities_that_clinit_lacks_are_told() {
    if !can_be_stranger() {
        return;
    }
    let place = Place::new(&table("once:true", &["capabilities:kill"]));
    let mut command = program("setpriv");
    command.args(["--bounding-set=-kill", "--inh-caps=-kill", CLINIT, "-c", "cltab", "-s", "init.s", "-d"]);
    command.current_dir(place.path(""));
    let daemon = Daemon::by(place, &mut command);
    assert_eq!(
        fault(&daemon),
        "capabilities: Operation not permitted: clinit must have them, and CAP_SETPCAP, itself"
    );
    let place = Place::new(&table("once:true", &["capabilities:root"]));
    let said = place.bare("check cltab");
    assert!(said.out.contains("names of capabilities such as net_bind_service"), "{said:?}");
}

/// A name service that says nothing until there is a file, as one that is far away would.
const SLOW_SERVICE: &str = r#"
#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>
enum nss_status _nss_slow_getpwnam_r(const char *name, struct passwd *p, char *b, size_t n, int *e) {
    while (access(getenv("SLOW_GO"), F_OK)) usleep(10000);
    p->pw_name = "far"; p->pw_passwd = "x"; p->pw_uid = 4714; p->pw_gid = 4714;
    p->pw_gecos = ""; p->pw_dir = "/"; p->pw_shell = "/bin/sh";
    return NSS_STATUS_SUCCESS;
}
"#;

/// A daemon for which users that are in no file are looked up by that service.
fn among_slow_users(table: &str) -> Option<Daemon> {
    let place = Place::new(table);
    place.write("passwd", PASSWD);
    place.write("group", GROUPS);
    place.write("slow.c", SLOW_SERVICE);
    place.write("nsswitch", "passwd: files slow\ngroup: files\n");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o", "libnss_slow.so.2", "slow.c"]).current_dir(place.path(""));
    if !compiler.status().is_ok_and(|status| status.success()) {
        skip("no C compiler, or no C library that asks name services");
        return None;
    }
    let folder = place.path("").display().to_string();
    let more = format!(
        "touch /etc/nsswitch.conf && mount --bind nsswitch /etc/nsswitch.conf && export \
         LD_LIBRARY_PATH={folder} SLOW_GO={folder}/go &&"
    );
    Some(among_users_of(place, &more))
}

#[test]
fn a_slow_name_service_holds_up_nobody_else() {
    if !can_be_stranger() {
        return;
    }
    let slow = "web:first:1,:respawn:sleep 1000\n\
                web:it:1,:respawn:sleep 1000\n\
                web:it::run_user:far\n\
                web:behind:1,:respawn:sleep 1000\n\
                db:other:1,:respawn:sleep 1000\n\
                db:kim:1,:respawn:sleep 1000\n";
    let Some(daemon) = among_slow_users(slow) else { return };
    daemon.clinit("tell web 1").done();
    daemon.clinit("tell db 1").done();
    let first = executed(&daemon, "first");
    daemon.wait_group("db", "1", "DONE");
    let it = daemon.entry("it");
    assert_eq!(
        (&it["state"], &it["why"]),
        (&"starting".into(), &"it waits until its user is looked up".into())
    );
    let behind = daemon.entry("behind");
    assert_eq!(behind["why"], "it waits for an entry before it to be started");
    assert_eq!(daemon.group("web")["state"], "STARTING");

    // What has been started is started again meanwhile.
    send(first, Signal::KILL);
    eventually("another life", || daemon.entry("first")["restarts"] == 1);
    executed(&daemon, "first");
    assert_eq!(daemon.entry("behind")["state"], "starting");

    // So is the engine.
    replace(&daemon, "engine");
    eventually("the wait", || daemon.entry("it")["state"] == "starting");

    daemon.write("go", "");
    daemon.wait_group("web", "1", "DONE");
    assert_eq!(status(executed(&daemon, "it"), "Uid"), "4714\t4714\t4714\t4714");
    executed(&daemon, "behind");
}

#[test]
fn what_waits_for_a_slow_name_service_can_be_stopped() {
    if !can_be_stranger() {
        return;
    }
    let slow = "web:it:1,:respawn:sleep 1000\n\
                web:it::run_user:far\n\
                web:behind:1,3:respawn:sleep 1000\n\
                web:other:2,:respawn:sleep 1000\n";
    let Some(daemon) = among_slow_users(slow) else { return };
    daemon.clinit("tell web 1").done();
    eventually("the wait", || daemon.entry("it")["state"] == "starting");
    // To a level that keeps what only stands behind it ...
    daemon.clinit("tell web 3").done();
    let behind = executed(&daemon, "behind");
    assert_eq!(daemon.entry("it")["state"], "down");
    // ... and to one that has nothing of it.
    daemon.clinit("tell web 2").done();
    executed(&daemon, "other");
    eventually("its end", || is_gone(behind));
    daemon.clinit("tell web 1").done();
    eventually("the wait", || daemon.entry("it")["state"] == "starting");
    daemon.clinit("shutdown").done();
    assert_eq!(daemon.wait_end(), Some(0));
    assert!(daemon.services().is_empty());
    daemon.write("go", "");
}
