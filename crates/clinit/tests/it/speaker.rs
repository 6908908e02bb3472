//! Services that speak as sd_notify(3) does, and listen as sd_listen_fds(3) says: Python, with a module of
//! tests' own beside the table.

use crate::place::Place;
use crate::user::skip;

/// What the scripts of these tests use.
const MODULE: &str = r#"
import array, os, signal, socket, sys, time

def note(name, text=""):
    with open(name + ".new", "w") as file:
        file.write(str(text))
    os.rename(name + ".new", name)

def say(text, fds=()):
    speaker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    speaker.connect(os.environ["NOTIFY_SOCKET"])
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    speaker.sendmsg([text.encode()], control)

def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.01)

def rest():
    while True:
        time.sleep(1000)
"#;

/// A place with this table and the scripts `NAME.py`. In the table `@NAME` is the command that runs one.
pub(crate) fn place(table: &str, scripts: &[(&str, &str)]) -> Place {
    let mut table = table.to_owned();
    for (name, _) in scripts {
        table = table.replace(&format!("@{name}"), &format!("python3 -u {name}.py"));
    }
    let place = Place::new(&table);
    place.write("tools.py", MODULE);
    for (name, script) in scripts {
        place.write(&format!("{name}.py"), format!("from tools import *\n{script}\n"));
    }
    place
}

/// Makes a file that a script waits for, and may remove at once.
pub(crate) fn touch(place: &Place, name: &str) {
    std::fs::write(place.path(name), "").unwrap();
}

/// Where no cgroup can be made some cases cannot be told apart.
pub(crate) fn has_cgroups() -> bool {
    let can = crate::cgroup2::writable().is_some();
    if !can {
        skip("a daemon that forks twice is not known without a cgroup");
    }
    can
}
