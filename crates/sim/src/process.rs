//! Processes that behave and misbehave.
//!
//! How a process behaves, its command says: `[nature, tag, version]`. So a trace can be read, and a table
//! that is read again can change a nature.

use std::time::Duration;

use clinit_engine::event::{ExecFault, ExecStage, Exit, Said};
use clinit_engine::spec::{Command, Mode, Program, SIGTERM};
use clinit_engine::time::Instant;

use crate::rng::Rng;
use crate::slot::Content;
use crate::speech::Speech;

const SIGKILL: u8 = 9;
const ENOENT: i32 = 2;
const EAGAIN: i32 = 11;

/// How the processes of a command behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Does what its mode is for, and stops when asked.
    Steady,
    /// Ends soon, whatever its mode.
    Crashing,
    /// Ignores the request to stop.
    Stubborn,
    /// Takes long to stop.
    Slow,
    /// Leaves members of its group behind.
    Messy,
    /// Never ends by itself, even where its mode expects it.
    Hung,
    /// Answers now well, now badly.
    Flaky,
    /// Cannot be executed.
    Missing,
}

impl Nature {
    /// All natures, with how often a table has them.
    pub(crate) const ALL: [(u32, Self); 8] = [
        (40, Self::Steady),
        (20, Self::Crashing),
        (12, Self::Stubborn),
        (10, Self::Slow),
        (20, Self::Messy),
        (3, Self::Hung),
        (6, Self::Flaky),
        (6, Self::Missing),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Crashing => "crashing",
            Self::Stubborn => "stubborn",
            Self::Slow => "slow",
            Self::Messy => "messy",
            Self::Hung => "hung",
            Self::Flaky => "flaky",
            Self::Missing => "missing",
        }
    }

    fn of(program: &Program) -> Self {
        let word = match &program.command {
            Command::Direct(words) => words.first().map_or("", |word| word),
            Command::Shell(text) => text,
        };
        let named = Self::ALL.iter().find(|(_, nature)| nature.as_str() == word);
        named.map_or(Self::Missing, |&(_, nature)| nature)
    }

    /// Whether it accepts a connection; `None` is that nobody ever knows.
    pub(crate) fn accepts(self, rng: &mut Rng) -> Option<bool> {
        match self {
            Self::Steady | Self::Stubborn | Self::Slow | Self::Messy => Some(rng.chance(94)),
            Self::Crashing | Self::Flaky => Some(rng.chance(50)),
            Self::Hung => rng.chance(50).then_some(false),
            Self::Missing => Some(false),
        }
    }
}

/// What comes of an attempt to start a process.
#[derive(Debug)]
pub(crate) enum Birth {
    /// The machine has no process to give.
    NoProcess {
        /// The error's number.
        errno: i32,
    },
    /// It runs, and others with it in its process group.
    Runs {
        /// Whether the keeper hears that it became the wanted program before it hears of its end.
        announced: bool,
        /// The process itself.
        main: Process,
        /// Those that it made.
        rest: Vec<Process>,
    },
}

/// One process.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    nature: Nature,
    end: Option<(Instant, Exit)>,
    /// How long it takes to stop when asked; `None` is for ever.
    stop_takes: Option<Duration>,
    /// How long the kernel takes to end it when killed.
    kill_takes: Duration,
    speech: Speech,
}

impl Process {
    fn draw(
        rng: &mut Rng,
        pid: &mut u32,
        nature: Nature,
        end: Option<(Instant, Exit)>,
        stop_takes: Option<Duration>,
    ) -> Self {
        *pid += 1;
        let kill_takes = if rng.chance(15) { rng.millis(1, 12_000) } else { Duration::ZERO };
        Self { pid: *pid, nature, end, stop_takes, kill_takes, speech: Speech::default() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn nature(&self) -> Nature {
        self.nature
    }

    /// When it ends, and how, if nobody interferes.
    pub(crate) fn end(&self) -> Option<(Instant, Exit)> {
        self.end
    }

    pub(crate) fn ends_at(&self) -> Option<Instant> {
        self.end.map(|(at, _)| at)
    }

    /// When it says something, while it lives.
    pub(crate) fn speaks_at(&self) -> Option<Instant> {
        self.speech.next().filter(|&at| self.ends_at().is_none_or(|end| at <= end))
    }

    /// What it says by now, one thing at a time.
    pub(crate) fn speak(&mut self, now: Instant) -> Option<Said> {
        self.speaks_at().filter(|&at| at <= now)?;
        self.speech.speak(now)
    }

    pub(crate) fn ask_to_stop(&mut self, signal: u8, now: Instant) {
        if let Some(takes) = self.stop_takes {
            let exit = if signal == SIGTERM { Exit::Signal(signal) } else { Exit::Code(0) };
            self.end_by(now + takes, exit);
        }
    }

    pub(crate) fn kill(&mut self, now: Instant) {
        self.end_by(now + self.kill_takes, Exit::Signal(SIGKILL));
    }

    fn end_by(&mut self, at: Instant, exit: Exit) {
        if self.end.is_none_or(|(end, _)| at < end) {
            self.end = Some((at, exit));
        }
    }
}

/// Draws what comes of starting a program once.
pub(crate) fn birth(rng: &mut Rng, content: &Content, now: Instant, pid: &mut u32) -> Birth {
    let program = &content.program;
    let nature = Nature::of(program);
    if nature == Nature::Missing {
        let stages = [ExecStage::Output, ExecStage::Exec, ExecStage::Interpreter];
        let stage = rng.pick(&stages).copied().unwrap_or(ExecStage::Exec);
        let exit = Exit::NotExecuted(ExecFault { stage, errno: ENOENT });
        let end = now + rng.millis(1, 9);
        let main = Process::draw(rng, pid, nature, Some((end, exit)), None);
        return Birth::Runs { announced: rng.chance(50), main, rest: Vec::new() };
    }
    if content.errand.is_some() {
        return run_task(rng, nature, now, pid);
    }
    let exit = rng.weigh(&[(60, Exit::Code(0)), (30, Exit::Code(1)), (10, Exit::Signal(11))]);
    let exit = exit.unwrap_or(Exit::Unknown);
    let end = match (nature, content.mode) {
        (Nature::Hung, _) => None,
        (Nature::Crashing, _) => Some(rng.millis(1, 400)),
        (Nature::Messy, Mode::Respawn) if rng.chance(40) => None,
        (Nature::Steady | Nature::Stubborn | Nature::Slow | Nature::Flaky, Mode::Respawn)
            if rng.chance(90) =>
        {
            None
        }
        (_, Mode::Respawn | Mode::Once | Mode::Wait | Mode::Test | Mode::Off) => Some(rng.millis(1, 4_000)),
    };
    let stop_takes = stops(rng, nature);
    let mut main = Process::draw(rng, pid, nature, end.map(|span| (now + span, exit)), stop_takes);
    let mut rest = Vec::new();
    if nature == Nature::Messy {
        for _ in 0..=rng.below(2) {
            let end = rng.chance(60).then(|| (now + rng.millis(1, 8_000), Exit::Code(0)));
            let stop_takes = rng.chance(60).then(|| rng.millis(0, 3_000));
            rest.push(Process::draw(rng, pid, nature, end, stop_takes));
        }
    }
    if program.notifies() && rng.chance(25) {
        hand_over(rng, pid, (&mut main, &mut rest), end.map(|span| (now + span, exit)), now);
    } else if program.notifies() && rng.chance(5) {
        main.speech.say(now + rng.millis(0, 900), Said::MainPid(rng.stranger()));
    }
    let speaker = if rest.is_empty() || rng.chance(60) { &mut main } else { &mut rest[0] };
    speaker.speech.speak_of(rng, program, now);
    Birth::Runs { announced: true, main, rest }
}

/// The first process makes another one, says that this is the main one, and ends.
fn hand_over(
    rng: &mut Rng,
    pid: &mut u32,
    (main, rest): (&mut Process, &mut Vec<Process>),
    end: Option<(Instant, Exit)>,
    now: Instant,
) {
    let heir = Process::draw(rng, pid, main.nature, end, main.stop_takes);
    let at = now + rng.millis(0, 900);
    let named = Said::MainPid(heir.pid);
    if rng.chance(70) {
        main.end = Some((at + rng.millis(0, 400), Exit::Code(0)));
    }
    rest.insert(0, heir);
    let speaker = if rng.chance(50) { main } else { &mut rest[0] };
    speaker.speech.say(at, named);
}

/// A command that runs for an entry: it should end soon.
fn run_task(rng: &mut Rng, nature: Nature, now: Instant, pid: &mut u32) -> Birth {
    let well = match nature {
        Nature::Steady | Nature::Messy | Nature::Slow => rng.chance(94),
        Nature::Flaky => rng.chance(50),
        Nature::Crashing | Nature::Stubborn | Nature::Hung | Nature::Missing => false,
    };
    let exit = if well { Exit::Code(0) } else { Exit::Code(1) };
    let span = match nature {
        Nature::Hung | Nature::Stubborn => None,
        Nature::Slow => Some(rng.millis(100, 15_000)),
        Nature::Steady | Nature::Crashing | Nature::Messy | Nature::Flaky | Nature::Missing => {
            Some(rng.millis(1, 300))
        }
    };
    let main = Process::draw(rng, pid, nature, span.map(|span| (now + span, exit)), None);
    let rest = match nature == Nature::Messy && rng.chance(60) {
        true => vec![Process::draw(rng, pid, nature, None, None)],
        false => Vec::new(),
    };
    Birth::Runs { announced: true, main, rest }
}

fn stops(rng: &mut Rng, nature: Nature) -> Option<Duration> {
    match nature {
        Nature::Stubborn => None,
        Nature::Slow => Some(rng.millis(1_000, 30_000)),
        Nature::Steady | Nature::Crashing | Nature::Messy | Nature::Hung | Nature::Missing => {
            Some(rng.millis(0, 800))
        }
        Nature::Flaky => Some(rng.millis(0, 800)),
    }
}

/// The machine lacks something that a process needs.
pub(crate) fn no_process() -> Birth {
    Birth::NoProcess { errno: EAGAIN }
}
