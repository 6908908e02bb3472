//! One node keeps its promises whatever happens to it.
//!
//! `CLINIT_SIM_SEED` runs one seed, `CLINIT_SIM_SEEDS` so many for each test, `CLINIT_SIM_TURNS` sets how
//! long a run is.

use std::env;

use clinit_sim::{Scenario, Sights, run};

const CALM: Scenario = Scenario {
    name: "a_node_keeps_its_promises",
    operator: 8,
    rereads: 0,
    shutdowns: 0,
    crashes: 0,
    famines: 0,
};

/// Runs a scenario over many seeds, or the one that is asked for.
fn explore(scenario: &Scenario) -> Sights {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let turns =
        number("CLINIT_SIM_TURNS").map_or(300, |turns| u32::try_from(turns).expect("a number of turns"));
    let seeds = match number("CLINIT_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CLINIT_SIM_SEEDS").unwrap_or(400),
    };
    let mut sights = Sights::default();
    for seed in seeds {
        match run(scenario, seed, turns) {
            Ok(seen) => sights.merge(&seen),
            Err(failure) => panic!("{failure}"),
        }
    }
    sights
}

#[test]
fn a_node_keeps_its_promises() {
    explore(&CALM);
}

#[test]
fn a_node_keeps_its_promises_while_its_table_changes() {
    let name = "a_node_keeps_its_promises_while_its_table_changes";
    explore(&Scenario { name, rereads: 40, ..CALM });
}

#[test]
fn a_node_keeps_its_promises_without_processes_to_be_had() {
    let name = "a_node_keeps_its_promises_without_processes_to_be_had";
    explore(&Scenario { name, rereads: 20, famines: 2, shutdowns: 1, ..CALM });
}

#[test]
fn a_node_keeps_its_promises_when_its_engine_dies() {
    let name = "a_node_keeps_its_promises_when_its_engine_dies";
    explore(&Scenario { name, rereads: 20, crashes: 3, ..CALM });
}

#[test]
fn a_node_keeps_its_promises_whatever_happens() {
    let name = "a_node_keeps_its_promises_whatever_happens";
    explore(&Scenario { name, rereads: 40, crashes: 2, famines: 1, shutdowns: 1, ..CALM });
}

#[test]
fn dbg_sights() {
    let name = "x";
    let s = explore(&Scenario { name, rereads: 40, crashes: 2, famines: 1, shutdowns: 1, ..CALM });
    eprintln!("{s}");
}
