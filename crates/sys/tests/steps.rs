//! What children do before they execute, tried with real ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use clinit_sys::image::Image;
use clinit_sys::slots::Slots;
use clinit_sys::spawn::{Start, spawn, stage};
use clinit_sys::steps::{Resource, Steps};

/// A user who is nobody in particular.
const STRANGER: u32 = 65_534;

const EPERM: u32 = 1;
const ENOENT: u32 = 2;
const EINVAL: u32 = 22;

/// Runs a script of the shell behind these steps, and returns what it prints, or stage and errno of the
/// step that failed.
fn run(script: &str, add: impl FnOnce(&mut Steps)) -> Result<String, (u32, u32)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("clinit-steps-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path: PathBuf = std::env::temp_dir().join(name);
    let open = |path: &PathBuf| File::options().read(true).write(true).create_new(true).open(path).unwrap();
    let output = open(&path);
    let memory = path.with_extension("slots");
    let mut slots = Slots::open(open(&memory)).unwrap();
    slots.grow_to(0).unwrap();
    let slot = slots.get(0).unwrap();
    let mut image = Image::default();
    image.candidates.push(&[b"/bin/sh"]);
    ["sh", "-c", script].iter().for_each(|word| image.arguments.push(&[word.as_bytes()]));
    image.environment.push(&[b"PATH=/usr/bin:/bin:/usr/sbin:/sbin"]);
    add(&mut image.steps);
    let descriptors = &[(output.as_raw_fd(), 1), (output.as_raw_fd(), 2)];
    let start = Start {
        slot,
        descriptors,
        cgroup: None,
        keep_below: 3,
        keep_too: None,
        session: true,
        open_files: None,
    };
    spawn(&mut image, &start).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(slot.pid()).unwrap()).unwrap();
    rustix::process::waitid(rustix::process::WaitId::Pid(pid), rustix::process::WaitIdOptions::EXITED)
        .unwrap();
    let fault = slot.fault();
    let printed = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::remove_file(&memory).unwrap();
    if fault == 0 { Ok(printed) } else { Err((fault >> 24, fault & 0xff_ffff)) }
}

/// The value of a line of /proc/self/status behind these steps.
fn status(name: &str, add: impl FnOnce(&mut Steps)) -> String {
    let text = run("cat /proc/self/status", add).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":"));
    value.unwrap().trim().replace('\t', " ")
}

#[expect(clippy::print_stderr, reason = "a test that did nothing must not look like one that passed")]
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root can do this");
    }
    is_root
}

#[test]
fn without_steps_nothing_is_done() {
    let own = fs::read_to_string("/proc/self/limits").unwrap();
    assert_eq!(run("cat /proc/self/limits", |_| {}).unwrap(), own);
}

#[test]
fn what_anybody_may_do_takes_effect_in_order() {
    let script = "ulimit -Sn; ulimit -Hn; nice; umask; pwd; cat /proc/self/oom_score_adj";
    let printed = run(script, |steps| {
        steps.oom_score_adj(500);
        steps.oom_score_adj(900);
        steps.limit(Resource::Nofile, 20, 30);
        steps.nice(5);
        steps.umask(0o27);
        steps.directory(b"/usr");
        steps.directory(b"/proc/self/..");
    });
    assert_eq!(printed.unwrap(), "20\n30\n5\n0027\n/proc\n900\n");
}

#[test]
fn every_limit_is_the_one_that_it_is_called() {
    // Below every hard limit, above what a shell needs, and as bash prints it.
    for (resource, limit, option, printed) in [
        (Resource::Core, 0, "c", "0"),
        (Resource::Data, 1 << 26, "d", "65536"),
        (Resource::Nice, 0, "e", "0"),
        (Resource::Fsize, 1 << 26, "f", "65536"),
        (Resource::Sigpending, 40, "i", "40"),
        (Resource::Memlock, 8192, "l", "8"),
        (Resource::Rss, 1 << 26, "m", "65536"),
        (Resource::Nofile, 40, "n", "40"),
        (Resource::Msgqueue, 41, "q", "41"),
        (Resource::Rtprio, 0, "r", "0"),
        (Resource::Stack, 1 << 22, "s", "4096"),
        (Resource::Cpu, 42, "t", "42"),
        (Resource::Nproc, 43, "u", "43"),
        (Resource::As, 1 << 26, "v", "65536"),
    ] {
        let script = format!("exec bash -c 'ulimit -S{option}; ulimit -H{option}'");
        let found = run(&script, |steps| steps.limit(resource, limit, limit));
        assert_eq!(found.unwrap(), format!("{printed}\n{printed}\n"), "{resource:?}");
    }
}

#[test]
fn no_new_privs_and_numbers_of_user_and_groups_are_taken_on() {
    assert_eq!(status("NoNewPrivs", Steps::no_new_privs), "1");
    if !is_root() {
        return;
    }
    let script = "id -u; id -g; id -G | tr ' ' '\\n' | sort -n | tr '\\n' ' '";
    let printed = run(script, |steps| {
        steps.groups([7, 4711, 100_000].into_iter());
        steps.group(4_000_000_000);
        steps.user(STRANGER);
    });
    assert_eq!(printed.unwrap(), "65534\n4000000000\n7 4711 100000 4000000000 ");
}

#[test]
fn a_user_without_privileges_has_the_capabilities_that_were_kept_and_no_others() {
    if !is_root() {
        return;
    }
    let keep = 1 << 10 | 1 << 5;
    let mask = format!("{keep:016x}");
    let nobody = |steps: &mut Steps| {
        steps.groups(std::iter::empty());
        steps.group(STRANGER);
        steps.bound(keep);
        steps.user(STRANGER);
        steps.raise(keep);
        steps.no_new_privs();
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status(set, nobody), mask, "{set}");
    }
    assert_eq!(status("Uid", nobody), "65534 65534 65534 65534");
    assert_eq!(status("Groups", nobody), "");
    let root = |steps: &mut Steps| {
        steps.bound(keep);
        steps.raise(keep);
    };
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(status(set, root), mask, "{set} of root");
    }
    let none = |steps: &mut Steps| {
        steps.bound(0);
        steps.raise(0);
    };
    assert_eq!(status("CapEff", none), "0000000000000000");
}

#[test]
fn the_first_step_that_fails_is_told() {
    let fault = |add: fn(&mut Steps)| run("true", add).unwrap_err();
    assert_eq!(fault(|steps| steps.directory(b"/absent/folder")), (stage::DIRECTORY, ENOENT));
    assert_eq!(fault(|steps| steps.directory(b"")), (stage::DIRECTORY, ENOENT));
    let crooked = fault(|steps| {
        steps.nice(3);
        steps.limit(Resource::Nofile, 30, 20);
        steps.directory(b"/absent/folder");
    });
    assert_eq!(crooked, (stage::LIMIT + u32::from(Resource::Nofile.index()), EINVAL));
    assert_eq!(fault(|steps| steps.oom_score_adj(1001)), (stage::OOM_SCORE_ADJ, EINVAL));
    let raised = fault(|steps| {
        if rustix::process::geteuid().is_root() {
            steps.user(STRANGER);
        }
        steps.limit(Resource::Core, 0, 0);
        steps.limit(Resource::Core, 1, 1);
    });
    assert_eq!(raised, (stage::LIMIT + u32::from(Resource::Core.index()), EPERM));
    let as_stranger = |last: fn(&mut Steps)| {
        run("true", |steps| {
            if rustix::process::geteuid().is_root() {
                steps.user(STRANGER);
            }
            last(steps);
        })
        .unwrap_err()
    };
    assert_eq!(as_stranger(|steps| steps.user(0)), (stage::USER, EPERM));
    assert_eq!(as_stranger(|steps| steps.group(1)), (stage::GROUP, EPERM));
    assert_eq!(as_stranger(|steps| steps.groups([0].into_iter())), (stage::GROUPS, EPERM));
    assert_eq!(as_stranger(|steps| steps.bound(0)), (stage::CAPABILITIES, EPERM));
    assert_eq!(as_stranger(|steps| steps.raise(1)), (stage::CAPABILITIES, EPERM));
    assert_eq!(as_stranger(|steps| steps.nice(-20)).0, stage::NICE);
}
