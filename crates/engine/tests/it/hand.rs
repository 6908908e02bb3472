//! What people ask of single entries.

use clinit_engine::Event;
use clinit_engine::entry::Hold;
use clinit_engine::event::Order;
use clinit_engine::name::{EntryKey, Tag};
use clinit_engine::node::Recall;

use crate::stage::{Stage, group, level};

const TABLE: &str = "g:a:1:respawn:a\ng:w:1:wait:w\ng:b:1:respawn:b";

fn settled() -> Stage {
    let mut stage = Stage::running(TABLE, "g", "1", "a w");
    stage.exited("w", 0);
    stage.spawned("b");
    stage.did();
    stage
}

#[test]
fn stopped_by_hand_an_entry_stays_down_until_its_group_is_told() {
    let mut stage = settled();
    stage.order("a", Order::Stop { hold: Hold::UntilTold });
    stage.exited("a", 0);
    assert_eq!(
        (stage.did().as_str(), stage.state("a"), stage.phase("g")),
        ("stop a, release a", "down", "DONE")
    );
    stage.reread(&format!("{TABLE}\ng:n:1:respawn:n"));
    assert_eq!(stage.did(), "spawn n");
    stage.tell("g", "1");
    assert_eq!(stage.did(), "spawn a");
}

#[test]
fn stopped_for_good_it_stays_down_until_it_is_started() {
    let mut stage = settled();
    stage.order("a", Order::Stop { hold: Hold::UntilStarted });
    stage.exited("a", 0);
    stage.tell("g", "2");
    stage.exited("b", 0);
    stage.tell("g", "1");
    stage.exited("w", 0);
    assert_eq!(stage.did(), "stop a, release a, stop b, release b, spawn w, release w, spawn b");
    stage.order("a", Order::Start);
    assert_eq!(stage.did(), "spawn a");
}

#[test]
fn a_hold_outlives_the_engine_but_not_the_line() {
    let mut stage = settled();
    stage.order("a", Order::Stop { hold: Hold::UntilStarted });
    stage.crash();
    stage.exited("a", 0);
    stage.spawned("b");
    stage.happens(Event::InventoryTaken);
    assert_eq!((stage.did().as_str(), stage.entry("a").hold()), ("release a", Hold::UntilStarted));
    stage.reread("g:w:1:wait:w\ng:b:1:respawn:b");
    stage.reread(TABLE);
    assert_eq!(stage.did(), "spawn a");
}

#[test]
fn a_line_that_is_back_while_its_entry_still_stops_is_not_held() {
    let mut stage = settled();
    stage.order("a", Order::Stop { hold: Hold::UntilStarted });
    stage.reread("g:w:1:wait:w\ng:b:1:respawn:b");
    stage.reread(TABLE);
    stage.exited("a", 0);
    assert_eq!(stage.did(), "stop a, release a, spawn a");
}

#[test]
fn a_restart_stops_and_starts() {
    let mut stage = settled();
    stage.order("a b", Order::Restart);
    assert_eq!(stage.did(), "stop a, stop b");
    stage.exited("a", 0);
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release a, release b, spawn a, spawn b");
}

#[test]
fn a_start_runs_again_what_ran_once() {
    let mut stage = settled();
    stage.order("w", Order::Start);
    assert_eq!(stage.did(), "spawn w");
    stage.exited("w", 0);
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("release w", "DONE"));
}

#[test]
fn a_start_or_a_reset_ends_a_pause() {
    for order in [Order::Start, Order::Reset] {
        let mut stage = settled();
        (0..5).for_each(|_| stage.exited("a", 1));
        assert_eq!(stage.state("a"), "pausing");
        stage.did();
        stage.order("a", order);
        assert_eq!(stage.did(), "spawn a", "{order:?}");
    }
}

#[test]
fn a_start_of_what_the_level_does_not_have_starts_nothing() {
    let mut stage = Stage::running(&format!("{TABLE}\ng:x:2:respawn:x"), "g", "1", "a");
    stage.order("x", Order::Start);
    assert_eq!(stage.did(), "");
    assert!(stage.node.why_not_start(stage.id("x")).is_some());
}

#[test]
fn a_signal_goes_to_what_runs_and_changes_nothing() {
    let mut stage = settled();
    stage.order("a w", Order::Signal(1));
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("signal a 1", "DONE"));
}

#[test]
fn nothing_is_started_by_hand_while_everything_ends() {
    let mut stage = settled();
    stage.happens(Event::ShutdownRequested);
    stage.did();
    stage.order("w", Order::Start);
    stage.order("a", Order::Restart);
    assert_eq!(stage.did(), "");
}

#[test]
fn what_was_told_before_the_machine_went_down_holds_when_a_table_names_it() {
    let mut stage = Stage::new("");
    let key = |name: &str, tag: &str| EntryKey { group: group(name), tag: Tag::new(tag).unwrap() };
    stage.node.recall(Recall {
        levels: [(group("g"), level("2")), (group("later"), level("1"))].into(),
        held: [key("g", "b"), key("later", "x")].into(),
    });
    let first = "g:a:12:respawn:a\ng:b:2:respawn:b\ng:c:1:respawn:c\n";
    stage.reread(first);
    assert_eq!(stage.did(), "spawn a", "what is held is not started");
    assert_eq!(stage.state("b"), "down");
    assert_eq!(stage.node.recalled().levels.len(), 1);
    stage.spawned("a");
    stage.reread(&format!("{first}later:x:1:respawn:x\nlater:y:1:respawn:y\n"));
    assert_eq!(stage.did(), "spawn y");
    assert_eq!(*stage.node.recalled(), Recall::default());
}
