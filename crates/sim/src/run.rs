//! Runs: a scenario, a seed, and what came of it.

use std::fmt;

use clinit_engine::event::Event;

use crate::machine::{Breach, Machine};
use crate::sights::Sights;

/// How much of what happens; as weights beside those of the machine's own doings, about a hundred.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The name of the test that runs it.
    pub name: &'static str,
    /// How often the operator acts.
    pub operator: u32,
    /// How many of the acts are of single entries, beside 60 that tell a level.
    pub by_hand: u32,
    /// How many of the acts read another table, beside 60 that tell a level.
    pub rereads: u32,
    /// How many of the acts ask for a shutdown, and for a hurry.
    pub shutdowns: u32,
    /// How often the engine dies: of a hundred events, and between them.
    pub crashes: u32,
    /// How often the machine runs out of processes, and has some again.
    pub famines: u32,
    /// How many of a hundred entries are cared for: are ready, well, restarted and undone by the table's word.
    pub cared: u32,
    /// How many of a hundred entries follow others.
    pub linked: u32,
    /// How many of the acts make an entry that no table has, beside 60 that tell a level.
    pub transients: u32,
}

/// A promise that was broken, and how to see it again.
#[derive(Debug)]
pub struct Failure {
    scenario: &'static str,
    seed: u64,
    turn: u32,
    turns: u32,
    promise: &'static str,
    how: String,
    trace: Vec<String>,
}

/// Turns between two rests.
const REST_EVERY: u32 = 90;

/// Turns of a shutdown before it is let go its way.
const TURNS_OF_SHUTDOWN: u32 = 30;

/// Runs a machine for so many turns and to its end.
///
/// # Errors
/// The first promise that was broken, with a trace of what led to it.
pub fn run(scenario: &Scenario, seed: u64, turns: u32) -> Result<Sights, Failure> {
    let (machine, turn, result) = attempt(scenario, seed, turns, false);
    let Err(_) = result else { return Ok(machine.sights) };
    // The same again, with somebody taking notes.
    let (machine, _, again) = attempt(scenario, seed, turns, true);
    let breach = again.err().unwrap_or(Breach { promise: "a seed says all", how: String::new() });
    let (promise, how, trace) = (breach.promise, breach.how, machine.trace.into_lines());
    Err(Failure { scenario: scenario.name, seed, turn, turns, promise, how, trace })
}

fn attempt(scenario: &Scenario, seed: u64, turns: u32, trace: bool) -> (Machine, u32, Result<(), Breach>) {
    let mut machine = Machine::new(scenario, seed, trace);
    let mut turn = 0;
    let result = live(&mut machine, scenario, turns, &mut turn);
    (machine, turn, result)
}

fn live(machine: &mut Machine, scenario: &Scenario, turns: u32, turn: &mut u32) -> Result<(), Breach> {
    let table = machine.operator.write(&mut machine.rng);
    machine.feed(&[Event::TableAccepted(table)], None)?;
    while *turn < turns && !machine.has_left {
        *turn += 1;
        machine.turn(scenario)?;
        if turn.is_multiple_of(REST_EVERY) {
            machine.rest()?;
        }
    }
    if !machine.has_left {
        machine.feed(&[Event::ShutdownRequested], None)?;
    }
    for _ in 0..TURNS_OF_SHUTDOWN {
        if !machine.has_left {
            machine.turn(scenario)?;
        }
    }
    machine.finish()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "\nseed {} breaks a promise at turn {}: {}", self.seed, self.turn, self.promise)?;
        writeln!(f, "{}", self.how)?;
        writeln!(f, "\nto see it again:")?;
        write!(f, "CLINIT_SIM_SEED={} CLINIT_SIM_TURNS={} ", self.seed, self.turns)?;
        write!(f, "cargo test -p clinit-sim {}", self.scenario)
    }
}

impl std::error::Error for Failure {}
