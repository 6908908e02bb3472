//! Entries that leave and come back, and those that require them.

use std::sync::Arc;

use clinit_engine::Event;
use clinit_engine::care::Care;
use clinit_engine::entry::Hold;
use clinit_engine::event::{Exit, Order};
use clinit_engine::spec::EntrySpec;

use crate::stage::{Stage, table};

/// `d` requires `c`, which requires `b`; `f` only follows `b`.
const TABLE: &str = "g:d:1:respawn:d\ng:d::requires:c\ng:c:1:respawn:c\ng:c::requires:b\n\
                     g:f:1:respawn:f\ng:f::after:b\ng:b:1:respawn:b";

fn up() -> Stage {
    let mut stage = Stage::new(TABLE);
    stage.tell("g", "1");
    stage.spawned("b c f d");
    stage.did();
    stage
}

#[test]
fn who_requires_an_entry_leaves_before_its_restart_and_comes_back_behind_it() {
    let mut stage = up();
    stage.order("b", Order::Restart);
    assert_eq!(stage.did(), "stop d");
    stage.exited("d", 0);
    assert_eq!(stage.did(), "release d, stop c");
    stage.exited("c", 0);
    assert_eq!(stage.did(), "release c, stop b");
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release b, spawn b");
    stage.spawned("b");
    assert_eq!(stage.did(), "spawn c");
    stage.spawned("c d");
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("spawn d", "DONE"));
}

#[test]
fn so_it_is_when_the_table_replaces_it() {
    let mut stage = up();
    stage.reread(&TABLE.replace("respawn:b", "respawn:another"));
    stage.exited("d", 0);
    stage.exited("c", 0);
    stage.exited("b", 0);
    assert_eq!(stage.did(), "stop d, release d, stop c, release c, stop b, release b, spawn b");
    stage.spawned("b c d");
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("spawn c, spawn d", "DONE"));
}

#[test]
fn a_command_that_is_run_once_more_is_restarted() {
    let mut stage = Stage::new("g:a:1:wait:a\ng:b:1:respawn:b\ng:b::requires:a");
    stage.tell("g", "1");
    stage.exited("a", 0);
    stage.spawned("b");
    stage.did();
    stage.order("a", Order::Start);
    assert_eq!(stage.did(), "stop b");
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release b, spawn a");
    stage.exited("a", 0);
    assert_eq!(stage.did(), "release a, spawn b");
}

#[test]
fn a_start_that_ends_a_pause_restarts_nobody() {
    let mut stage = up();
    for _ in 0..5 {
        stage.exited("b", 1);
        if stage.state("b") == "starting" {
            stage.spawned("b");
        }
    }
    assert_eq!(stage.state("b"), "pausing");
    stage.did();
    stage.order("b", Order::Start);
    assert_eq!(stage.did(), "spawn b");
}

#[test]
fn all_of_a_group_leave_in_order_when_it_is_restarted() {
    let mut stage = up();
    stage.order("b c d f", Order::Restart);
    assert_eq!(stage.did(), "stop d, stop f");
    stage.exited("d f", 0);
    assert_eq!(stage.did(), "release d, stop c, release f");
    stage.exited("c", 0);
    assert_eq!(stage.did(), "release c, stop b");
}

#[test]
fn a_restart_that_waits_for_others_to_leave_is_not_forgotten_by_the_engine() {
    let mut stage = up();
    stage.order("b", Order::Restart);
    stage.crash();
    stage.spawned("b c d f");
    stage.happens(Event::InventoryTaken);
    assert_eq!(stage.did(), "stop d", "the order is repeated");
    stage.exited("d", 0);
    stage.exited("c", 0);
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release d, stop c, release c, stop b, release b, spawn b");
}

#[test]
fn a_restart_holds_over_a_stop_and_a_table_that_come_between() {
    let mut stage = up();
    stage.order("b", Order::Stop { hold: Hold::UntilStarted });
    stage.order("b", Order::Restart);
    stage.reread(&format!("{TABLE}\ng:n:1:respawn:n"));
    stage.exited("d", 0);
    stage.exited("c", 0);
    stage.exited("b", 0);
    stage.spawned("b");
    assert_eq!(
        stage.did(),
        "stop d, release d, stop c, release c, stop b, release b, spawn b, spawn n, spawn c"
    );
}

#[test]
fn a_restart_that_waited_is_over_when_the_table_has_the_entry_no_longer() {
    let mut stage = up();
    stage.order("b", Order::Restart);
    assert_eq!(stage.did(), "stop d");
    stage.reread("h:x:2:respawn:x");
    assert_eq!(stage.did(), "stop f");
    stage.reread(TABLE);
    stage.tell("g", "1");
    assert_eq!(stage.did(), "", "b and c run on");
    stage.exited("d", 0);
    stage.exited("f", 0);
    assert_eq!(stage.did(), "release d, release f, spawn f, spawn d");
    assert_eq!((stage.state("b"), stage.state("c")), ("running", "running"));
}

#[test]
fn one_that_ends_before_it_is_asked_to_is_as_good_as_stopped() {
    let mut stage = up();
    stage.order("b", Order::Restart);
    stage.exited("b", 1);
    assert_eq!((stage.did().as_str(), stage.state("b")), ("stop d, release b", "down"));
    stage.exited("d", 0);
    stage.exited("c", 0);
    assert_eq!(stage.did(), "release d, stop c, release c, spawn b");
}

fn planned(stage: &Stage, text: &str) -> Vec<String> {
    let plan = stage.node.plan(&table(text));
    plan.iter().map(|line| format!("{:?} {}: {}", line.step, line.key, line.why)).collect()
}

#[test]
fn a_plan_tells_who_restarts_because_of_others() {
    let stage = up();
    assert_eq!(
        planned(&stage, &TABLE.replace("respawn:b", "respawn:another")),
        [
            "Restart g/d: it requires g/c, which would restart",
            "Restart g/c: it requires g/b, which would restart",
            "Restart g/b: its command changed",
        ]
    );
    // Whoever does not require it any longer runs on.
    let free = TABLE.replace("respawn:b", "respawn:another").replace("c::requires", "c::after");
    assert_eq!(
        planned(&stage, &free),
        ["Change g/c: what it follows changed: it need not be restarted", "Restart g/b: its command changed"]
    );
}

#[test]
fn a_plan_tells_who_stops_and_starts_because_of_others() {
    let mut stage = up();
    let off = TABLE.replace("respawn:b", "off:b");
    assert_eq!(
        planned(&stage, &off),
        [
            "Stop g/d: it requires g/c, which would not run",
            "Stop g/c: it requires g/b, which would not run",
            "Stop g/b: its mode changed, and it is not wanted at level 1",
        ]
    );
    stage.reread(&off);
    stage.exited("d", 0);
    stage.exited("c", 0);
    stage.exited("b", 0);
    assert_eq!(
        planned(&stage, TABLE),
        [
            "Start g/d: it requires g/c, which would start",
            "Start g/c: it requires g/b, which would start",
            "Start g/b: its mode changed, and it is wanted at level 1",
        ]
    );
    let new = format!("{off}\ng:n:1:respawn:n\ng:n::requires:b");
    assert_eq!(planned(&stage, &new), ["Add g/n: it is new, and requires g/b, which would not run"]);
}

#[test]
fn a_plan_judges_an_end_as_its_table_does() {
    let mut stage = Stage::new("g:a:1:wait:a\ng:b:1:respawn:b\ng:b::requires:a");
    let success = |success: &[Exit]| {
        let care = Care { success: success.to_vec(), ..Care::default() };
        move |spec: &mut EntrySpec| Arc::make_mut(&mut spec.policy).care = Some(Arc::new(care.clone()))
    };
    stage.change("a", success(&[Exit::Code(1)]));
    stage.tell("g", "1");
    stage.spawned("a");
    stage.exited("a", 1);
    stage.spawned("b");
    let mut next = stage.table.clone();
    success(&[])(&mut next.groups[0].entries[0]);
    let plan = stage.node.plan(&next);
    let why = plan.iter().find(|line| line.key.tag.as_str() == "b").map(|line| line.why.as_str());
    assert_eq!(why, Some("it requires g/a, which would not run"));
}

#[test]
fn a_plan_tells_who_restarts_with_one_that_restarts_already() {
    let mut stage = up();
    stage.order("b", Order::Restart);
    let linked = TABLE.replace("f::after:b", "f::requires:b");
    assert!(
        planned(&stage, &linked).contains(&"Restart g/f: it requires g/b, which would restart".to_owned())
    );
    stage.did();
    stage.reread(&linked);
    assert!(stage.did().contains("stop f"));
}
