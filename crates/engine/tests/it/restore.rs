//! Going on after the process that ran the engine was lost.

use std::sync::Arc;

use clinit_engine::Event;
use clinit_engine::Node;
use clinit_engine::care::Links;
use clinit_engine::event::{Exit, Generation};
use clinit_engine::name::Tag;

use crate::stage::Stage;

const TABLE: &str = "g:w:1:wait:w\ng:a:1:respawn:a\ng:b:12:respawn:b";

#[test]
fn an_order_to_spawn_that_was_lost_is_given_again_for_the_same_life() {
    let mut stage = Stage::new(TABLE);
    stage.tell("g", "1");
    let life = stage.entry("w").generation();
    stage.crash();
    assert_eq!(stage.did(), "");
    stage.happens(Event::InventoryTaken);
    assert_eq!((stage.did().as_str(), stage.entry("w").generation()), ("spawn w", life));
}

#[test]
fn what_runs_goes_on_and_its_group_waits_where_it_was() {
    let mut stage = Stage::running(TABLE, "g", "1", "w");
    stage.crash();
    stage.spawned("w");
    assert_eq!(stage.phase("g"), "STARTING");
    stage.happens(Event::InventoryTaken);
    assert_eq!(stage.did(), "");
    stage.exited("w", 0);
    assert_eq!(stage.did(), "release w, spawn a, spawn b");
    stage.spawned("a b");
    assert_eq!(stage.phase("g"), "DONE");
}

#[test]
fn what_ended_meanwhile_is_as_if_it_had_been_told_in_time() {
    let mut stage = Stage::running(TABLE, "g", "1", "w");
    stage.crash();
    stage.exited("w", 0);
    stage.happens(Event::InventoryTaken);
    assert_eq!(stage.did(), "release w, spawn a, spawn b");
}

#[test]
fn what_the_keeper_does_not_know_has_ended() {
    let mut stage = Stage::running("g:a:1:respawn:a\ng:o:1:once:o", "g", "1", "a o");
    stage.crash();
    stage.happens(Event::InventoryTaken);
    assert_eq!(stage.did(), "spawn a, release o");
    assert_eq!(stage.entry("o").history().last_exit.map(|(exit, _)| exit), Some(Exit::Unknown));
}

#[test]
fn a_stop_or_a_kill_that_may_not_have_been_sent_is_repeated() {
    for (waited, order) in [(0.0, "stop"), (10.0, "kill")] {
        let mut stage = Stage::running("g:a:1:respawn:a\ng:b:2:respawn:b", "g", "1", "a");
        stage.tell("g", "2");
        stage.wait(waited);
        stage.crash();
        stage.spawned("a");
        stage.happens(Event::InventoryTaken);
        assert_eq!((stage.did(), stage.phase("g")), (format!("{order} a"), "STOPPING"));
        stage.exited("a", 0);
        assert_eq!(stage.did(), "release a, spawn b");
    }
}

#[test]
fn a_life_that_has_ended_is_released_again() {
    for (mode, ends) in [("once", 1), ("respawn", 5)] {
        let mut stage = Stage::running(&format!("g:a:1:{mode}:a"), "g", "1", "a");
        (0..ends).for_each(|_| stage.exited("a", 1));
        assert!(stage.did().ends_with("release a"), "{mode}");
        stage.crash();
        stage.exited("a", 1);
        stage.happens(Event::InventoryTaken);
        assert_eq!(stage.did(), "release a", "{mode}");
    }
}

#[test]
fn a_life_whose_entry_is_forgotten_is_released_and_its_number_not_given_again() {
    let mut stage = Stage::running("g:a:1:respawn:a\nh:b:1:respawn:b", "g", "1", "a");
    let (id, last) = (stage.id("a"), stage.entry("a").generation());
    stage.reread("h:b:1:respawn:b");
    stage.exited("a", 0);
    stage.crash();
    let exit = Exit::Code(0);
    stage.happens(Event::Exited { entry: id, generation: last, exit, leftovers: false });
    stage.happens(Event::InventoryTaken);
    assert_eq!(stage.did(), "release a");
    stage.tell("h", "1");
    assert!(stage.entry("b").generation() > last);
}

#[test]
fn a_later_life_than_the_records_tell_of_is_taken_over() {
    for (level, orders, state) in [("1", "", "running"), ("2", "stop a", "stopping")] {
        let mut stage = Stage::running("g:a:1:respawn:a", "g", "1", "a");
        stage.tell("g", level);
        stage.did();
        stage.crash();
        let (entry, generation) = (stage.id("a"), Generation(stage.entry("a").generation().0 + 5));
        stage.happens(Event::Spawned { entry, generation, pid: 77 });
        stage.happens(Event::InventoryTaken);
        assert_eq!((stage.did().as_str(), stage.state("a")), (orders, state), "level {level}");
        stage.exited("a", 0);
        stage.tell("g", "1");
        assert!(stage.entry("a").generation() > generation, "no number is given twice");
    }
}

#[test]
fn a_life_of_a_forgotten_entry_is_not_taken_for_one_of_its_successor() {
    let mut stage = Stage::running("g:a:1:respawn:a", "g", "1", "a");
    let (entry, generation) = (stage.id("a"), stage.entry("a").generation());
    stage.reread("");
    stage.exited("a", 0);
    stage.crash();
    stage.reread("h:b:1:respawn:b");
    assert_eq!(stage.id("b"), entry, "it has the place of the other");
    stage.happens(Event::Exited { entry, generation, exit: Exit::Code(0), leftovers: false });
    stage.happens(Event::InventoryTaken);
    assert_eq!((stage.did().as_str(), stage.state("b")), ("release b", "down"));
}

#[test]
fn pauses_and_counted_starts_outlive_the_engine() {
    let mut stage = Stage::running("g:a:1:respawn:a", "g", "1", "a");
    for _ in 0..3 {
        stage.exited("a", 1);
        stage.spawned("a");
    }
    stage.crash();
    stage.spawned("a");
    stage.happens(Event::InventoryTaken);
    stage.exited("a", 1);
    stage.spawned("a");
    stage.exited("a", 1);
    assert_eq!(stage.state("a"), "pausing");
    stage.crash();
    stage.happens(Event::InventoryTaken);
    stage.did();
    stage.wait(59.0);
    assert_eq!(stage.did(), "");
    stage.wait(1.0);
    assert_eq!(stage.did(), "spawn a");
}

#[test]
fn a_changed_entry_on_its_way_down_comes_back_as_the_table_says() {
    let mut stage = Stage::running(TABLE, "g", "2", "b");
    stage.reread("g:w:1:wait:w\ng:a:1:respawn:a\ng:b:12:respawn:other");
    stage.crash();
    stage.spawned("b");
    stage.happens(Event::InventoryTaken);
    assert_eq!(stage.did(), "stop b");
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release b, spawn b");
    assert_eq!(stage.entry("b").spec(), &stage.table.groups[0].entries[2]);
}

#[test]
fn a_dying_group_is_forgotten_when_it_has_died() {
    let mut stage = Stage::running(TABLE, "g", "2", "b");
    stage.reread("");
    stage.crash();
    stage.happens(Event::InventoryTaken);
    assert_eq!(stage.did(), "release b");
    assert!(stage.said().ends_with("g forgotten"));
}

#[test]
fn a_tell_before_the_inventory_counts() {
    let mut stage = Stage::running(TABLE, "g", "2", "b");
    stage.crash();
    stage.tell("g", "3");
    assert_eq!(stage.did(), "stop b");
    stage.exited("b", 0);
    stage.happens(Event::InventoryTaken);
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("release b", "DONE"));
}

#[test]
fn a_shutdown_goes_on_and_leaves_after_the_inventory() {
    let mut stage = Stage::running(TABLE, "g", "2", "b");
    stage.happens(Event::ShutdownRequested);
    stage.crash();
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release b");
    stage.happens(Event::InventoryTaken);
    assert_eq!(stage.did(), "leave");
}

#[test]
fn a_settled_group_is_left_alone() {
    let mut stage = Stage::running("g:t:1:test:t\ng:o:1:once:o", "g", "1", "t");
    stage.exited("t", 1);
    stage.spawned("o");
    assert_eq!(stage.phase("g"), "FAILED");
    stage.crash();
    stage.spawned("o");
    stage.happens(Event::InventoryTaken);
    assert_eq!((stage.did().as_str(), stage.said().as_str(), stage.phase("g")), ("", "", "FAILED"));
}

#[test]
fn all_records_at_once_say_what_the_log_says() {
    let mut stage = Stage::running(TABLE, "g", "1", "w");
    stage.exited("w", 0);
    stage.spawned("a");
    stage.ended("a", Exit::Signal(11), true);
    stage.tell("g", "2");
    stage.reread("g:b:12:respawn:other\nh::initdefault:1\nh:x:1:once:x");
    let all = stage.node.all_records();
    let now = clinit_engine::Instant::from_nanos(7);
    let from_all = Node::restore(stage.table.clone(), all.clone(), now);
    stage.crash();
    assert_eq!(stage.node.all_records(), all);
    assert_eq!(from_all.all_records(), all);
}

#[test]
fn one_that_a_table_drops_and_the_next_brings_back_is_the_same_after_a_restore() {
    let mut stage = Stage::new("g:a:1:respawn:a\ng:b:1:respawn:b\ng:c:1:respawn:c");
    stage.change("b", |spec| {
        let requires = [Tag::new("a").unwrap()].into();
        spec.links = Some(Arc::new(Links { after: Box::default(), requires }));
    });
    let before = stage.table.clone();
    stage.tell("g", "1");
    stage.spawned("a b c");
    stage.did();
    stage.reread("g:c:1:respawn:c");
    assert_eq!(stage.did(), "stop b", "a waits for it");
    stage.crash();
    stage.spawned("a b c");
    stage.accept(before);
    stage.happens(Event::InventoryTaken);
    stage.exited("b", 0);
    assert_eq!(stage.did(), "stop b, release b, spawn b");
    assert_eq!(stage.state("a"), "running");
}
