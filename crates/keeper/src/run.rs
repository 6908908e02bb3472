//! The keeper's loop.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use clinit_sys::inherit::{self, duplicate_above};
use clinit_sys::signals::{self, Pending, SignalFd, block_all_and_reset};
use clinit_sys::slots::Slots;
use clinit_sys::{clock, reap};
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, mkdirat, open, openat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType, recvmsg,
    socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::children::Children;
use crate::companion::Companion;
use crate::descriptors as fixed;
use crate::fifo::{self, Fifos};
use crate::handover::{self, Handover};
use crate::kin::Home;
use crate::orders::{Cgroups, Nursery};
use crate::protocol::{ORDER_BYTES_MAX, SOCKETS_MAX};
use crate::reexec::Farewell;

/// How soon leftovers are looked at again; twice as long after each look.
const LEFTOVERS_NANOS: u64 = 100_000_000;

/// ... but not longer than this: nearly all of them are our children, whose end we are told.
const LEFTOVERS_NANOS_MAX: u64 = 5_000_000_000;

/// How often it is tried to watch what could not be watched.
const UNWATCHED_NANOS: u64 = 1_000_000_000;

/// How long engine and logger may take to end when nothing is left to do.
const LEAVE_NANOS: u64 = 5_000_000_000;

/// How long a new keeper waits for the lock of the one before.
const LOCK_NANOS: u64 = 1_000_000_000;

/// How many signals wait to be told at most.
const SIGNALS_MAX: usize = 16;

pub(crate) const SIGKILL: i32 = 9;
pub(crate) const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
const SIGCHLD: i32 = 17;

const SIGNALS: u64 = 1;
const LINK: u64 = 2;
/// Behind the name of a state folder that is needed no longer than until the keeper ends.
pub const GONE: &str = ".gone.";

/// The header's state when nothing is left to do but to end: its ending is the exit status.
pub(crate) const LEAVING: u32 = 1;

/// Marks the events of processes that are watched through their handles; the slot's number is added.
pub(crate) const ADOPTED: u64 = 1 << 32;

/// Why the keeper could not begin.
#[derive(Debug)]
pub struct KeeperError {
    what: &'static str,
    source: io::Error,
}

impl std::fmt::Display for KeeperError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "failed to {}", self.what)
    }
}

impl std::error::Error for KeeperError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Names what failed.
trait While<T> {
    fn when(self, what: &'static str) -> Result<T, KeeperError>;
}

impl<T, E: Into<io::Error>> While<T> for Result<T, E> {
    fn when(self, what: &'static str) -> Result<T, KeeperError> {
        self.map_err(|source| KeeperError { what, source: source.into() })
    }
}

/// Everything the keeper has.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) epoll: OwnedFd,
    signal_fd: SignalFd,
    pub(crate) state: OwnedFd,
    /// Held as long as this keeper lives: there is one at a time.
    pub(crate) only: OwnedFd,
    /// All that the companions share but the state folder, with their numbers.
    pub(crate) inherited: Vec<(OwnedFd, RawFd)>,
    pub(crate) nursery: Nursery,
    pub(crate) fifos: Fifos,
    pub(crate) children: Children,
    pub(crate) by_pid: HashMap<u32, u32>,
    pub(crate) engine: Companion,
    pub(crate) logger: Companion,
    /// To the engine.
    pub(crate) link: Option<OwnedFd>,
    is_link_full: bool,
    /// Between engine and logger; the keeper holds both ends, so that either may be started again.
    pub(crate) feed: [OwnedFd; 2],
    /// From the engine's standard error to the logger.
    pub(crate) notes: [OwnedFd; 2],
    /// Its first end is the companions'; when it reads as ended, the keeper is gone.
    pub(crate) life: [OwnedFd; 2],
    /// Adopted slots whose process could not be watched yet.
    pub(crate) unwatched: Vec<u32>,
    /// Orders to slots for which there is no room, with the reason.
    pub(crate) refused: VecDeque<(u32, u64, i32)>,
    /// When leftovers are looked at next, and how long it was to that.
    leftovers_due_nanos: u64,
    leftovers_pause_nanos: u64,
    /// When the nursery gives up what it needed for many starts.
    pub(crate) nursery_rests_at: Option<u64>,
    pub(crate) inventory_owed: bool,
    pub(crate) logger_owed: bool,
    pub(crate) signals: Vec<u8>,
    /// A shutdown was asked for by a signal: an engine that is started anew is told so again.
    pub(crate) shutdown: Option<u8>,
    /// The companions of the program that this process was before.
    pub(crate) farewell: Farewell,
    pub(crate) leaving: Option<u8>,
    leave_by_nanos: Option<u64>,
    farewell_said: bool,
    packet: Vec<u8>,
}

/// Runs the keeper over the inherited descriptors until the engine says that nothing is left to do.
/// Returns the exit status that the engine wants. `cgroup` names the cgroup below which each entry gets one;
/// `open_files` is the limit that entries get, which need not be the keeper's own; `handover` what another program
/// left in this process.
///
/// # Errors
/// It could not begin. Once it runs it does not fail.
pub fn run(
    cgroup: Option<&str>,
    open_files: (u64, u64),
    handover: Option<Handover>,
    engine: Companion,
    logger: Companion,
) -> Result<u8, KeeperError> {
    let keeper = Keeper::begin(cgroup, open_files, handover, engine, logger)?;
    Ok(keeper.map_or(0, |mut keeper| keeper.attend()))
}

impl Keeper {
    fn begin(
        cgroup: Option<&str>,
        open_files: (u64, u64),
        handover: Option<Handover>,
        engine: Companion,
        logger: Companion,
    ) -> Result<Option<Self>, KeeperError> {
        let shared = fixed::SHARED.into_iter().filter(|&number| number != fixed::STATE);
        let shared = shared.map(|number| Ok((inherit::take(number)?, number)));
        let inherited =
            shared.collect::<io::Result<Vec<_>>>().when("take over the descriptors of a keeper")?;
        let state = inherit::take(fixed::STATE).when("take over the state folder")?;
        let write = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let private = Mode::from_raw_mode(0o600);
        let only = match &handover {
            Some(handover) => above(&handover.only)?,
            None => openat(&state, "keeper.lock", write, private).when("open keeper.lock")?,
        };
        if !lock(&only).when("lock keeper.lock")? {
            // Engine and logger both start one when a keeper has died.
            return Ok(None);
        }
        // Whoever finds the lock taken reads here by whom.
        if let Some((held, _)) = inherited.iter().find(|&&(_, number)| number == fixed::LOCK) {
            let _for_people_only = rustix::fs::ftruncate(held, 0)
                .and_then(|()| rustix::io::pwrite(held, std::process::id().to_string().as_bytes(), 0));
        }
        block_all_and_reset().when("block signals")?;
        let signal_fd =
            SignalFd::new(&[SIGHUP, SIGINT, SIGTERM, SIGCHLD]).when("make a signal descriptor")?;
        // Needs no permission and cannot fail on a kernel that has clone3.
        let _subreaper = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        match mkdirat(&state, fifo::FOLDER, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).when("make the folder of FIFOs"),
        }
        let slots = openat(&state, "slots", write, private).when("open the slots")?;
        let slots = Slots::open(File::from(slots)).when("map the slots")?;
        let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).when("open /dev/null")?;
        let variables = std::env::vars_os().filter(|(name, _)| name != handover::VARIABLE);
        let environment = variables.map(|(name, value)| {
            let mut variable = name.into_vec();
            variable.push(b'=');
            variable.extend(value.into_vec());
            variable
        });
        let environment = environment.filter(|variable| !is_of_our_own_parent(variable));
        let cgroups = cgroup.and_then(Cgroups::find);
        let home = cgroup.map(Home::find).unwrap_or_default();
        let nursery = Nursery::new(above(&null)?, open_files, cgroups, home, environment.collect());
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).when("make an epoll")?;
        epoll::add(&epoll, &signal_fd, EventData::new_u64(SIGNALS), EventFlags::IN)
            .when("watch for signals")?;
        let (feed, notes, life) = match &handover {
            Some(Handover { feed, notes, life, .. }) => (both(feed)?, both(notes)?, both(life)?),
            None => {
                let notes = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK);
                let (feed, notes) = (pair().when("make the feed")?, notes.when("make a pipe for notes")?);
                let life = pipe_with(PipeFlags::CLOEXEC).when("make a pipe of life")?;
                (both(&feed.into())?, both(&notes.into())?, both(&life.into())?)
            }
        };
        let is_leaving = slots.header().state() == LEAVING;
        let status = slots.header().ending().to_le_bytes()[0];
        let mut keeper = Self {
            epoll,
            signal_fd,
            only,
            inherited,
            nursery,
            // Held at once, so that nothing in them is lost when their last reader ends.
            fifos: Fifos::find(state.as_fd()),
            children: Children::new(slots),
            state,
            by_pid: HashMap::new(),
            engine,
            logger,
            link: None,
            is_link_full: false,
            feed,
            notes,
            life,
            unwatched: Vec::new(),
            refused: VecDeque::new(),
            leftovers_due_nanos: 0,
            leftovers_pause_nanos: LEFTOVERS_NANOS,
            nursery_rests_at: None,
            inventory_owed: false,
            logger_owed: false,
            signals: Vec::new(),
            shutdown: None,
            farewell: Farewell::default(),
            leaving: is_leaving.then_some(status),
            leave_by_nanos: None,
            farewell_said: false,
            packet: vec![0; ORDER_BYTES_MAX],
        };
        keeper.adopt_all();
        match handover {
            Some(handover) => keeper.take_over(handover),
            None => keeper.end_old_companions(),
        }
        Ok(Some(keeper))
    }

    /// The loop.
    fn attend(&mut self) -> u8 {
        let mut events = Vec::with_capacity(64);
        loop {
            self.see_off();
            self.start_companions();
            self.report();
            if let Some(status) = self.left() {
                self.nursery.remove_cgroups();
                self.remove_state();
                return status;
            }
            events.clear();
            let timeout = self.timeout();
            let waited =
                epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref());
            if waited.is_err() {
                // Interrupted; nothing else can be wrong with a descriptor that is ours.
                continue;
            }
            for event in &events {
                let (data, flags) = (event.data.u64(), event.flags);
                match data {
                    SIGNALS => self.take_signals(),
                    LINK => self.take_orders(flags),
                    watched => self.watched_ended(u32::try_from(watched & !ADOPTED).unwrap_or(u32::MAX)),
                }
            }
            self.look_again();
        }
    }

    /// Removes the state folder if the engine has put it out of the way.
    fn remove_state(&self) {
        let path =
            std::fs::read_link(format!("/proc/self/fd/{}", self.state.as_raw_fd())).unwrap_or_default();
        if path.file_name().is_some_and(|name| name.to_string_lossy().contains(GONE)) {
            let _left_for_people = std::fs::remove_dir_all(path);
        }
    }

    /// There are other leftovers: the next look is not put off any longer.
    pub(crate) fn look_closely_soon(&mut self) {
        let soon_nanos = clock::boottime_nanos() + LEFTOVERS_NANOS;
        self.leftovers_pause_nanos = LEFTOVERS_NANOS;
        self.leftovers_due_nanos = self.leftovers_due_nanos.min(soon_nanos);
    }

    /// What nobody tells us of is looked at now and then.
    fn look_again(&mut self) {
        let now_nanos = clock::boottime_nanos();
        if !self.children.any_awaited() {
            self.leftovers_pause_nanos = LEFTOVERS_NANOS;
            self.leftovers_due_nanos = now_nanos + LEFTOVERS_NANOS;
        } else if now_nanos >= self.leftovers_due_nanos {
            self.look_closely_after_leftovers();
            self.leftovers_pause_nanos = (self.leftovers_pause_nanos * 2).min(LEFTOVERS_NANOS_MAX);
            self.leftovers_due_nanos = now_nanos + self.leftovers_pause_nanos;
        }
        if !self.unwatched.is_empty() {
            self.adopt_unwatched();
        }
        if self.nursery_rests_at.is_some_and(|at| at <= now_nanos) {
            self.nursery_rests_at = None;
            self.nursery.rest();
        }
    }

    fn take_signals(&mut self) {
        while let Some(Pending { signal, sender }) = self.signal_fd.next() {
            match signal {
                SIGCHLD => {
                    self.reap_first(sender);
                    self.reap_all();
                }
                SIGHUP | SIGINT | SIGTERM => {
                    let signal = u8::try_from(signal).unwrap_or(0);
                    if i32::from(signal) != SIGHUP {
                        self.shutdown = Some(signal);
                    }
                    // One HUP that waits is as good as many; how often it was asked to end may matter.
                    if i32::from(signal) != SIGHUP || !self.signals.contains(&signal) {
                        self.signals.push(signal);
                        self.signals.truncate(SIGNALS_MAX);
                    }
                }
                _ => {}
            }
        }
    }

    fn take_orders(&mut self, flags: EventFlags) {
        let mut packet = std::mem::take(&mut self.packet);
        while let Some(link) = &self.link {
            match receive(link, &mut packet) {
                Ok((size @ 1.., sockets)) => self.obey(&packet[..size], &sockets),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Ok(_) | Err(_) => {
                    let _watched_no_more = epoll::delete(&self.epoll, link);
                    self.link = None;
                }
            }
        }
        self.packet = packet;
        if flags.contains(EventFlags::OUT) {
            self.report();
        }
    }

    /// Watches for room in the socket to the engine, or no longer.
    pub(crate) fn link_full(&mut self, full: bool) {
        if self.is_link_full == full {
            return;
        }
        let flags = if full { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        if let Some(link) = &self.link
            && epoll::modify(&self.epoll, link, EventData::new_u64(LINK), flags).is_ok()
        {
            self.is_link_full = full;
        }
    }

    fn start_companions(&mut self) {
        let now_nanos = clock::boottime_nanos();
        let due = |companion: &Companion| companion.due_nanos().is_some_and(|due| due <= now_nanos);
        if due(&self.logger) && self.leaving.is_none() {
            let own = [(self.feed[1].as_raw_fd(), fixed::FEED), (self.notes[0].as_raw_fd(), fixed::NOTES)];
            let descriptors = self.descriptors(&own);
            self.logger_owed |= self.logger.start(self.nursery.environment(), &descriptors, now_nanos);
            self.note_companions();
        }
        if due(&self.engine) && self.leaving.is_none() {
            if self.is_homeless() {
                // Somebody removed the state folder, and nothing runs that it would be needed for.
                self.leaving = Some(0);
                return;
            }
            let link = pair().and_then(|(ours, theirs)| {
                let theirs = duplicate_above(theirs.as_fd(), fixed::FREE).map_err(|_| Errno::MFILE)?;
                Ok((ours, theirs))
            });
            let Ok((ours, theirs)) = link else { return self.engine.put_off(now_nanos) };
            let own = [
                (theirs.as_raw_fd(), fixed::KEEPER),
                (self.feed[0].as_raw_fd(), fixed::FEED),
                (self.notes[1].as_raw_fd(), 2),
            ];
            let descriptors = self.descriptors(&own);
            let watched = epoll::add(&self.epoll, &ours, EventData::new_u64(LINK), EventFlags::IN);
            if watched.is_ok() && self.engine.start(self.nursery.environment(), &descriptors, now_nanos) {
                self.note_companions();
                self.link = Some(ours);
                self.is_link_full = false;
                self.children.owe_everything();
                self.inventory_owed = true;
                self.logger_owed = true;
                self.signals.extend(self.shutdown.filter(|signal| !self.signals.contains(signal)));
            }
        }
    }

    /// Ends the companions of a keeper before this one: they may hang, and their locks keep ours from beginning.
    /// They are in the header by number, and believed when they look like ours.
    fn end_old_companions(&self) {
        let header = self.children.header();
        for (companion, pid) in [(&self.engine, header.pid()), (&self.logger, header.flags())] {
            if pid > 1 && companion.is_same(pid) {
                let _gone = signals::send_to_child(pid, SIGKILL);
            }
        }
    }

    fn note_companions(&self) {
        let header = self.children.header();
        header.set_pid(self.engine.pid().unwrap_or(0));
        header.set_flags(self.logger.pid().unwrap_or(0));
    }

    /// Whether the state folder is gone and no process is left to keep.
    fn is_homeless(&mut self) -> bool {
        rustix::fs::fstat(&self.state).is_ok_and(|stat| stat.st_nlink == 0) && !self.children.any_live()
    }

    /// Lets the link to an engine go that has ended: what it had sent is obeyed first.
    pub(crate) fn drop_link(&mut self) {
        self.take_orders(EventFlags::IN);
        if let Some(link) = self.link.take() {
            // A child that has not yet exec'd may hold it open.
            let _watched_no_more = epoll::delete(&self.epoll, &link);
        }
    }

    /// What each companion gets, and its own.
    fn descriptors(&self, own: &[(RawFd, RawFd)]) -> Vec<(RawFd, RawFd)> {
        let null = self.nursery.null().as_raw_fd();
        let mut descriptors = vec![
            // First, while 1 and 2 are still the daemon's own.
            (1, fixed::STDOUT),
            (2, fixed::STDERR),
            (null, 0),
            (self.state.as_raw_fd(), fixed::STATE),
            (self.life[0].as_raw_fd(), fixed::LIFE),
        ];
        descriptors.extend(self.inherited.iter().map(|(fd, number)| (fd.as_raw_fd(), *number)));
        descriptors.extend(own);
        descriptors
    }

    /// Whether the keeper may end, and with which status.
    fn left(&mut self) -> Option<u8> {
        let status = self.leaving?;
        if self.engine.pid().is_none() && self.logger.pid().is_none() {
            return Some(status);
        }
        let now_nanos = clock::boottime_nanos();
        let by = *self.leave_by_nanos.get_or_insert(now_nanos + LEAVE_NANOS);
        if self.engine.pid().is_none() && !std::mem::replace(&mut self.farewell_said, true) {
            // Tells the logger that this is the end, and no accident: the engine can add nothing now.
            let _nobody_there = rustix::io::write(&self.life[1], b"!");
        }
        if now_nanos >= by {
            self.kill_companions();
        }
        (now_nanos >= by + LEAVE_NANOS || !reap::has_children()).then_some(status)
    }

    fn timeout(&self) -> Option<Timespec> {
        let now_nanos = clock::boottime_nanos();
        let leftovers = self.children.any_awaited().then_some(self.leftovers_due_nanos);
        let unwatched = (!self.unwatched.is_empty()).then_some(now_nanos + UNWATCHED_NANOS);
        let companions = [self.engine.due_nanos(), self.logger.due_nanos()];
        let companions = companions.into_iter().flatten().filter(|_| self.leaving.is_none());
        let leave = self.leave_by_nanos.map(|by| if now_nanos < by { by } else { by + LEAVE_NANOS });
        let farewell = self.farewell.by_nanos();
        let rest = self.nursery_rests_at;
        let next =
            companions.chain(rest).chain(leftovers).chain(unwatched).chain(leave).chain(farewell).min()?;
        // A timeout of zero would spin where a companion cannot even be started.
        let wait = Duration::from_nanos(next.saturating_sub(now_nanos).max(1_000_000));
        Timespec::try_from(wait).ok()
    }
}

/// What the daemon itself was told by whoever started it, and no entry is (sd_notify(3), sd_listen_fds(3)).
const OF_OUR_OWN_PARENT: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

fn is_of_our_own_parent(variable: &[u8]) -> bool {
    let name = variable.split(|&byte| byte == b'=').next().unwrap_or_default();
    OF_OUR_OWN_PARENT.iter().any(|own| own.as_bytes() == name)
}

/// Receives a packet with the sockets that come along.
fn receive(link: &OwnedFd, packet: &mut [u8]) -> rustix::io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let size = recvmsg(link, &mut [IoSliceMut::new(packet)], &mut control, flags)?.bytes;
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            sockets.extend(descriptors);
        }
    }
    Ok((size, sockets))
}

/// Waits a little for the lock: a child of a dead keeper holds it until it execs.
fn lock(file: &OwnedFd) -> rustix::io::Result<bool> {
    let by_nanos = clock::boottime_nanos() + LOCK_NANOS;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::AGAIN) if clock::boottime_nanos() < by_nanos => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(Errno::AGAIN) => return Ok(false),
            result => return result.map(|()| true),
        }
    }
}

/// A descriptor above the fixed numbers, so that handing it on never overwrites another.
fn above(fd: &OwnedFd) -> Result<OwnedFd, KeeperError> {
    duplicate_above(fd.as_fd(), fixed::FREE).when("duplicate a descriptor")
}

fn both(pair: &[OwnedFd; 2]) -> Result<[OwnedFd; 2], KeeperError> {
    Ok([above(&pair[0])?, above(&pair[1])?])
}

fn pair() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}
