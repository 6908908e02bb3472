//! The examples that start clinit when a machine starts: a systemd unit and a sysvinit script.

use std::fs;
use std::path::Path;

use crate::command::{CLINIT, Said, program, run};
use crate::place::Place;
use crate::wait::eventually;

const TABLE: &str = "web:httpd:on,:respawn:sleep 1000\nweb:::initdefault:on\n";

/// Where the examples expect the program.
const INSTALLED: &str = "/usr/local/sbin/clinit";

/// Where the sysvinit script is told otherwise.
const DEFAULTS: &str = "/etc/default/clinit";

fn example(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)).unwrap()
}

/// A shell's command in a place, as whoever starts services runs it: its output goes to files, which daemons keep.
#[track_caller]
fn shell(place: &Place, command: &str) -> Said {
    let line = format!("( {command}\n) >out 2>err </dev/null");
    let mut said = run(program("sh").args(["-c", &line]).current_dir(place.path("")));
    (said.out, said.err) = (place.read("out"), place.read("err"));
    said
}

#[test]
fn the_systemd_unit_starts_rereads_and_stops() {
    let place = Place::new(TABLE);
    // systemd joins continued lines, and takes two dollars for one.
    let unit = example("clinit.service").replace("\\\n", " ").replace("$$", "$");
    let line = |name: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap();
        line.replace(INSTALLED, &format!("{CLINIT} -c cltab -s init.s"))
    };
    // What commands print is among what the daemon prints: their exit status tells.
    shell(&place, &line("ExecStart")).done();
    place.wait_group("web", "on", "DONE");
    let pid = place.pid("httpd");
    place.write_table(&format!("{TABLE}web:more:on,:respawn:sleep 1000\n"));
    shell(&place, &line("ExecReload")).done();
    place.wait_entry("more", "running");
    assert_eq!(place.pid("httpd"), pid);
    shell(&place, &line("ExecStop")).done();
    eventually("the end of the logger, too", || place.processes().is_empty());
    // A daemon that cannot start is told at once.
    assert_ne!(shell(&place, &line("ExecStart").replace("cltab", "absent")).code, Some(0));
}

#[test]
fn the_sysvinit_script_starts_rereads_and_stops() {
    let place = Place::new(&format!("{TABLE}:::socket:init.s\n"));
    place.write("defaults", format!("CLINIT={CLINIT}\nTABLE=cltab\nLOG=log\nSTOP_SECONDS=20\n"));
    let script = example("clinit.init");
    assert!(script.contains(&format!("CLINIT={INSTALLED}\n")));
    let defaults = place.path("defaults").display().to_string();
    place.write_script("init", &script.replace(DEFAULTS, &defaults));
    run(program("sh").args(["-n", "init"]).current_dir(place.path(""))).is(0, "", "");
    let init = |action: &str| shell(&place, &format!("sh ./init {action}"));

    assert_eq!(init("status").code, Some(3));
    init("start").is(0, "clinit started\n", "");
    init("start").is(0, "clinit runs already\n", "");
    place.wait_group("web", "on", "DONE");
    let pid = place.pid("httpd");
    assert!(init("status").done().contains("\nweb          on     DONE"));
    place.write_table(&format!("{TABLE}:::socket:init.s\nweb:more:on,:respawn:sleep 1000\n"));
    init("reload").is(0, "", "");
    place.wait_entry("more", "running");
    assert_eq!(place.pid("httpd"), pid);
    init("restart").is(0, "clinit stopped\nclinit started\n", "");
    place.wait_group("web", "on", "DONE");
    assert_ne!(place.pid("httpd"), pid);
    init("stop").is(0, "clinit stopped\n", "");
    eventually("the end of the logger, too", || place.processes().is_empty());
    assert_eq!(init("stop").code, Some(0), "what does not run is stopped");
    init("begin").fails(2, &["usage: ", "start|stop|restart|reload"]);
    place.write("defaults", format!("CLINIT={CLINIT}\nTABLE=absent\nLOG=log\n"));
    init("start").fails(1, &["clinit does not start; see log"]);
}
