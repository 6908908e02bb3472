//! `examples/web.cltab`, run for real: nginx, redis and a worker, as three users, with readiness, links, health.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::guard::Guard;
use crate::place::Place;
use crate::process::{all, parent, send};
use crate::user::can_be_stranger;
use crate::wait::{eventually, wait_for};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What the site says now; nothing when it does not answer.
fn page(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}

/// The real user of a process.
fn user(pid: u32) -> u32 {
    fs::metadata(format!("/proc/{pid}")).unwrap().uid()
}

fn account(name: &str) -> u32 {
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let line = accounts
        .lines()
        .find(|line| line.starts_with(&format!("{name}:")))
        .unwrap_or_else(|| panic!("no {name}"));
    line.split(':').nth(2).unwrap().parse().unwrap()
}

/// The example with ports and a folder of this test's own.
fn site(nginx: u16, redis: u16) -> (Guard, Daemon) {
    let place = Place::new("");
    let folder = place.path("site").display().to_string();
    let own = |text: String| {
        let text = text.replace("18080", &nginx.to_string()).replace("16379", &redis.to_string());
        text.replace("/run/clinit-web", &folder)
    };
    fs::create_dir_all(place.path("examples/web")).unwrap();
    for name in ["web/nginx.conf", "web/worker.sh"] {
        let text = own(fs::read_to_string(examples().join(name)).unwrap());
        place.write(&format!("examples/{name}"), text);
    }
    place.write_table(&own(fs::read_to_string(examples().join("web.cltab")).unwrap()));
    let mut command = place.command();
    command.args(["-s", "init.s", "up", "cltab"]);
    let guard = Guard::over(&place);
    (guard, Daemon::by(place, &mut command))
}

#[test]
fn the_site_comes_up_in_order_serves_pages_and_leaves_nothing() {
    if !can_be_stranger() {
        return;
    }
    let (nginx, redis) = (free_port(), free_port());
    let (_guard, daemon) = site(nginx, redis);
    daemon.wait_group("web", "start", "DONE");
    for tag in ["redis", "worker", "nginx"] {
        assert_eq!(daemon.entry(tag)["state"], "ready", "{tag}");
    }
    assert_eq!(daemon.entry("page")["state"], "passed", "the test has fetched a page");
    assert!(page(nginx).unwrap().contains("hello from redis"));
    assert_eq!(user(daemon.pid("redis")), account("redis"));
    assert_eq!(user(daemon.pid("worker")), account("www-data"));
    assert_eq!(user(daemon.pid("nginx")), 0);
    let worker = daemon.pid("worker");
    let files = fs::read_to_string(format!("/proc/{}/limits", daemon.pid("redis"))).unwrap();
    assert!(files.lines().any(|line| line.starts_with("Max open files") && line.contains(" 4096 ")));

    // A crash is its own matter: it is started again, and nobody else is touched.
    send(daemon.pid("redis"), Signal::KILL);
    eventually("another redis", || {
        daemon.entry("redis")["restarts"] == 1 && daemon.entry("redis")["state"] == "ready"
    });
    eventually("pages go on", || page(nginx).is_some());
    // Its page came from the redis that died; the worker either got over it or was started again.
    eventually("a worker", || daemon.entry("worker")["state"] == "ready");
    let _same_or_another = worker;

    // nginx reads its configuration again: other workers, the same master.
    let master = daemon.pid("nginx");
    let before = children(master);
    daemon.clinit("signal web/nginx HUP").done();
    eventually("other workers", || {
        let now = children(master);
        !now.is_empty() && now.iter().all(|child| !before.contains(child))
    });
    assert_eq!(daemon.pid("nginx"), master);

    // What requires redis stops before it, and comes back with it.
    daemon.clinit("stop web/redis").done();
    for tag in ["redis", "worker", "nginx"] {
        assert_eq!(daemon.entry(tag)["state"], "down", "{tag}");
    }
    let said = daemon.err();
    let place = |words: &str| said.rfind(words).unwrap_or_else(|| panic!("{words} in {said}"));
    assert!(place("web/nginx: stopping") < place("web/worker: stopping"));
    assert!(place("web/worker: stopping") < place("web/redis: stopping"));
    daemon.clinit("start web/redis").done();
    eventually("all of it", || daemon.entry("nginx")["state"] == "ready");
    wait_for("a page", || page(nginx));

    send(daemon.child_pid(), Signal::TERM);
    assert_eq!(daemon.wait_end(), Some(0));
    assert!(!daemon.has("site"), "the stop command of `folder` has removed it");
    assert_eq!(daemon.processes(), [0; 0]);
}

/// Processes that a process is the parent of.
fn children(pid: u32) -> Vec<u32> {
    all().into_iter().filter(|&other| parent(other) == pid).collect()
}
