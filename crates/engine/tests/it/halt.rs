//! The end of everything.

use clinit_engine::Event;

use crate::stage::Stage;

const TABLE: &str = "g:a:1:respawn:a\ng:w:1:wait:w\nh:b:1:respawn:b\ni:c:1:respawn:c";

fn running() -> Stage {
    let mut stage = Stage::running(TABLE, "g", "1", "a w");
    stage.tell("h", "1");
    stage.spawned("b");
    stage.did();
    stage.said();
    stage
}

#[test]
fn a_shutdown_stops_every_group_and_then_leaves() {
    let mut stage = running();
    stage.happens(Event::ShutdownRequested);
    assert_eq!(stage.did(), "stop a, stop w, stop b");
    assert_eq!((stage.phase("g"), stage.phase("h"), stage.phase("i")), ("HALTING", "HALTING", "CONFIGURED"));
    stage.exited("b", 0);
    assert_eq!(stage.phase("h"), "CONFIGURED");
    stage.exited("a w", 0);
    assert_eq!(stage.did(), "release b, release a, release w, leave");
    assert_eq!(stage.phase("g"), "CONFIGURED");
}

#[test]
fn with_nothing_to_stop_it_leaves_at_once_and_once() {
    let mut stage = Stage::new(TABLE);
    stage.happens(Event::ShutdownRequested);
    assert_eq!(stage.did(), "leave");
    stage.happens(Event::ShutdownRequested);
    stage.happens(Event::TimePassed);
    assert_eq!(stage.did(), "");
}

#[test]
fn nothing_starts_any_more_while_everything_ends() {
    let mut stage = running();
    stage.happens(Event::ShutdownRequested);
    stage.did();
    stage.tell("i", "1");
    stage.reread("g:new:1:respawn:x");
    stage.exited("a", 0);
    assert_eq!(stage.did(), "release a");
}

#[test]
fn a_shutdown_keeps_to_the_stop_timeouts() {
    let mut stage = running();
    stage.happens(Event::ShutdownRequested);
    stage.did();
    stage.wait(9.9);
    assert_eq!(stage.did(), "");
    stage.wait(0.1);
    assert_eq!(stage.did(), "kill a, kill w, kill b");
}

#[test]
fn in_a_hurry_everything_is_killed_at_once() {
    let mut stage = running();
    stage.happens(Event::HurryRequested);
    assert_eq!(stage.did(), "", "before a shutdown it means nothing");
    stage.happens(Event::ShutdownRequested);
    stage.happens(Event::HurryRequested);
    assert_eq!(stage.did(), "stop a, stop w, stop b, kill a, kill w, kill b");
    stage.exited("a w b", 0);
    assert_eq!(stage.did(), "release a, release w, release b, leave");
}

#[test]
fn a_group_that_was_dying_anyway_is_waited_for() {
    let mut stage = running();
    stage.reread("h:b:1:respawn:b\ni:c:1:respawn:c");
    stage.happens(Event::ShutdownRequested);
    assert_eq!(stage.did(), "stop a, stop w, stop b");
    stage.exited("b a", 0);
    assert_eq!(stage.did(), "release b, release a");
    stage.exited("w", 0);
    assert_eq!(stage.did(), "release w, leave");
}
