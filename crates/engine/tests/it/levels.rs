//! What a level told to a group brings about.

use crate::stage::Stage;

const TABLE: &str = "
    g:a:12:respawn:a
    g:b:1:respawn:b
    g:c:2:respawn:c
";

#[test]
fn an_entry_in_both_levels_is_not_touched() {
    let mut stage = Stage::running(TABLE, "g", "1", "a b");
    let life = stage.entry("a").generation();
    stage.tell("g", "2");
    assert_eq!(stage.did(), "stop b");
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release b, spawn c");
    assert_eq!((stage.state("a"), stage.entry("a").generation()), ("running", life));
}

#[test]
fn the_old_level_is_gone_before_anything_starts() {
    let mut stage = Stage::running("g:a:1:respawn:a\ng:b:1:respawn:b\ng:c:2:wait:c", "g", "1", "a b");
    stage.tell("g", "2");
    assert_eq!(stage.did(), "stop a, stop b", "all at once");
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release b");
    stage.exited("a", 0);
    assert_eq!(stage.did(), "release a, spawn c");
}

#[test]
fn the_same_level_again_reruns_nothing() {
    let table = "g:w:1:wait:w\ng:o:1:once:o\ng:t:1:test:t\ng:r:1:respawn:r";
    let mut stage = Stage::running(table, "g", "1", "w");
    stage.exited("w", 0);
    stage.exited("o t", 0);
    stage.spawned("r");
    stage.did();
    stage.tell("g", "1");
    assert_eq!(stage.did(), "");
    assert_eq!(stage.phase("g"), "DONE");
}

#[test]
fn coming_back_to_a_level_reruns_what_ran_once() {
    let table = "g:w:1:wait:w\ng:o:1:once:o\ng:t:1:test:t";
    let mut stage = Stage::running(table, "g", "1", "w");
    stage.exited("w", 0);
    stage.exited("o t", 0);
    stage.tell("g", "2");
    stage.did();
    stage.tell("g", "1");
    assert_eq!(stage.did(), "spawn w");
    stage.exited("w", 0);
    assert_eq!(stage.did(), "release w, spawn o, spawn t");
}

#[test]
fn an_unknown_level_stops_everything_and_is_done() {
    let mut stage = Stage::running(TABLE, "g", "1", "a b");
    stage.tell("g", "99");
    assert_eq!(stage.did(), "stop a, stop b");
    stage.exited("a b", 0);
    assert_eq!(stage.phase("g"), "DONE");
    assert_eq!(stage.node.group(&crate::stage::group("g")).unwrap().level().unwrap().as_str(), "99");
}

#[test]
fn an_unknown_group_changes_nothing() {
    let mut stage = Stage::running(TABLE, "g", "1", "a b");
    stage.tell("nobody", "1");
    assert_eq!((stage.did(), stage.said()), (String::new(), String::new()));
}

#[test]
fn a_group_without_entries_is_done_at_any_level() {
    let mut stage = Stage::new("g:::");
    stage.tell("g", "1");
    assert_eq!(stage.said(), "g 1>1 STARTING, g 1>1 CHECKING, g 1>1 DONE");
}

#[test]
fn level_zero_and_group_zero_are_ordinary() {
    let mut stage = Stage::running("0:a:0:respawn:a\n0:b:1:respawn:b", "0", "0", "a");
    assert_eq!((stage.phase("0"), stage.state("a")), ("DONE", "running"));
    stage.tell("0", "1");
    stage.exited("a", 0);
    assert_eq!(stage.did(), "stop a, release a, spawn b");
    stage.spawned("b");
    stage.tell("0", "0");
    stage.exited("b", 0);
    assert_eq!(stage.did(), "stop b, release b, spawn a");
}

#[test]
fn a_word_is_one_label_and_each_of_its_characters() {
    let mut stage = Stage::new("g:a:start:respawn:a\ng:b:start,:respawn:b");
    stage.tell("g", "start");
    assert_eq!(stage.did(), "spawn a, spawn b");
    stage.spawned("a b");
    stage.tell("g", "s");
    assert_eq!(stage.did(), "stop b");
}

#[test]
fn the_newest_of_several_tells_wins() {
    let mut stage = Stage::running("g:a:1:respawn:a\ng:b:2:respawn:b\ng:c:3:respawn:c", "g", "1", "a");
    stage.tell("g", "2");
    stage.tell("g", "3");
    stage.exited("a", 0);
    assert_eq!(stage.did(), "stop a, release a, spawn c");
}

#[test]
fn told_back_while_stopping_an_entry_stops_and_starts_again() {
    let mut stage = Stage::running(TABLE, "g", "1", "a b");
    stage.tell("g", "2");
    stage.tell("g", "1");
    assert_eq!(stage.did(), "stop b");
    assert_eq!(stage.phase("g"), "STOPPING");
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release b, spawn b");
    stage.spawned("b");
    assert_eq!((stage.phase("g"), stage.state("a")), ("DONE", "running"));
}

#[test]
fn a_tell_while_starting_takes_back_what_was_started() {
    let mut stage = Stage::new("g:w:1:wait:w\ng:b:1:respawn:b\ng:c:2:respawn:c");
    stage.tell("g", "1");
    stage.tell("g", "2");
    assert_eq!(stage.did(), "spawn w, stop w");
    stage.spawned("w");
    stage.exited("w", 0);
    assert_eq!(stage.did(), "release w, spawn c");
}

#[test]
fn two_groups_never_wait_for_each_other() {
    let mut stage = Stage::running("g:a:1:respawn:a\nh:w:1:wait:w\nh:x:1:respawn:x", "g", "1", "a");
    stage.tell("g", "2");
    stage.tell("h", "1");
    assert_eq!(stage.did(), "stop a, spawn w");
    stage.exited("w", 0);
    assert_eq!(stage.did(), "release w, spawn x");
    stage.spawned("x");
    assert_eq!((stage.phase("g"), stage.phase("h")), ("STOPPING", "DONE"));
}

#[test]
fn phases_come_in_order_with_the_old_level_until_it_is_gone() {
    let mut stage = Stage::running(TABLE, "g", "1", "a b");
    stage.tell("g", "2");
    assert_eq!(stage.said(), "g 1>2 STOPPING");
    stage.exited("b", 0);
    assert_eq!(stage.said(), "g 2>2 STARTING");
    stage.spawned("c");
    assert_eq!(stage.said(), "g 2>2 CHECKING, g 2>2 DONE");
}

#[test]
fn what_was_due_is_done_before_the_event_that_came_with_it() {
    let mut stage = Stage::running("g:a:1:respawn:a\nh:b:1:respawn:b", "g", "1", "a");
    stage.tell("g", "2");
    stage.did();
    stage.tell_late(10.0, "h", "1");
    assert_eq!(stage.did(), "kill a, spawn b");
}

#[test]
fn every_phase_stands_in_the_diagram() {
    let source = include_str!("../../src/group.rs");
    let diagram: Vec<&str> =
        source.split("```").nth(1).unwrap().split(|c: char| !c.is_alphabetic()).collect();
    for phase in clinit_engine::group::Phase::ALL {
        assert!(diagram.contains(&format!("{phase:?}").as_str()), "{phase:?}");
    }
}
