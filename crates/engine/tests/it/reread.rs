//! What an accepted table changes, and what it leaves alone.

use std::sync::Arc;
use std::time::Duration;

use clinit_engine::event::Exit;
use clinit_engine::spec::KillScope;

use crate::stage::Stage;

const TABLE: &str = "g:a:12:respawn:a\ng:b:1:respawn:b\ng:w:1:wait:w";

fn settled() -> Stage {
    let mut stage = Stage::running(TABLE, "g", "1", "a b w");
    stage.exited("w", 0);
    stage.did();
    stage.said();
    stage
}

#[test]
fn the_same_table_changes_nothing() {
    let mut stage = settled();
    stage.reread(TABLE);
    assert_eq!((stage.did().as_str(), stage.said().as_str()), ("", ""));
}

#[test]
fn a_changed_command_is_stopped_gracefully_and_started_again() {
    let mut stage = settled();
    stage.reread("g:a:12:respawn:a\ng:b:1:respawn:other\ng:w:1:wait:w");
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("stop b", "DUMPING"));
    assert_eq!(stage.said(), "g 1>1 DUMPING");
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release b, spawn b");
    stage.spawned("b");
    assert_eq!(stage.said(), "g 1>1 STARTING, g 1>1 CHECKING, g 1>1 DONE");
}

#[test]
fn a_changed_entry_that_has_run_runs_again() {
    let mut stage = settled();
    stage.reread("g:a:12:respawn:a\ng:b:1:respawn:b\ng:w:1:wait:other");
    assert_eq!(stage.did(), "spawn w");
}

#[test]
fn a_changed_mode_is_a_restart() {
    let mut stage = settled();
    stage.reread("g:a:12:respawn:a\ng:b:1:once:b\ng:w:1:wait:w");
    stage.exited("b", 0);
    assert_eq!(stage.did(), "stop b, release b, spawn b");
}

#[test]
fn switched_off_an_entry_stops_and_stays_down() {
    let mut stage = settled();
    stage.reread("g:a:12:respawn:a\ng:b:1:off:b\ng:w:1:wait:w");
    stage.exited("b", 0);
    assert_eq!(
        (stage.did().as_str(), stage.state("b"), stage.phase("g")),
        ("stop b, release b", "down", "DONE")
    );
}

#[test]
fn a_deleted_entry_is_stopped_gracefully_and_forgotten() {
    let mut stage = settled();
    stage.reread("g:a:12:respawn:a\ng:w:1:wait:w");
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("stop b", "DUMPING"));
    assert!(stage.has("g", "b"));
    stage.exited("b", 0);
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("release b", "DONE"));
    assert!(!stage.has("g", "b"));
}

#[test]
fn a_new_entry_is_started_where_its_group_has_its_level() {
    let mut stage = settled();
    stage.reread("g:a:12:respawn:a\ng:n:1:respawn:n\ng:m:2:respawn:m\ng:b:1:respawn:b\ng:w:1:wait:w");
    assert_eq!(stage.did(), "spawn n");
}

#[test]
fn a_changed_policy_restarts_nothing_and_holds_at_once() {
    let mut stage = settled();
    stage.change("b", |spec| {
        Arc::make_mut(&mut spec.policy).stop.timeout = Some(Duration::from_secs(3));
        Arc::make_mut(&mut spec.policy).stop.scope = KillScope::Main;
    });
    assert_eq!((stage.did().as_str(), stage.said().as_str()), ("", ""));
    stage.tell("g", "2");
    stage.wait(3.0);
    assert_eq!(stage.did(), "stop b, kill b");
}

#[test]
fn changed_levels_stop_or_start_without_a_restart() {
    let mut stage = settled();
    stage.reread("g:a:2:respawn:a\ng:b:12:respawn:b\ng:w:1:wait:w");
    assert_eq!((stage.did().as_str(), stage.state("b")), ("stop a", "running"));
    assert_eq!(stage.said(), "g 1>1 STOPPING", "for the level's sake: its content is the same");
}

#[test]
fn changed_back_while_stopping_the_old_content_starts_again() {
    let mut stage = settled();
    stage.reread("g:a:12:respawn:a\ng:b:1:respawn:other\ng:w:1:wait:w");
    stage.reread(TABLE);
    stage.exited("b", 0);
    assert_eq!(stage.did(), "stop b, release b, spawn b");
}

#[test]
fn changed_twice_while_stopping_the_newest_content_starts() {
    let mut stage = settled();
    stage.reread("g:a:12:respawn:a\ng:b:1:respawn:second\ng:w:1:wait:w");
    stage.reread("g:a:12:respawn:a\ng:b:1:respawn:third\ng:w:1:wait:w");
    stage.exited("b", 0);
    assert_eq!(stage.did(), "stop b, release b, spawn b");
    let spec = &stage.table.groups[0].entries[1];
    assert_eq!(stage.entry("b").spec(), spec);
}

#[test]
fn a_deleted_group_is_stopped_and_forgotten() {
    let mut stage = settled();
    stage.reread("h:x:1:respawn:x");
    assert_eq!((stage.did().as_str(), stage.said().as_str()), ("stop a, stop b", "g 1>1 DUMPING"));
    stage.tell("g", "2");
    assert_eq!(stage.said(), "", "it is not there any more for those who tell");
    stage.exited("a b", 0);
    assert_eq!((stage.did().as_str(), stage.said().as_str()), ("release a, release b", "g forgotten"));
}

#[test]
fn a_group_back_while_it_dies_is_a_new_one() {
    let mut stage = settled();
    stage.reread("");
    stage.reread("g::initdefault:2\ng:a:12:respawn:a\ng:b:1:respawn:b");
    assert_eq!(stage.did(), "stop a, stop b");
    stage.exited("a b", 0);
    assert_eq!(stage.did(), "release a, release b, spawn a", "at its initdefault");
}

#[test]
fn a_group_back_without_an_initdefault_stays_down() {
    let mut stage = settled();
    stage.reread("");
    stage.reread(TABLE);
    stage.exited("a b", 0);
    assert_eq!(
        (stage.did().as_str(), stage.phase("g")),
        ("stop a, stop b, release a, release b", "CONFIGURED")
    );
    stage.tell("g", "2");
    assert_eq!(stage.did(), "spawn a");
}

#[test]
fn a_new_group_takes_its_initdefault() {
    let mut stage = settled();
    stage.reread(&format!("{TABLE}\nh::initdefault:3\nh:x:3:respawn:x"));
    assert_eq!(stage.did(), "spawn x");
}

#[test]
fn an_initdefault_that_comes_later_is_for_the_next_start() {
    let mut stage = settled();
    stage.reread(&format!("{TABLE}\ng::initdefault:2"));
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("", "DONE"));
}

#[test]
fn a_tag_in_another_group_is_another_entry() {
    let mut stage = settled();
    stage.tell("g", "1");
    stage.reread("g:a:12:respawn:a\ng:w:1:wait:w\nh::initdefault:1\nh:b:1:respawn:b");
    assert_eq!(stage.did(), "stop b, spawn b", "groups do not wait for each other");
}

#[test]
fn an_untold_group_starts_nothing_however_its_table_changes() {
    let mut stage = Stage::new(TABLE);
    stage.reread("g:a:12:respawn:other\ng:n:1:wait:n");
    stage.reread("g:n:1:once:n");
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("", "CONFIGURED"));
    assert!(!stage.has("g", "a"));
}

#[test]
fn a_tell_and_a_reread_at_once_stop_what_either_wants_gone() {
    let mut stage = settled();
    stage.reread("g:a:12:respawn:other\ng:b:1:respawn:b\ng:w:1:wait:w");
    stage.tell("g", "2");
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("stop a, stop b", "STOPPING"));
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release b");
    stage.exited("a", 0);
    assert_eq!(stage.did(), "release a, spawn a");
}

#[test]
fn leftovers_of_a_changed_entry_are_stopped_before_it_starts_again() {
    let mut stage = Stage::running("g:w:1:wait:w", "g", "1", "w");
    stage.ended("w", Exit::Code(0), true);
    stage.reread("g:w:1:wait:other");
    assert_eq!(stage.did(), "stop w");
    stage.emptied("w");
    assert_eq!(stage.did(), "release w, spawn w");
}
