//! Telling the engine what it is owed.
//!
//! Nothing is queued but the numbers of slots: the reports are made from the slots when the socket takes
//! them. A slow or dead engine costs no memory, and a new one is simply owed everything.

use std::os::fd::OwnedFd;

use clinit_sys::slots::Slot;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::children::{Owed, ending, state, unbounded};
use crate::protocol::{Ending, Report};
use crate::run::Keeper;

/// Whether the socket took a report.
enum Sent {
    Yes,
    Full,
    Gone,
}

impl Keeper {
    /// Tells all that the socket takes. The rest waits until it takes more.
    pub(crate) fn report(&mut self) {
        while let Some(link) = &self.link {
            let (reports, of_slot) = if let Some(index) = self.children.first_owed() {
                let Some((slot, child)) = self.children.get(index) else { return };
                (reports_of(index, slot, child.owed), true)
            } else if let Some(report) = self.owed_at_large() {
                (vec![report], false)
            } else {
                return self.link_full(false);
            };
            for (told, report) in reports.iter().enumerate() {
                match send_report(link, report) {
                    Sent::Yes => {}
                    Sent::Full => {
                        // A spawn that was told need not be told again; told twice it would do no harm.
                        let index = self.children.first_owed().filter(|_| of_slot && told > 0);
                        if let Some((_, child)) = index.and_then(|index| self.children.get(index)) {
                            child.owed.spawned = false;
                        }
                        return self.link_full(true);
                    }
                    // Its end will be seen where its orders are taken.
                    Sent::Gone => return,
                }
            }
            if of_slot { self.children.paid() } else { self.at_large_paid() }
        }
    }

    /// What is owed beside the slots: the end of the inventory first, since it ends what a new engine
    /// waits for.
    fn owed_at_large(&self) -> Option<Report> {
        if let Some(&(slot, generation, errno)) = self.refused.front() {
            return Some(Report::NotSpawned { slot, generation, errno });
        }
        if self.inventory_owed {
            return Some(Report::InventoryTaken);
        }
        if self.logger_owed {
            return Some(Report::LoggerStarted);
        }
        self.signals.first().map(|&signal| Report::Signalled { signal })
    }

    fn at_large_paid(&mut self) {
        if self.refused.pop_front().is_some() {
            return;
        }
        if std::mem::take(&mut self.inventory_owed) || std::mem::take(&mut self.logger_owed) {
            return;
        }
        if !self.signals.is_empty() {
            self.signals.remove(0);
        }
    }
}

/// What is owed of a slot, in the order in which it happened.
fn reports_of(index: u32, slot: &Slot, owed: Owed) -> Vec<Report> {
    let generation = slot.generation();
    let mut reports = Vec::with_capacity(2);
    if owed.spawned && slot.pid() != 0 {
        let (pid, unbounded) = (slot.main(), unbounded(slot));
        reports.push(Report::Spawned { slot: index, generation, pid, unbounded });
    }
    if owed.ended {
        reports.push(match slot.state() {
            state::NOT_SPAWNED => Report::NotSpawned {
                slot: index,
                generation,
                errno: i32::try_from(slot.ending()).unwrap_or(0),
            },
            state::LEFTOVER => exited(index, slot, ending(slot), true),
            _ => exited(index, slot, ending(slot), false),
        });
    } else if owed.emptied {
        reports.push(Report::Emptied { slot: index, generation });
    }
    if owed.not_followed {
        reports.push(Report::NotFollowed { slot: index, generation });
    }
    reports
}

fn exited(index: u32, slot: &Slot, ending: Ending, leftovers: bool) -> Report {
    Report::Exited { slot: index, generation: slot.generation(), ending, leftovers }
}

fn send_report(link: &OwnedFd, report: &Report) -> Sent {
    match send(link, &report.encode(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
        Ok(_) => Sent::Yes,
        Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => Sent::Full,
        Err(_) => Sent::Gone,
    }
}
