//! How processes ended, in words.

use std::io;

use clinit_control::interface::ExitStatus;
use clinit_engine::care::{Care, Check, Errand, Readiness, Reload};
use clinit_engine::entry::Entry;
use clinit_engine::event::{ExecFault, ExecStage, Exit};
use clinit_engine::spec::{Command, Program};

use super::{faults, listening};

/// What ran, as far as it is known yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ran<'a> {
    command: &'a Command,
    program: &'a Program,
}

impl<'a> Ran<'a> {
    /// The main process of an entry.
    pub(crate) fn main(entry: &'a Entry) -> Self {
        let program = &entry.spec().program;
        Self { command: &program.command, program }
    }

    /// A command that ran for an entry, if the table still has it.
    pub(crate) fn errand(entry: &'a Entry, errand: Errand) -> Option<Self> {
        let (program, care) = (&entry.spec().program, entry.spec().policy.care());
        Some(Self { command: command_of(program, care, errand)?, program })
    }
}

fn command_of<'a>(program: &'a Program, care: &'a Care, errand: Errand) -> Option<&'a Command> {
    let of_check = |check: &'a Check| match check {
        Check::Exec(command) => Some(command),
        Check::Tcp(_) => None,
    };
    match errand {
        Errand::Ready => match &program.readiness {
            Readiness::Check(check) => of_check(check),
            Readiness::Started | Readiness::Fd(_) | Readiness::Notify => None,
        },
        Errand::Health => of_check(&care.health.as_ref()?.check),
        Errand::Stop => care.stop_command.as_ref(),
        Errand::Reload => match care.reload.as_ref()? {
            Reload::Command(command) => Some(command),
            Reload::Signal(_) => None,
        },
        Errand::Failure => care.on_failure.as_ref(),
    }
}

/// How the main process of an entry ended.
pub(crate) fn exit_of(exit: Exit, entry: &Entry) -> ExitStatus {
    exit_status(exit, Some(Ran::main(entry)))
}

/// How a process ended, for people.
pub(crate) fn exit_status(exit: Exit, ran: Option<Ran<'_>>) -> ExitStatus {
    match exit {
        Exit::Code(code) => ExitStatus::Exited { code },
        Exit::Signal(signal) => {
            let name = clinit_sys::signals::name(signal);
            ExitStatus::Signalled { signal: name.strip_prefix("SIG").unwrap_or(&name).to_owned() }
        }
        Exit::NotExecuted(fault) => ExitStatus::NotExecuted { error: fault_text(fault, ran) },
        Exit::Unknown => ExitStatus::Unknown,
    }
}

/// What kept a command from being executed: the thing, the reason and the remedy.
fn fault_text(fault: ExecFault, ran: Option<Ran<'_>>) -> String {
    let errno = errno_text(fault.errno);
    let word = match ran.map(|ran| ran.command) {
        Some(Command::Direct(words)) => words.first().map_or("", |word| word),
        Some(Command::Shell(_)) => "/bin/sh",
        None => "its command",
    };
    let searched = !word.contains('/');
    match (fault.stage, rustix::io::Errno::from_raw_os_error(fault.errno)) {
        (ExecStage::Output, _) => format!("its output could not be set up: {errno}"),
        (ExecStage::Interpreter, _) => {
            format!("{word}: the interpreter that its first line (#!) names is missing: {errno}")
        }
        (ExecStage::Exec, rustix::io::Errno::NOENT) if searched => {
            format!("{word}: {errno}: not found in PATH")
        }
        (ExecStage::Exec, rustix::io::Errno::ACCESS) => {
            format!("{word}: {errno}: is it a file, and executable (chmod +x)?")
        }
        (ExecStage::Exec, rustix::io::Errno::NOEXEC) => {
            format!("{word}: {errno}: neither a program for this machine nor a script")
        }
        (ExecStage::Exec, rustix::io::Errno::TOOBIG) => {
            format!("{word}: {errno}: shorten its command or its environment, to 128 KiB together")
        }
        (ExecStage::Exec, rustix::io::Errno::AGAIN) => {
            format!("{word}: {errno}: its user has as many processes as limit_nproc lets it have")
        }
        (ExecStage::Exec, _) => format!("{word}: {errno}"),
        (ExecStage::Listen(place), _) => {
            let listen = ran.map(|ran| ran.program.listen.as_ref()).unwrap_or_default();
            listening::fault_text(place, fault.errno, listen)
        }
        (ExecStage::Readiness, _) => match ran {
            Some(ran) => listening::clash_text(ran.program),
            None => errno,
        },
        (_, _) => faults::text(fault, ran.and_then(|ran| ran.program.surroundings.as_deref())),
    }
}

/// Why there is no process to be had, and which limit to raise.
pub(crate) fn lack_text(errno: i32) -> String {
    use rustix::io::Errno;
    let text = errno_text(errno);
    match Errno::from_raw_os_error(errno) {
        Errno::AGAIN => format!("{text}: raise the limit of processes (ulimit -u, pids.max, kernel.pid_max)"),
        Errno::MFILE => {
            format!("{text}: raise the limit of open files (ulimit -Hn) that clinit is started with")
        }
        Errno::NFILE => format!("{text}: raise fs.file-max"),
        Errno::NOSPC => format!("{text}: make room in the folder of the socket"),
        _ => text,
    }
}

/// The text of an error's number, without the number.
pub(crate) fn errno_text(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// A command, as far as it can be written again.
pub(crate) fn command_text(command: &Command) -> String {
    match command {
        Command::Direct(words) => words.join(" "),
        Command::Shell(text) => text.to_string(),
    }
}
