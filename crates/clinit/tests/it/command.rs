//! Running commands to their end.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::DEADLINE;

/// The program.
pub(crate) const CLINIT: &str = env!("CARGO_BIN_EXE_clinit");

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Its exit status; none when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// It ended like this, and printed exactly that.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, out: &str, err: &str) {
        let expected = Self { code: Some(code), out: out.to_owned(), err: err.to_owned() };
        assert_eq!(*self, expected);
    }

    /// It did as it was asked; what it printed.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// It failed like this, and its complaint has all these words.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {self:?}");
        }
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}

/// A command without anything of a daemon around the tests in its environment.
pub(crate) fn program(path: &str) -> Command {
    let mut command = Command::new(path);
    command.env_remove("CLINIT_SOCKET").env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Said {
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Waits for a command to end, and for everybody who holds its output.
#[track_caller]
pub(crate) fn finish(child: Child) -> Said {
    finish_within(child, DEADLINE)
}

/// Waits for a command that may take longer than others.
#[track_caller]
pub(crate) fn finish_within(child: Child, time: Duration) -> Said {
    let pid = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(time) else {
        let _gone = kill_process(pid, Signal::KILL);
        panic!("the command does not end, or somebody holds its output");
    };
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}
