//! `clinit status`

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::place::{Place, number};
use crate::process::{is_alive, send};
use crate::wait::eventually;

const TABLE: &str = "web:httpd:1,2:respawn:sleep 1000\n\
                     web:prepare:1,:wait:exit 3\n\
                     mail:smtpd:1,:respawn:sleep 1000\n\
                     mail:web:1,:respawn:sleep 1000\n";

fn tags(status: &serde_json::Value) -> Vec<String> {
    let groups = status["groups"].as_array().unwrap();
    let entries = groups.iter().flat_map(|group| group["entries"].as_array().unwrap());
    entries.map(|entry| entry["tag"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn people_get_a_table() {
    let daemon = Daemon::start(TABLE);
    daemon.settle("web", "1", "DONE");
    let httpd = daemon.pid("httpd");
    send(httpd, Signal::KILL);
    eventually("another life", || daemon.entry("httpd")["restarts"] == 1);
    let httpd = daemon.pid("httpd");
    let said = daemon.clinit("status").done();
    let words = |line: &'_ str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        words(said.lines().next().unwrap()),
        ["GROUP/ENTRY", "LEVEL", "STATE", "PID", "SINCE", "RESTARTS", "LAST", "EXIT"]
    );
    // Groups stand at the margin, their entries two blanks behind.
    let row = |name: &str| words(said.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap());
    assert_eq!(row("mail")[1..3], ["-", "CONFIGURED"]);
    assert_eq!(row("web")[1..3], ["1", "DONE"]);
    assert_eq!(row("  httpd")[1..3], ["running", &httpd.to_string()]);
    assert_eq!(row("  httpd")[4..8], ["1", "killed", "by", "KILL"]);
    let prepare = row("  prepare");
    assert!(prepare[1] == "done" && prepare.windows(2).any(|pair| pair == ["exited", "3"]), "{said}");
}

#[test]
fn json_has_everything() {
    let daemon = Daemon::start(TABLE);
    daemon.settle("web", "1", "DONE");
    let httpd = daemon.pid("httpd");
    let status = daemon.status();
    let own = &status["daemon"];
    assert_eq!(number(&own["keeper_pid"]), daemon.role_pid("keeper"));
    assert_eq!(number(&own["engine_pid"]), daemon.role_pid("engine"));
    for (name, file) in [("socket", "init.s"), ("table", "cltab"), ("clstat", "clstat")] {
        assert_eq!(own[name], daemon.path(file).to_str().unwrap());
    }
    assert_eq!(own["version"], env!("CARGO_PKG_VERSION"));
    assert!(own["since_ms"].is_u64());

    let web = daemon.group("web");
    for (name, value) in [("level", "1"), ("target", "1"), ("state", "DONE")] {
        assert_eq!(web[name], value);
    }
    assert!(web["since_ms"].is_u64() && web["told"] == true);
    let entry = daemon.entry("httpd");
    assert!(is_alive(httpd) && entry["pid"] == httpd);
    for (name, value) in [("mode", "respawn"), ("state", "running"), ("command", "sleep 1000")] {
        assert_eq!(entry[name], value);
    }
    assert_eq!(entry["levels"], serde_json::json!(["1", "2"]));
    assert!(entry["wanted"] == true && entry["restarts"] == 0 && entry["since_ms"].is_u64());
    assert!(entry["last_exit"].is_null());
    let prepare = daemon.entry("prepare");
    assert_eq!(prepare["last_exit"], serde_json::json!({"kind": "exited", "code": 3}));
    assert!(prepare["pid"].is_null() && prepare["last_exit_ms"].is_u64());
}

#[test]
fn a_name_is_a_groups_else_an_entrys() {
    let daemon = Daemon::start(TABLE);
    let of = |name: &str| {
        let said = daemon.clinit(&format!("status --json {name}")).done();
        tags(&serde_json::from_str(&said).unwrap())
    };
    assert_eq!(of("mail"), ["smtpd", "web"]);
    assert_eq!(of("web"), ["httpd", "prepare"], "a group's name wins");
    assert_eq!(of("mail/web"), ["web"], "so the entry is written with its group");
    assert_eq!(of("smtpd"), ["smtpd"]);
    assert_eq!(of("web/httpd"), ["httpd"]);
    for (name, complaint) in [
        ("htpd", "clinit: no such entry: htpd, nor a group\nhint: did you mean httpd?\n"),
        ("web/smtpd", "clinit: no such entry: web/smtpd\nhint: clinit status shows what there is\n"),
        ("web/htpd", "clinit: no such entry: web/htpd\nhint: did you mean web/httpd?\n"),
        ("wbe/httpd", "clinit: no such group: wbe\nhint: did you mean web?\n"),
    ] {
        daemon.clinit(&format!("status {name}")).is(1, "", complaint);
    }
}

#[test]
fn level_leaves_the_groups_that_have_it() {
    let daemon = Daemon::start(TABLE);
    daemon.settle("web", "2", "DONE");
    daemon.settle("mail", "1", "DONE");
    let said = daemon.clinit("status --level 1 --json").done();
    assert_eq!(tags(&serde_json::from_str(&said).unwrap()), ["smtpd", "web"]);
    assert!(!daemon.clinit("status --level 2").done().contains("mail"));
    assert_eq!(daemon.clinit("status --level 3").done().lines().count(), 1);
}

#[test]
fn a_status_file_is_read_without_a_daemon() {
    let place = Place::new("");
    place.write(
        "other",
        "Cluster::Init::Group web start DONE\n\
         some::other line\n\
         Cluster::Init::Group mail 3 FAILED\n",
    );
    place.bare("status --clstat other").is(
        0,
        "GROUP  LEVEL  STATE\nweb    start  DONE\nmail   3      FAILED\n",
        "",
    );
    place.bare("status web --clstat other").is(0, "GROUP  LEVEL  STATE\nweb    start  DONE\n", "");
    place.bare("status --level 3 --clstat other").is(0, "GROUP  LEVEL  STATE\nmail   3      FAILED\n", "");
    let json = "{\"groups\":[{\"level\":\"3\",\"name\":\"mail\",\"state\":\"FAILED\"}]}\n";
    place.bare("status mail --json --clstat other").is(0, json, "");
    place.bare("status ftp --clstat other").fails(1, &["other says nothing of group ftp"]);
    place.bare("status --clstat absent").fails(3, &["no status file at absent"]);
    place.bare("status --clstat .").fails(7, &["failed to read ."]);
}

#[test]
fn the_daemons_own_status_file_is_read_the_same_way() {
    let daemon = Daemon::start(TABLE);
    daemon.settle("web", "2", "DONE");
    daemon.wait_clstat(&["web 2 DONE"]);
    daemon.bare("status --clstat clstat").is(0, "GROUP  LEVEL  STATE\nweb    2      DONE\n", "");
}

#[test]
fn names_are_told_a_line_each() {
    let daemon = Daemon::start(
        "web:httpd:12:respawn:sleep 1000\nweb:clean:0,2:wait:true\nmail:smtpd:on,:off:x\n:::output:null\n",
    );
    let web = "group web\nlevel web 0\nlevel web 1\nlevel web 2\nentry web/httpd\nentry web/clean\n";
    let mail = "group mail\nlevel mail on\nentry mail/smtpd\n";
    daemon.clinit("status --names").is(0, &format!("{mail}{web}"), "");
    daemon.clinit("status mail --names").is(0, mail, "");
    daemon.clinit("status --names --json").fails(2, &["--names goes with none of"]);
}
