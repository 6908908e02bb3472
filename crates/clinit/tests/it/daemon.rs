//! A daemon that a test started itself.

use std::cell::RefCell;
use std::ops::Deref;
use std::process::{Child, Command};

use serde_json::json;

use crate::place::Place;
use crate::wait::{eventually, wait_for};
use crate::wire::Wire;

/// A place with a daemon that this test started.
#[derive(Debug)]
pub(crate) struct Daemon {
    place: Place,
    child: RefCell<Child>,
}

impl Deref for Daemon {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Daemon {
    /// A daemon on this table, started with `clinit -d`.
    #[track_caller]
    pub(crate) fn start(table: &str) -> Self {
        Self::at(Place::new(table))
    }

    /// A daemon in this place, started with `clinit -d`.
    #[track_caller]
    pub(crate) fn at(place: Place) -> Self {
        let mut command = foreground(&place);
        Self::by(place, &mut command)
    }

    /// A table in the foreground, started with `clinit up`.
    #[track_caller]
    pub(crate) fn up(table: &str) -> Self {
        let place = Place::new(table);
        let mut command = place.command();
        command.args(["-s", "init.s", "up", "cltab"]);
        Self::by(place, &mut command)
    }

    /// A daemon in this place, started by this command.
    #[track_caller]
    pub(crate) fn by(place: Place, command: &mut Command) -> Self {
        let daemon = Self::begun(place, command);
        daemon.wait_answer();
        daemon
    }

    /// A daemon in this place, just being started by this command.
    pub(crate) fn begun(place: Place, command: &mut Command) -> Self {
        let child = RefCell::new(place.begin_into_files(command));
        Self { place, child }
    }

    /// Starts another daemon with `clinit -d` where one has ended.
    #[track_caller]
    pub(crate) fn restart(&self) {
        let _ended = self.child.replace(self.begin_into_files(&mut foreground(self))).wait();
        self.wait_answer();
    }

    /// Waits until the daemon answers.
    #[track_caller]
    pub(crate) fn wait_answer(&self) {
        let call = json!({ "method": "org.varlink.service.GetInfo" });
        eventually("an answer", || {
            let Some(mut wire) = Wire::try_connect(&self.socket()) else { return false };
            wire.send(format!("{call}\0").as_bytes()) && wire.try_hear().is_some()
        });
    }

    /// What the daemon and its entries have printed.
    pub(crate) fn out(&self) -> String {
        self.read("out")
    }

    /// What the daemon has to say.
    pub(crate) fn err(&self) -> String {
        self.read("err")
    }

    /// The process that was started.
    pub(crate) fn child_pid(&self) -> u32 {
        self.child.borrow().id()
    }

    /// Waits until the process that was started has ended, and returns its exit status.
    #[track_caller]
    pub(crate) fn wait_end(&self) -> Option<i32> {
        wait_for("the daemon's end", || self.child.borrow_mut().try_wait().unwrap()).code()
    }
}

/// `clinit -d` on a place's table and socket.
fn foreground(place: &Place) -> Command {
    let mut command = place.command();
    command.args(["-c", "cltab", "-s", "init.s", "-d"]);
    command
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.place.clear();
        let _ended = self.child.borrow_mut().wait();
    }
}
