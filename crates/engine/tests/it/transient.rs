//! Entries that no table has.

use std::sync::Arc;
use std::time::Duration;

use clinit_engine::Event;
use clinit_engine::care::{Care, Failing, Failover, Readiness, Restart, Retry};
use clinit_engine::entry::{GiveUp, Hold};
use clinit_engine::event::Order;
use clinit_engine::spec::EntrySpec;

use crate::stage::{Stage, group, table};

/// The one entry of a table of one line.
fn spec(line: &str) -> EntrySpec {
    table(line).groups.remove(0).entries.remove(0)
}

fn add(stage: &mut Stage, name: &str, line: &str) {
    stage.happens(Event::Added { group: group(name), spec: Box::new(spec(line)) });
}

#[test]
fn one_that_ended_well_is_gone_and_one_that_failed_is_kept_until_it_is_stopped() {
    let mut stage = Stage::new("g:a:1:respawn:a");
    add(&mut stage, "run", "run:x:,:once:x");
    add(&mut stage, "run", "run:y:,:once:y");
    stage.spawned("x y");
    stage.exited("x", 0);
    stage.exited("y", 1);
    assert!(!stage.has("run", "x") && stage.state("y") == "done");
    stage.crash();
    stage.happens(Event::InventoryTaken);
    assert!(stage.entry("y").is_transient() && stage.state("y") == "done");
    stage.order("y", Order::Stop { hold: Hold::UntilStarted });
    assert!(stage.node.group(&group("run")).is_none(), "the group is gone with its last entry");
}

#[test]
fn many_that_come_and_go_beside_one_that_stays_take_no_room() {
    let mut stage = Stage::new("");
    add(&mut stage, "run", "run:long:,:respawn:x");
    stage.spawned("long");
    for _ in 0..100 {
        add(&mut stage, "run", "run:short:,:once:x");
        stage.spawned("short");
        assert!(stage.id("short").0 < 4, "places are used again");
        stage.exited("short", 0);
    }
    assert!(stage.node.group(&group("run")).unwrap().members().len() < 4);
}

#[test]
fn one_that_is_given_up_says_how_it_failed_and_why_it_is_not_tried_again() {
    let mut stage = Stage::new("");
    let mut spec = spec("run:x:,:respawn:x");
    let retry = Retry { count: 1, interval: Duration::from_secs(600) };
    Arc::make_mut(&mut spec.policy).care = Some(Arc::new(Care { retry: Some(retry), ..Care::default() }));
    Arc::make_mut(&mut spec.program).readiness = Readiness::Notify;
    stage.happens(Event::Added { group: group("run"), spec: Box::new(spec) });
    for _ in 0..2 {
        stage.spawned("x");
        stage.wait(61.0);
        stage.exited("x", 0);
    }
    assert_eq!(stage.state("x"), "given up", "it was not ready in time, twice");
    let history = *stage.entry("x").history();
    assert_eq!(history.last_failure.map(|(failing, _)| failing), Some(Failing::NotReady));
    assert_eq!(history.given_up.map(|(reason, _)| reason), Some(GiveUp::Retries));
    stage.order("x", Order::Reset);
    assert_eq!(stage.entry("x").history().given_up, None);
}

#[test]
fn a_plan_names_what_differs_and_leaves_out_what_no_table_has() {
    let mut stage = Stage::running("g:a:1:respawn:a\ng:b:1:respawn:b", "g", "1", "a b");
    add(&mut stage, "g", "g:x:,:once:x");
    let mut table = stage.table.clone();
    let [a, b] = &mut table.groups[0].entries[..] else { panic!() };
    Arc::make_mut(&mut a.program).readiness = Readiness::Notify;
    Arc::make_mut(&mut a.policy).stop.signal = 1;
    Arc::make_mut(&mut b.policy).care = Some(Arc::new(Care { restart: Restart::Never, ..Care::default() }));
    let plan = stage.node.plan(&table);
    let lines: Vec<String> =
        plan.iter().map(|line| format!("{:?} {}: {}", line.step, line.key, line.why)).collect();
    assert_eq!(
        lines,
        [
            "Restart g/a: readiness, stop_signal changed",
            "Change g/b: restart changed: it need not be restarted"
        ]
    );
}

#[test]
fn one_that_was_given_up_keeps_down_no_group_that_a_table_brings() {
    let mut stage = Stage::new("");
    let mut spec = spec("g:x:,:respawn:x");
    let care = Care { restart: Restart::Never, failover: Failover::Soft, ..Care::default() };
    Arc::make_mut(&mut spec.policy).care = Some(Arc::new(care));
    stage.happens(Event::Added { group: group("g"), spec: Box::new(spec) });
    stage.spawned("x");
    stage.exited("x", 1);
    assert_eq!((stage.did().as_str(), stage.state("x")), ("spawn x, release x", "given up"));
    stage.reread("g::initdefault:1\ng:a:1:respawn:a");
    assert_eq!(stage.did(), "spawn a");
}
