//! In which order entries start, and what the tests among them say.

use crate::stage::Stage;

#[test]
fn entries_start_in_file_order_not_by_name() {
    let mut stage = Stage::new("g:c:1:respawn:x\ng:a:1:once:x\ng:b:1:respawn:x");
    stage.tell("g", "1");
    assert_eq!(stage.did(), "spawn c, spawn a, spawn b");
}

#[test]
fn wait_and_test_hold_the_next_until_they_have_exited() {
    let mut stage = Stage::new("g:w:1:wait:x\ng:t:1:test:x\ng:r:1:respawn:x");
    stage.tell("g", "1");
    assert_eq!(stage.did(), "spawn w");
    stage.spawned("w");
    assert_eq!(stage.did(), "");
    stage.exited("w", 3);
    assert_eq!(stage.did(), "release w, spawn t", "the status of wait does not matter");
    stage.spawned("t");
    stage.exited("t", 0);
    assert_eq!(stage.did(), "release t, spawn r");
}

#[test]
fn a_failed_test_does_not_stop_later_entries() {
    let mut stage = Stage::new("g:t:1:test:x\ng:r:1:respawn:x\ng:u:1:test:x");
    stage.tell("g", "1");
    stage.exited("t", 1);
    assert_eq!(stage.did(), "spawn t, release t, spawn r, spawn u");
    stage.spawned("r u");
    stage.exited("u", 0);
    assert_eq!(stage.phase("g"), "FAILED");
}

#[test]
fn tests_alone_decide_between_passed_and_failed() {
    for (codes, phase) in [([0, 0], "PASSED"), ([0, 1], "FAILED"), ([1, 0], "FAILED")] {
        let mut stage = Stage::new("g:t:1:test:x\ng:u:1:test:x");
        stage.tell("g", "1");
        stage.exited("t", codes[0]);
        stage.exited("u", codes[1]);
        assert_eq!(stage.phase("g"), phase, "{codes:?}");
    }
}

#[test]
fn a_passed_test_among_others_is_done() {
    let mut stage = Stage::new("g:t:1:test:x\ng:o:1:once:x");
    stage.tell("g", "1");
    stage.exited("t", 0);
    stage.exited("o", 1);
    assert_eq!(stage.phase("g"), "DONE");
}

#[test]
fn entries_of_another_level_or_off_do_not_spoil_the_result() {
    let mut stage = Stage::new("g:t:1:test:x\ng:o:1:off:x\ng:r:2:respawn:x");
    stage.tell("g", "1");
    stage.exited("t", 0);
    assert_eq!(stage.phase("g"), "PASSED");
}

#[test]
fn a_test_that_a_signal_ended_has_failed() {
    let mut stage = Stage::new("g:t:1:test:x");
    stage.tell("g", "1");
    stage.ended("t", clinit_engine::Exit::Signal(15), false);
    assert_eq!(stage.phase("g"), "FAILED");
}

#[test]
fn a_group_is_not_done_before_the_keeper_has_confirmed_its_processes() {
    let mut stage = Stage::new("g:a:1:respawn:x\ng:b:1:respawn:x");
    stage.tell("g", "1");
    stage.spawned("b");
    assert_eq!(stage.phase("g"), "STARTING");
    stage.spawned("a");
    assert_eq!(stage.phase("g"), "DONE");
}

#[test]
fn lines_that_change_places_while_a_group_starts_are_all_started() {
    let mut stage = Stage::new("g:a:1:wait:x\ng:b:1:respawn:x\ng:c:1:respawn:x");
    stage.tell("g", "1");
    stage.did();
    stage.reread("g:b:1:respawn:x\ng:c:1:respawn:x\ng:a:1:wait:x");
    assert_eq!(stage.did(), "spawn b, spawn c");
    stage.exited("a", 0);
    stage.spawned("b c");
    assert_eq!(stage.phase("g"), "DONE");
}
