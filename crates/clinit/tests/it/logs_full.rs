//! Disks that are full, and a system's log that is not there.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::command::{CLINIT, run};
use crate::daemon::Daemon;
use crate::kept::Kept;
use crate::place::Place;
use crate::user::{is_root, skip};
use crate::wait::{eventually, wait_for};

/// A disk of its own in a place, of 256 KiB. Only root can mount one; root's tests fail where it cannot.
pub(crate) struct Disk(pub(crate) PathBuf);

impl Disk {
    pub(crate) fn new(place: &Place) -> Option<Self> {
        if !is_root() {
            skip("only root can mount a disk");
            return None;
        }
        let path = place.path("disk");
        fs::create_dir(&path).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=256k,mode=755", "clinit-test"]).arg(&path);
        run(&mut command).done();
        Some(Self(path))
    }

    /// Leaves no room but for a few bytes in a file that is there.
    pub(crate) fn fill(&self) {
        let written = fs::write(self.0.join("filler"), vec![0; 1 << 20]);
        assert_eq!(written.unwrap_err().raw_os_error(), Some(28));
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// An entry that counts, a line of 100 bytes at a time, until there is a file `stop`; it notes how far it is.
fn counting(name: &str, pause: &str) -> String {
    let filler = "x".repeat(80);
    format!(
        "{name}:1,:once:i=0; until test -e stop; do printf 'line %06d {filler}\\n' $i; i=$((i+1)); \
         echo $i > count.new; mv count.new count; {pause}; done; echo end $i\n"
    )
}

fn count(place: &Place) -> u32 {
    place.read("count").trim().parse().unwrap_or(0)
}

#[test]
fn a_full_disk_holds_its_entries_and_no_others_and_costs_no_line() {
    let place = Place::new("");
    let Some(disk) = Disk::new(&place) else { return };
    let full = counting("web:full", ":");
    place.write_table(&format!(
        "{full}web:full::output:file:{}\nweb:::log_full:hold\nweb:::log_size:16K\nweb:full::log_count:1000\n\
         web:other:1,:respawn:while :; do echo tick; sleep 0.02; done\nweb:other::output:file:{}\n",
        disk.0.display(),
        place.path("logs").display()
    ));
    disk.fill();
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    let other = daemon.kept("web/other");
    let said = wait_for("a word about it", || {
        Some(daemon.clinit("status web/full").out).filter(|out| out.contains("cannot be written"))
    });
    assert!(
        said.contains("web/full: its lines cannot be written and wait: ")
            && said.contains(": No space left on device"),
        "{said}"
    );
    // It stands when no more of it can wait.
    let mut last = (0, 0);
    eventually("that it waits", || {
        let (now, ticks) = (count(&daemon), other.lines().len());
        if now != last.0 {
            last = (now, ticks);
        }
        now > 0 && ticks > last.1 + 20
    });
    disk.make_room();
    let kept = Kept(disk.0.join("web/full"));
    let before = count(&daemon);
    eventually("that it goes on", || count(&daemon) > before + 100);
    daemon.write("stop", "");
    eventually("its end", || kept.text().contains(" end "));
    let lines = kept.lines();
    let (end, lines) = lines.split_last().unwrap();
    for (number, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("line {number:06} ")), "{number}: {line}");
    }
    assert_eq!(*end, format!("end {}", lines.len()));
    eventually("that all is well", || !daemon.clinit("status web/full").out.contains("cannot be written"));
    assert!(daemon.err().contains("web/full: its lines cannot be written"), "{}", daemon.err());
    daemon.clinit("shutdown").done();
    drop(disk);
}

#[test]
fn after_a_while_lines_are_dropped_and_counted() {
    let place = Place::new("");
    let Some(disk) = Disk::new(&place) else { return };
    let full = counting("web:full", "sleep 0.001");
    place.write_table(&format!(
        "{full}web:full::output:file:{}\nweb:::log_hold:300ms\nweb:::log_size:16K\nweb:::log_count:1000\n",
        disk.0.display()
    ));
    disk.fill();
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    let dropped = wait_for("that lines are dropped", || {
        let log = daemon.entry("full")["log"].clone();
        (log["dropping"] == true && log["dropped_lines"].as_u64() > Some(0)).then_some(log)
    });
    assert_eq!(dropped["fault"], "No space left on device");
    let said = daemon.clinit("explain web/full").done();
    assert!(said.contains("its lines cannot be written and are dropped"), "{said}");
    disk.make_room();
    eventually("that all is well", || daemon.entry("full")["log"]["fault"].is_null());
    let kept = Kept(disk.0.join("web/full"));
    eventually("a line behind them", || {
        kept.text().split_once(" were dropped here: ").is_some_and(|(_, rest)| rest.contains(" line "))
    });
    daemon.write("stop", "");
    eventually("its end", || kept.text().contains(" end "));
    let lines = kept.lines();
    let at = lines.iter().position(|line| line.starts_with("clinit: ")).unwrap();
    let words: Vec<&str> = lines[at].split(' ').collect();
    let dropped: usize = words[1].parse().unwrap();
    assert!(lines[at].contains(" were dropped here: "), "{}", lines[at]);
    let number = |line: &str| line.strip_prefix("line ").and_then(|rest| rest[..6].parse::<usize>().ok());
    // Before it and behind it all are there, and what is missing was counted. One may be cut where it begins.
    let before: Vec<usize> = lines[..at].iter().filter_map(|line| number(line)).collect();
    let after: Vec<usize> = lines[at + 1..].iter().filter_map(|line| number(line)).collect();
    assert!(before.iter().copied().eq(0..before.len()), "{before:?}");
    let missing = after[0] - before.len();
    assert!(missing == dropped || missing + 1 == dropped, "{missing} are missing, {dropped} were counted");
    assert!(after.iter().copied().eq(after[0]..after[0] + after.len()), "{after:?}");
    assert!(daemon.entry("full")["log"]["dropped_lines"].as_u64() >= Some(1));
    daemon.clinit("shutdown").done();
    drop(disk);
}

#[test]
fn the_end_waits_for_a_full_disk_but_not_for_ever() {
    let place = Place::new("");
    let Some(disk) = Disk::new(&place) else { return };
    place.write_table(&format!(
        "web:a:1,:wait:echo one\nweb:a::output:file:{}\nweb:::log_full:hold\n",
        disk.0.display()
    ));
    disk.fill();
    let daemon = Daemon::at(place);
    daemon.settle("web", "1", "DONE");
    daemon.clinit("shutdown --timeout 20").done();
    assert_eq!(daemon.wait_end(), Some(0));
    assert!(daemon.err().contains("web/a: 4 bytes of its output are lost: "), "{}", daemon.err());
    drop(disk);
}

/// Commands that give a process a /dev of its own, with a socket `log` that is in the place.
const OWN_DEV: &str = "mkdir dev && mount -t tmpfs tmpfs dev && mknod -m 666 dev/null c 1 3 && \
    mknod -m 666 dev/zero c 1 5 && mknod -m 666 dev/urandom c 1 9 && ln -s \"$PWD/log.s\" dev/log && \
    mount --move dev /dev && exec \"$@\"";

#[test]
fn the_systems_log_gets_lines_with_the_entrys_name() {
    if !is_root() {
        return skip("only root can have a /dev of its own");
    }
    let place = Place::new(
        "web:a:1,:wait:echo one; echo two; printf three\nweb:::output:syslog\n\
         web:b:2,:once:until test -e go; do sleep 0.02; done; echo late; echo later\n",
    );
    let socket = place.path("log.s");
    let log = UnixDatagram::bind(&socket).unwrap();
    log.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", OWN_DEV, "sh", CLINIT, "-c", "cltab", "-s", "init.s", "-d"]);
    command.current_dir(place.path("")).env_remove("CLINIT_SOCKET");
    let daemon = Daemon::by(place, &mut command);
    daemon.settle("web", "1", "DONE");
    let heard = |log: &UnixDatagram| {
        let mut buffer = [0; 1000];
        let size = log.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..size].to_vec()).unwrap()
    };
    for line in ["one", "two"] {
        let text = heard(&log);
        assert!(text.starts_with("<30>") && text.ends_with(&format!(" web/a: {line}")), "{text}");
    }
    // While there is none lines wait; it may be another one that comes.
    drop(log);
    fs::remove_file(&socket).unwrap();
    daemon.settle("web", "2", "DONE");
    daemon.write("go", "");
    daemon.wait_entry("b", "done");
    eventually("a fault", || daemon.entry("b")["log"]["fault"].is_string());
    let log = UnixDatagram::bind(&socket).unwrap();
    log.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    for line in ["late", "later"] {
        assert!(heard(&log).ends_with(&format!(" web/b: {line}")));
    }
    daemon.clinit("shutdown").done();
    assert!(heard(&log).ends_with(" web/a: three"), "its last line has no end");
}
