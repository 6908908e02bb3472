//! One entry: how it runs, stops, fails and tries again.

use std::sync::Arc;
use std::time::Duration;

use clinit_engine::care::{Care, Delay};
use clinit_engine::event::Exit;

use crate::stage::Stage;

fn respawning() -> Stage {
    Stage::running("g:a:1:respawn:x", "g", "1", "a")
}

#[test]
fn respawn_starts_again_at_once() {
    let mut stage = respawning();
    stage.exited("a", 0);
    assert_eq!(stage.did(), "spawn a");
    assert_eq!(stage.phase("g"), "DONE", "the group does not mind");
}

#[test]
fn five_starts_in_ten_seconds_pause_for_sixty() {
    let mut stage = respawning();
    for _ in 0..4 {
        stage.wait(1.0);
        stage.exited("a", 1);
        assert_eq!(stage.did(), "spawn a");
        stage.spawned("a");
    }
    stage.exited("a", 1);
    assert_eq!((stage.did().as_str(), stage.state("a")), ("release a", "pausing"));
    stage.wait(59.9);
    assert_eq!(stage.did(), "");
    stage.wait(0.1);
    assert_eq!(stage.did(), "spawn a");
    stage.spawned("a");
    stage.exited("a", 1);
    assert_eq!(stage.did(), "spawn a", "counted from anew after the pause");
}

#[test]
fn a_pause_ends_when_the_entry_is_no_longer_wanted() {
    let mut stage = respawning();
    for _ in 0..5 {
        stage.exited("a", 1);
    }
    assert_eq!(stage.state("a"), "pausing");
    stage.tell("g", "2");
    assert_eq!((stage.state("a"), stage.phase("g"), stage.node.next_deadline()), ("down", "DONE", None));
}

#[test]
fn wait_once_and_test_do_not_start_again() {
    for mode in ["wait", "once", "test"] {
        let mut stage = Stage::running(&format!("g:a:1:{mode}:x"), "g", "1", "a");
        stage.exited("a", 0);
        assert_eq!((stage.did().as_str(), stage.state("a")), ("release a", "done"), "{mode}");
    }
}

#[test]
fn off_never_runs_and_holds_nobody() {
    let mut stage = Stage::new("g:a:1:off:x\ng:b:1:respawn:x");
    stage.tell("g", "1");
    assert_eq!(stage.did(), "spawn b");
    stage.spawned("b");
    stage.tell("g", "1");
    assert_eq!((stage.did().as_str(), stage.phase("g"), stage.state("a")), ("", "DONE", "down"));
}

#[test]
fn what_cannot_be_executed_counts_as_started_and_ended() {
    for (mode, state, phase) in [
        ("wait", "done", "DONE"),
        ("once", "done", "DONE"),
        ("test", "done", "FAILED"),
        ("respawn", "pausing", "DONE"),
    ] {
        let mut stage = Stage::new(&format!("g:a:1:{mode}:x\ng:b:1:once:x"));
        stage.tell("g", "1");
        for _ in 0..if mode == "respawn" { 5 } else { 1 } {
            stage.not_executed("a");
        }
        stage.spawned("b");
        assert_eq!((stage.state("a"), stage.phase("g")), (state, phase), "{mode}");
    }
}

#[test]
fn without_a_process_to_be_had_it_is_tried_again_every_second() {
    let mut stage = Stage::new("g:w:1:wait:x\ng:b:1:respawn:x");
    stage.tell("g", "1");
    for _ in 0..20 {
        assert_eq!(stage.did(), "spawn w");
        stage.not_spawned("w");
        assert_eq!((stage.did().as_str(), stage.phase("g")), ("release w", "STARTING"));
        stage.wait(1.0);
    }
    stage.spawned("w");
    stage.exited("w", 0);
    assert_eq!(stage.did(), "spawn w, release w, spawn b");
}

#[test]
fn starts_that_found_no_process_do_not_make_it_too_many() {
    let mut stage = Stage::new("g:a:1:respawn:x");
    stage.tell("g", "1");
    for _ in 0..9 {
        stage.not_spawned("a");
        stage.wait(1.0);
    }
    stage.spawned("a");
    stage.exited("a", 1);
    assert_eq!(stage.state("a"), "starting");
}

#[test]
fn a_stop_is_a_kill_after_the_timeout_and_again_every_five_seconds() {
    let mut stage = respawning();
    stage.tell("g", "2");
    assert_eq!(stage.did(), "stop a");
    stage.wait(9.9);
    assert_eq!(stage.did(), "");
    stage.wait(0.1);
    assert_eq!(stage.did(), "kill a");
    stage.wait(10.0);
    assert_eq!(stage.did(), "kill a, kill a");
    stage.ended("a", Exit::Signal(9), false);
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("release a", "DONE"));
}

#[test]
fn without_a_stop_timeout_nothing_is_killed() {
    let mut stage = respawning();
    stage.change("a", |spec| Arc::make_mut(&mut spec.policy).stop.timeout = None);
    stage.tell("g", "2");
    stage.wait(1e6);
    assert_eq!(stage.did(), "stop a");
}

#[test]
fn a_stop_before_the_keeper_has_confirmed_waits_for_the_process() {
    let mut stage = Stage::new("g:a:1:respawn:x");
    stage.tell("g", "1");
    stage.tell("g", "2");
    assert_eq!(stage.did(), "spawn a, stop a");
    stage.spawned("a");
    assert_eq!(stage.phase("g"), "STOPPING");
    stage.exited("a", 0);
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("release a", "DONE"));
}

#[test]
fn leftovers_of_respawn_are_awaited_before_it_starts_again() {
    let mut stage = respawning();
    stage.ended("a", Exit::Code(0), true);
    assert_eq!((stage.did().as_str(), stage.state("a")), ("", "clearing"));
    stage.wait(5.0);
    assert_eq!(stage.did(), "kill a", "once more, if the first did not help");
    stage.emptied("a");
    assert_eq!(stage.did(), "spawn a");
}

#[test]
fn leftovers_of_what_ran_once_live_on_and_leave_with_the_level() {
    let mut stage = Stage::running("g:a:1:wait:x\ng:b:1:once:x", "g", "1", "a");
    stage.ended("a", Exit::Code(0), true);
    assert_eq!((stage.did().as_str(), stage.state("a")), ("spawn b", "done, with leftovers"));
    stage.exited("b", 0);
    stage.did();
    stage.tell("g", "2");
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("stop a", "STOPPING"));
    stage.emptied("a");
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("release a", "DONE"));
}

#[test]
fn leftovers_of_what_was_stopped_are_awaited_and_killed() {
    let mut stage = respawning();
    stage.tell("g", "2");
    stage.ended("a", Exit::Signal(15), true);
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("stop a", "STOPPING"));
    stage.wait(10.0);
    assert_eq!(stage.did(), "kill a");
    stage.emptied("a");
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("release a", "DONE"));
}

#[test]
fn events_of_an_older_life_are_dropped() {
    let mut stage = respawning();
    let (id, old) = (stage.id("a"), stage.entry("a").generation());
    stage.exited("a", 0);
    stage.spawned("a");
    stage.did();
    stage.happens(clinit_engine::Event::Spawned { entry: id, generation: old, pid: 1 });
    let exited = |leftovers| clinit_engine::Event::Exited {
        entry: id,
        generation: old,
        exit: Exit::Code(0),
        leftovers,
    };
    stage.happens(exited(true));
    assert_eq!((stage.did().as_str(), stage.state("a")), ("", "running"));
    stage.happens(exited(false));
    assert_eq!(
        (stage.did().as_str(), stage.state("a")),
        ("release a", "running"),
        "the old life is forgotten"
    );
}

#[test]
fn a_lower_limit_of_starts_holds_at_the_end_of_a_delay() {
    let mut stage = respawning();
    let delay = Delay { first: Duration::from_secs(1), most: Duration::from_secs(1) };
    stage.change("a", |spec| {
        Arc::make_mut(&mut spec.policy).care = Some(Arc::new(Care { delay, ..Care::default() }));
    });
    stage.exited("a", 1);
    stage.wait(1.0);
    stage.spawned("a");
    stage.exited("a", 1);
    stage.change("a", |spec| Arc::make_mut(&mut spec.policy).throttle.starts = 2);
    stage.did();
    stage.wait(1.0);
    assert_eq!((stage.did().as_str(), stage.state("a")), ("release a", "pausing"));
    stage.wait(60.0);
    assert_eq!(stage.did(), "spawn a");
}

#[test]
fn a_lower_limit_of_starts_holds_at_once() {
    let mut stage = respawning();
    for _ in 0..3 {
        stage.wait(1.0);
        stage.exited("a", 1);
        stage.spawned("a");
    }
    stage.change("a", |spec| {
        Arc::make_mut(&mut spec.policy).throttle.starts = 2;
        Arc::make_mut(&mut spec.policy).throttle.pause = Duration::from_secs(7);
    });
    stage.did();
    stage.exited("a", 1);
    assert_eq!(stage.did(), "release a");
    stage.wait(7.0);
    assert_eq!(stage.did(), "spawn a");
}
