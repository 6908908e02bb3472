//! One node keeps its promises whatever happens to it.
//!
//! The environment asks for more, or for one run again:
//!
//! | variable | means |
//! |---|---|
//! | `CLINIT_SIM_SEEDS` | how many seeds each test runs |
//! | `CLINIT_SIM_TURNS` | how many things happen in a run |
//! | `CLINIT_SIM_SEED` | the one seed to run |

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may panic like tests")]

use std::env;

use clinit_sim::{Scenario, Sights, run};

const SEEDS: u64 = 400;
const TURNS: u64 = 400;

/// Levels are told, and that is all.
const CALM: Scenario = Scenario {
    name: "a_node_keeps_its_promises",
    operator: 3,
    by_hand: 0,
    rereads: 0,
    shutdowns: 0,
    crashes: 0,
    famines: 0,
    cared: 0,
    linked: 0,
    transients: 0,
};

/// Everything happens.
const EVERYTHING: Scenario = Scenario {
    name: "a_node_keeps_its_promises_whatever_happens",
    operator: 3,
    by_hand: 20,
    rereads: 40,
    shutdowns: 1,
    crashes: 2,
    famines: 1,
    cared: 30,
    linked: 30,
    transients: 10,
};

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// Runs a scenario over many seeds, or the one that is asked for.
fn explore(scenario: &Scenario) -> Sights {
    let turns = number("CLINIT_SIM_TURNS").unwrap_or(TURNS);
    let turns = u32::try_from(turns).expect("CLINIT_SIM_TURNS has 32 bits");
    let seeds = match number("CLINIT_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CLINIT_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut sights = Sights::default();
    for seed in seeds {
        match run(scenario, seed, turns) {
            Ok(seen) => sights.merge(&seen),
            Err(failure) => panic!("\n{failure}"),
        }
    }
    sights
}

#[test]
fn a_node_keeps_its_promises() {
    explore(&CALM);
}

#[test]
fn a_node_keeps_its_promises_when_single_entries_are_meddled_with() {
    let name = "a_node_keeps_its_promises_when_single_entries_are_meddled_with";
    explore(&Scenario { name, by_hand: 60, ..CALM });
}

#[test]
fn a_node_keeps_its_promises_while_its_table_changes() {
    let name = "a_node_keeps_its_promises_while_its_table_changes";
    explore(&Scenario { name, by_hand: 10, rereads: 60, ..CALM });
}

#[test]
fn a_node_keeps_its_promises_without_processes_to_be_had() {
    let name = "a_node_keeps_its_promises_without_processes_to_be_had";
    explore(&Scenario { name, by_hand: 20, rereads: 20, shutdowns: 1, famines: 2, ..CALM });
}

#[test]
fn a_node_keeps_its_promises_when_its_engine_dies() {
    let name = "a_node_keeps_its_promises_when_its_engine_dies";
    explore(&Scenario { name, by_hand: 20, rereads: 20, crashes: 3, ..CALM });
}

#[test]
fn a_node_keeps_its_promises_to_entries_that_are_cared_for() {
    let name = "a_node_keeps_its_promises_to_entries_that_are_cared_for";
    explore(&Scenario { name, by_hand: 10, cared: 70, ..CALM });
}

#[test]
fn a_node_keeps_its_promises_to_entries_that_follow_each_other() {
    let name = "a_node_keeps_its_promises_to_entries_that_follow_each_other";
    explore(&Scenario { name, by_hand: 20, linked: 60, ..CALM });
}

#[test]
fn a_node_keeps_its_promises_to_entries_that_no_table_has() {
    let name = "a_node_keeps_its_promises_to_entries_that_no_table_has";
    explore(&Scenario { name, by_hand: 20, rereads: 20, transients: 60, ..CALM });
}

#[test]
fn a_node_keeps_its_promises_of_graphs_and_care() {
    let name = "a_node_keeps_its_promises_of_graphs_and_care";
    explore(&Scenario { name, by_hand: 20, rereads: 30, cared: 50, linked: 50, shutdowns: 1, ..CALM });
}

#[test]
fn a_node_keeps_its_promises_of_graphs_and_care_when_processes_die() {
    let name = "a_node_keeps_its_promises_of_graphs_and_care_when_processes_die";
    explore(&Scenario { name, by_hand: 20, rereads: 10, cared: 50, linked: 50, crashes: 3, ..CALM });
}

/// Everything at once; and everything is seen, so that no silence is taken for a promise kept.
#[test]
fn a_node_keeps_its_promises_whatever_happens() {
    let sights = explore(&EVERYTHING);
    for sight in Sights::ALL {
        let seen_often = sights.count(sight) >= 50 || number("CLINIT_SIM_SEED").is_some();
        assert!(seen_often, "{sight} is seen too seldom:\n{sights}");
    }
}
