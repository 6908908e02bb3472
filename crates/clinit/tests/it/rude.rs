//! Clients that misbehave cost only themselves.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::daemon::Daemon;
use crate::process::status;
use crate::wait::eventually;
use crate::wire::Wire;

/// Others are served at once, and nothing of the daemon has been restarted.
#[track_caller]
fn others_are_served(daemon: &Daemon, engine: u32) {
    let begun = Instant::now();
    assert_eq!(daemon.clinit("status").code, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(daemon.role_pid("engine"), engine);
}

fn started() -> (Daemon, u32) {
    let daemon = Daemon::start("web:httpd:start,:respawn:sleep 1000\n");
    let engine = daemon.role_pid("engine");
    (daemon, engine)
}

#[test]
fn garbage_ends_the_connection() {
    let (daemon, engine) = started();
    let deep = format!("{}\0", "[".repeat(100_000));
    let cases: [&[u8]; 9] = [
        b"\0",
        b"hello\0",
        b"GET / HTTP/1.1\r\n\r\n\0",
        b"{}\0",
        b"[]\0",
        b"{\"method\":7}\0",
        b"{\"method\":\"org.clinit.Init.Status\"\0",
        b"\xff\xfe\xfd\0",
        deep.as_bytes(),
    ];
    for garbage in cases {
        let mut wire = Wire::connect(&daemon.socket());
        wire.send(garbage);
        assert!(wire.is_hung_up_on(), "{:?}", String::from_utf8_lossy(&garbage[..garbage.len().min(40)]));
    }
    others_are_served(&daemon, engine);
}

#[test]
fn a_message_without_end_ends_the_connection() {
    let (daemon, engine) = started();
    let mut wire = Wire::connect(&daemon.socket());
    let piece = vec![b'x'; 64 * 1024];
    let taken = (0..1024).take_while(|_| wire.send(&piece)).count();
    assert!(taken < 64, "{taken} pieces were taken");
    assert!(wire.is_hung_up_on());
    others_are_served(&daemon, engine);
}

#[test]
fn half_a_message_stalls_its_sender_alone_and_not_for_ever() {
    let (daemon, engine) = started();
    let mut wire = Wire::connect(&daemon.socket());
    assert!(wire.send(b"{\"method\":\"org.clinit.Init.St"));
    others_are_served(&daemon, engine);
    assert!(wire.is_hung_up_on(), "after a while");
}

#[test]
fn a_flood_of_connections_keeps_nobody_out() {
    let (daemon, engine) = started();
    let mut flood: Vec<UnixStream> = Vec::new();
    for _ in 0..400 {
        flood.extend(UnixStream::connect(daemon.socket()));
    }
    others_are_served(&daemon, engine);
    for stalled in &mut flood {
        let _dropped = stalled.write_all(b"{");
    }
    others_are_served(&daemon, engine);
}

#[test]
fn a_client_that_never_reads_keeps_nobody_waiting() {
    let (daemon, engine) = started();
    let mut deaf = UnixStream::connect(daemon.socket()).unwrap();
    deaf.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let calls = "{\"method\":\"org.clinit.Init.Status\"}\0".repeat(1000);
    while deaf.write_all(calls.as_bytes()).is_ok() {}
    others_are_served(&daemon, engine);
    let resident = status(engine, "VmHWM");
    let kilobytes: u32 = resident.split(' ').next().unwrap().parse().unwrap();
    assert!(kilobytes < 64 << 10, "what it does not read is not piled up without end: {resident}");
    daemon.settle("web", "start", "DONE");
}

#[test]
fn clients_that_go_in_the_middle_leave_nothing_behind() {
    let (daemon, engine) = started();
    let open = || std::fs::read_dir(format!("/proc/{engine}/fd")).unwrap().count();
    let before = open();
    let parameters = json!({ "group": "web", "level": "start" });
    let waits = json!({ "method": "org.clinit.Init.Tell", "parameters": parameters, "more": true });
    let waits = format!("{waits}\0");
    for round in 0..100 {
        let mut wire = Wire::connect(&daemon.socket());
        wire.send(match round % 4 {
            0 => b"",
            1 => b"{\"method\":",
            2 => b"{\"method\":\"org.clinit.Init.Status\"}\0",
            _ => waits.as_bytes(),
        });
    }
    eventually("that they are closed", || open() <= before);
    others_are_served(&daemon, engine);
}

#[test]
fn who_waits_with_more_does_not_keep_the_table_from_being_told() {
    let daemon = Daemon::start("web:slow:slow,:wait:sleep 1000\nweb:quick:quick,:wait:true\n");
    let mut waiting: Vec<Wire> = (0..50).map(|_| Wire::connect(&daemon.socket())).collect();
    for wire in &mut waiting {
        let parameters = json!({ "group": "web", "level": "slow" });
        wire.say(&json!({ "method": "org.clinit.Init.Tell", "parameters": parameters, "more": true }));
        assert_eq!(wire.hear()["continues"], true);
    }
    daemon.settle("web", "quick", "DONE");
    for wire in &mut waiting {
        assert_eq!(wire.hear()["parameters"]["outcome"], "superseded");
    }
}
