//! A place for one test: a folder with a table, a socket and a status file, and whatever runs there.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::command::{CLINIT, Said, program, run};
use crate::wait::{DEADLINE, eventually, wait_for};
use crate::{cgroup2, process};

/// A folder of a test's own. Commands of tables run in it, so their paths are relative. At the test's end
/// whatever was started here is killed, and the folder goes.
#[derive(Debug)]
pub(crate) struct Place {
    folder: PathBuf,
}

impl Place {
    /// A folder with this table in `cltab`.
    pub(crate) fn new(table: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // The real path, as the daemon finds it when it is given a relative one.
        let parent = std::env::temp_dir().canonicalize().unwrap();
        let next = || {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            parent.join(format!("clinit-it-{}-{count}", std::process::id()))
        };
        let mut folder = next();
        // A test that was killed may have left one under a number that is ours now.
        while let Err(error) = fs::create_dir(&folder) {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{}: {error}", folder.display());
            folder = next();
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let place = Self { folder };
        place.write_table(table);
        place
    }

    /// The folder of a test that is no more.
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// A file here.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("init.s")
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
        self.chmod(name, 0o644);
    }

    /// Changes the permissions of a file.
    pub(crate) fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Writes a script that can be executed.
    pub(crate) fn write_script(&self, name: &str, text: &str) {
        self.write(name, text);
        self.chmod(name, 0o755);
    }

    /// Writes the table, with settings that keep status file and logs here. At once, as editors do.
    pub(crate) fn write_table(&self, text: &str) {
        self.write(
            "cltab.new",
            format!(
                "{}\n:::clstat:{}\n:::log_folder:{}\n",
                text.trim_end(),
                self.path("clstat").display(),
                self.path("logs").display()
            ),
        );
        fs::rename(self.path("cltab.new"), self.path("cltab")).unwrap();
    }

    /// What a file holds; nothing if there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.path(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The lines of a file.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        self.read(name).lines().map(str::to_owned).collect()
    }

    /// Whether there is such a file.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    /// Waits for a file that a script makes.
    #[track_caller]
    pub(crate) fn wait_file(&self, name: &str) {
        eventually(&format!("the file {name}"), || self.has(name));
    }

    /// Waits for a process number that a script writes on a line.
    #[track_caller]
    pub(crate) fn wait_number(&self, name: &str) -> u32 {
        wait_for(&format!("a number in {name}"), || {
            let text = self.read(name);
            text.ends_with('\n').then(|| text.trim().parse().ok())?
        })
    }

    /// The program, to be run here.
    pub(crate) fn command(&self) -> Command {
        let mut command = program(CLINIT);
        command.current_dir(&self.folder);
        command
    }

    /// Runs `clinit WORDS` on this place's table and socket.
    #[track_caller]
    pub(crate) fn clinit(&self, words: &str) -> Said {
        self.bare(&format!("-c cltab -s init.s {words}"))
    }

    /// Runs `clinit WORDS`.
    #[track_caller]
    pub(crate) fn bare(&self, words: &str) -> Said {
        run(self.command().args(words.split_whitespace()))
    }

    /// Starts `clinit WORDS` on this place's table and socket; [`finish`](crate::command::finish) ends it.
    pub(crate) fn begin(&self, words: &str) -> Child {
        let mut command = self.command();
        command.args(["-c", "cltab", "-s", "init.s"]).args(words.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts a command, to be waited for.
    pub(crate) fn begin_into(&self, command: &mut Command) -> Child {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts a command with its output in the files `out` and `err`.
    pub(crate) fn begin_into_files(&self, command: &mut Command) -> Child {
        let open = |name| fs::File::options().append(true).create(true).open(self.path(name)).unwrap();
        command.stdout(open("out")).stderr(open("err")).spawn().unwrap()
    }

    /// Tells a group a level.
    #[track_caller]
    pub(crate) fn tell(&self, group: &str, level: &str) {
        self.clinit(&format!("tell {group} {level}")).done();
    }

    /// Tells a group a level, and waits until it has it and stands like this.
    #[track_caller]
    pub(crate) fn settle(&self, group: &str, level: &str, state: &str) {
        let said = self.clinit(&format!("tell {group} {level} --wait"));
        assert_eq!(said.out, format!("{group} {level} {state}\n"), "{said:?}");
    }

    /// Has the table reread without a fault.
    #[track_caller]
    pub(crate) fn reread(&self) {
        self.clinit("").done();
    }

    /// All that `status` says.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.clinit("status --json").done()).unwrap()
    }

    /// What the status says of a group; `null` if nothing.
    #[track_caller]
    pub(crate) fn group(&self, name: &str) -> Value {
        let status = self.status();
        let mut groups = status["groups"].as_array().unwrap().iter();
        groups.find(|group| group["name"] == name).cloned().unwrap_or_default()
    }

    /// What the status says of the entry with a tag; `null` if nothing.
    #[track_caller]
    pub(crate) fn entry(&self, tag: &str) -> Value {
        let status = self.status();
        let groups = status["groups"].as_array().unwrap();
        let mut entries = groups.iter().flat_map(|group| group["entries"].as_array().unwrap());
        entries.find(|entry| entry["tag"] == tag).cloned().unwrap_or_default()
    }

    /// Waits until a group has a level and stands like this.
    #[track_caller]
    pub(crate) fn wait_group(&self, name: &str, level: &str, state: &str) {
        eventually(&format!("group {name} at {level} {state}"), || {
            let group = self.group(name);
            group["level"] == level && group["target"] == level && group["state"] == state
        });
    }

    /// Waits until an entry is in a state, and returns it.
    #[track_caller]
    pub(crate) fn wait_entry(&self, tag: &str, state: &str) -> Value {
        wait_for(&format!("entry {tag} {state}"), || {
            Some(self.entry(tag)).filter(|entry| entry["state"] == state)
        })
    }

    /// The main process of an entry that runs, ready or not.
    #[track_caller]
    pub(crate) fn pid(&self, tag: &str) -> u32 {
        let runs = |entry: &Value| entry["state"] == "running" || entry["state"] == "ready";
        number(&wait_for(&format!("entry {tag} running"), || Some(self.entry(tag)).filter(runs))["pid"])
    }

    /// The status file.
    pub(crate) fn clstat(&self) -> String {
        self.read("clstat")
    }

    /// Waits until the status file is this.
    #[track_caller]
    pub(crate) fn wait_clstat(&self, lines: &[&str]) {
        let expected: String = lines.iter().map(|line| format!("Cluster::Init::Group {line}\n")).collect();
        eventually(&format!("the status file {lines:?}"), || self.clstat() == expected);
    }

    /// Whether a process belongs here: the daemon's own, or a service.
    fn owns(&self, pid: u32) -> bool {
        self.role(pid).is_some() || self.is_service(pid)
    }

    /// Whether a process ends with this place: its own, and what writes over its environment (redis) and is here.
    fn is_to_end(&self, pid: u32) -> bool {
        let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        self.owns(pid) || cwd.starts_with(&self.folder)
    }

    /// Whether a process is a service of this place, or a child of one, as its environment tells.
    fn is_service(&self, pid: u32) -> bool {
        let variable = format!("CLINIT_SOCKET={}", self.path("").display());
        process::file(pid, "environ").split('\0').any(|text| text.starts_with(&variable))
    }

    /// `keeper`, `engine` or `logger`, if a process is one of this place.
    fn role(&self, pid: u32) -> Option<String> {
        let arguments = process::file(pid, "cmdline");
        let role = arguments.split('\0').next()?.strip_prefix("clinit: ")?;
        let option = format!("--socket={}", self.path("").display());
        arguments.split('\0').any(|text| text.starts_with(&option)).then(|| role.to_owned())
    }

    /// All living processes of this place.
    pub(crate) fn processes(&self) -> Vec<u32> {
        living(|pid| self.owns(pid))
    }

    /// The living services with their children.
    pub(crate) fn services(&self) -> Vec<u32> {
        living(|pid| self.is_service(pid))
    }

    /// The daemon's living processes of a role.
    pub(crate) fn all_of_role(&self, role: &str) -> Vec<u32> {
        living(|pid| self.role(pid).as_deref() == Some(role))
    }

    /// The daemon's one process of a role.
    #[track_caller]
    pub(crate) fn role_pid(&self, role: &str) -> u32 {
        wait_for(&format!("one {role}"), || match self.all_of_role(role)[..] {
            [pid] => Some(pid),
            _ => None,
        })
    }

    /// Kills everything. Frozen first, so that none brings another back.
    pub(crate) fn clear(&self) {
        let cgroups: Vec<PathBuf> =
            self.processes().into_iter().filter_map(|pid| self.cgroup_of(pid)).collect();
        let by = Instant::now() + DEADLINE;
        for round in 0.. {
            let left = living(|pid| self.is_to_end(pid));
            if left.is_empty() || Instant::now() > by {
                break;
            }
            let signal = if round < 2 { Signal::STOP } else { Signal::KILL };
            left.into_iter().for_each(|pid| process::send_if(pid, signal, |pid| self.is_to_end(pid)));
        }
        cgroups.iter().for_each(|cgroup| cgroup2::remove(cgroup));
    }

    /// The cgroup of all services, as the daemon's processes know it.
    fn cgroup_of(&self, pid: u32) -> Option<PathBuf> {
        let arguments = process::file(pid, "cmdline");
        let name = arguments.split('\0').find_map(|text| text.strip_prefix("--cgroup="))?;
        self.role(pid).and_then(|_| Some(cgroup2::of_this_process()?.join(name)))
    }
}

impl Drop for Place {
    #[expect(clippy::print_stderr, reason = "what the daemon said tells why a test failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon said:\n{}", self.read("err"));
        }
        self.clear();
        let _left = fs::remove_dir_all(&self.folder);
    }
}

/// The living processes that are such.
fn living(is_such: impl Fn(u32) -> bool) -> Vec<u32> {
    process::all().into_iter().filter(|&pid| process::is_alive(pid) && is_such(pid)).collect()
}

/// A JSON number as a process number.
#[track_caller]
pub(crate) fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap()
}
