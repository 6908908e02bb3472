//! What becomes of entries that are looked after: ready, well, given up, undone, and followed by others.

use std::sync::Arc;
use std::time::Duration;

use clinit_engine::care::{Care, Check, Failover, Health, Links, Readiness, Reload, Restart, Retry};
use clinit_engine::entry::GiveUp;
use clinit_engine::event::{Event, Exit, Order, Said};
use clinit_engine::name::Tag;
use clinit_engine::spec::{Command, EntrySpec, Program};

use crate::stage::{Stage, table};

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn command(text: &str) -> Command {
    Command::Shell(text.into())
}

fn requires(tags: &'static [&'static str]) -> impl Fn(&mut EntrySpec) {
    move |spec| {
        let requires = tags.iter().map(|tag| Tag::new(tag).unwrap()).collect();
        spec.links = Some(Arc::new(Links { after: Box::default(), requires }));
    }
}

fn ready_by(readiness: Readiness) -> impl Fn(&mut EntrySpec) {
    move |spec| {
        let program = Program { readiness: readiness.clone(), ..(*spec.program).clone() };
        spec.program = Arc::new(program);
    }
}

fn care(care: Care) -> impl Fn(&mut EntrySpec) {
    move |spec| Arc::make_mut(&mut spec.policy).care = Some(Arc::new(care.clone()))
}

impl Stage {
    fn says(&mut self, tag: &str, said: Said) {
        let (entry, generation) = (self.id(tag), self.entry(tag).generation());
        self.happens(Event::Notified { entry, generation, said });
    }

    fn answers(&mut self, tag: &str, accepted: bool) {
        let (entry, generation) = (self.id(tag), self.entry(tag).generation());
        self.happens(Event::Probed { entry, generation, accepted });
    }

    /// The one command that runs for entries ends with this status.
    fn task_exits(&mut self, code: u8) {
        self.task_ends(Exit::Code(code));
    }

    fn task_ends(&mut self, exit: Exit) {
        let (entry, task) = self.node.tasks().next().unwrap();
        let generation = task.generation();
        self.happens(Event::Exited { entry, generation, exit, leftovers: false });
    }
}

#[test]
fn those_behind_an_entry_wait_until_it_is_ready() {
    let mut stage = Stage::new("g:a:1:respawn:a\ng:b:1:respawn:b");
    stage.change("a", ready_by(Readiness::Notify));
    stage.tell("g", "1");
    stage.spawned("a");
    assert_eq!((stage.did().as_str(), stage.state("a")), ("spawn a", "running"));
    stage.says("a", Said::Ready);
    assert_eq!((stage.did().as_str(), stage.state("a")), ("spawn b", "ready"));
    stage.spawned("b");
    assert_eq!(stage.phase("g"), "DONE");
}

#[test]
fn a_word_that_comes_before_the_keepers_counts() {
    let mut stage = Stage::new("g:a:1:respawn:a");
    stage.change("a", ready_by(Readiness::Notify));
    stage.tell("g", "1");
    stage.says("a", Said::Ready);
    assert_eq!(stage.state("a"), "starting");
    stage.spawned("a");
    assert_eq!(stage.state("a"), "ready");
}

#[test]
fn who_is_not_ready_in_time_is_stopped_and_started_again() {
    let mut stage = Stage::new("g:a:1:respawn:a");
    stage.change("a", ready_by(Readiness::Fd(3)));
    stage.tell("g", "1");
    stage.spawned("a");
    stage.did();
    stage.wait(61.0);
    assert_eq!((stage.did().as_str(), stage.state("a")), ("stop a", "stopping"));
    stage.exited("a", 0);
    assert_eq!(stage.did(), "release a, spawn a");
}

#[test]
fn a_port_is_asked_until_somebody_answers() {
    let mut stage = Stage::new("g:a:1:respawn:a");
    stage.change("a", ready_by(Readiness::Check(Check::Tcp(([127, 0, 0, 1], 80).into()))));
    stage.tell("g", "1");
    stage.spawned("a");
    assert_eq!(stage.did(), "spawn a, probe a");
    stage.answers("a", false);
    stage.wait(0.1);
    assert_eq!(stage.did(), "probe a");
    stage.answers("a", true);
    assert_eq!(stage.state("a"), "ready");
}

#[test]
fn only_bad_answers_in_a_row_make_it_unhealthy() {
    let mut stage = Stage::new("g:a:1:respawn:a");
    let check = Check::Tcp(([127, 0, 0, 1], 80).into());
    let health = Some(Health { check, interval: seconds(1), timeout: seconds(5), threshold: 2 });
    stage.change("a", care(Care { health, ..Care::default() }));
    stage.tell("g", "1");
    stage.spawned("a");
    for accepted in [false, true, false] {
        stage.wait(1.1);
        stage.answers("a", accepted);
        assert_eq!(stage.state("a"), "running");
    }
    stage.did();
    stage.wait(1.1);
    stage.answers("a", false);
    assert_eq!((stage.did().as_str(), stage.state("a")), ("probe a, stop a", "stopping"));
    assert_eq!(stage.phase("g"), "DONE", "its group does not leave the level for that");
}

#[test]
fn what_answers_a_check_that_is_the_tables_no_longer_counts_for_nothing() {
    let health = |check| {
        let health = Health { check, interval: seconds(2), timeout: seconds(5), threshold: 1 };
        care(Care { health: Some(health), ..Care::default() })
    };
    let (port, script) = (Check::Tcp(([127, 0, 0, 1], 80).into()), Check::Exec(command("check")));
    let mut stage = Stage::new("g:a:1:respawn:a");
    stage.change("a", health(port.clone()));
    stage.tell("g", "1");
    stage.spawned("a");
    stage.wait(2.5);
    assert_eq!(stage.did(), "spawn a, probe a");
    stage.change("a", health(script));
    stage.answers("a", false);
    stage.wait(2.5);
    assert_eq!((stage.state("a"), stage.node.tasks().count()), ("running", 1), "the next question is asked");
    stage.did();
    stage.change("a", health(port));
    stage.wait(0.0);
    assert!(stage.did().starts_with("kill"), "a command of no use does not run on");
    stage.task_exits(1);
    assert_eq!(stage.state("a"), "running");
    stage.wait(2.5);
    stage.answers("a", false);
    assert_eq!(stage.state("a"), "stopping");
}

#[test]
fn who_is_not_asked_any_more_is_not_unwell_for_ever() {
    let mut stage = Stage::new("g:a:1:respawn:a");
    let check = Check::Tcp(([127, 0, 0, 1], 80).into());
    let health = Some(Health { check, interval: seconds(1), timeout: seconds(5), threshold: 1 });
    stage.change("a", care(Care { health, failover: Failover::LogOnly, ..Care::default() }));
    stage.tell("g", "1");
    stage.spawned("a");
    stage.wait(1.1);
    stage.answers("a", false);
    assert!(stage.entry("a").is_unwell());
    stage.change("a", care(Care { failover: Failover::LogOnly, ..Care::default() }));
    assert!(!stage.entry("a").is_unwell());
}

#[test]
fn a_check_whose_end_nobody_saw_is_no_answer() {
    let mut stage = Stage::new("g:a:1:respawn:a");
    let check = Check::Exec(command("check"));
    let health = Some(Health { check, interval: seconds(1), timeout: seconds(5), threshold: 1 });
    stage.change("a", care(Care { health, ..Care::default() }));
    stage.tell("g", "1");
    stage.spawned("a");
    for (exit, state) in [(Exit::Unknown, "running"), (Exit::Code(0), "running"), (Exit::Code(1), "stopping")]
    {
        stage.wait(1.1);
        stage.task_ends(exit);
        assert_eq!(stage.state("a"), state, "{exit:?}");
    }
}

fn given_up(failover: Failover) -> Stage {
    let mut stage = Stage::new("g:a:1:respawn:a\ng:b:1:respawn:b");
    let retry = Some(Retry { count: 1, interval: seconds(60) });
    stage.change("a", care(Care { retry, failover, ..Care::default() }));
    stage.tell("g", "1");
    stage.spawned("a b");
    stage.did();
    stage.exited("a", 1);
    assert_eq!(stage.did(), "spawn a");
    stage.spawned("a");
    stage.exited("a", 1);
    stage
}

#[test]
fn after_its_retries_an_entry_is_given_up_until_somebody_says_so() {
    let mut stage = given_up(Failover::None);
    assert_eq!((stage.did().as_str(), stage.state("a")), ("release a", "given up"));
    assert_eq!((stage.phase("g"), stage.state("b")), ("FAILED", "running"));
    stage.crash();
    stage.spawned("b");
    stage.happens(Event::InventoryTaken);
    assert_eq!(stage.state("a"), "given up", "that is not forgotten");
    stage.order("a", Order::Reset);
    stage.spawned("a");
    assert_eq!(stage.phase("g"), "DONE");
}

#[test]
fn restarts_that_were_let_be_count_when_they_are_let_be_no_longer() {
    let mut stage = Stage::new("g:a:1:respawn:a");
    let retry = Some(Retry { count: 2, interval: seconds(60) });
    stage.change("a", care(Care { retry, failover: Failover::LogOnly, ..Care::default() }));
    stage.tell("g", "1");
    stage.spawned("a");
    for _ in 0..3 {
        stage.exited("a", 1);
        assert_eq!(stage.state("a"), "starting", "with log_only it is restarted for ever");
        stage.spawned("a");
    }
    stage.change("a", care(Care { retry, failover: Failover::None, ..Care::default() }));
    assert_eq!(stage.state("a"), "running", "a change of policy touches nothing that runs");
    stage.exited("a", 1);
    assert_eq!(stage.state("a"), "given up");
}

#[test]
fn with_soft_the_group_goes_down_until_it_is_told() {
    let mut stage = given_up(Failover::Soft);
    assert_eq!(stage.did(), "release a, stop b");
    let why = stage.entry("a").why_given_up(GiveUp::Retries);
    assert_eq!(
        (stage.state("a"), why.as_str()),
        ("down", "it failed after 1 restarts within 60s (retry_count)")
    );
    stage.exited("b", 0);
    assert_eq!((stage.phase("g"), stage.state("b")), ("FAILED", "down"));
    stage.did();
    stage.tell("g", "1");
    assert_eq!(stage.did(), "spawn a, spawn b");
}

#[test]
fn restart_says_which_ends_are_followed_by_another_life() {
    for (restart, code, state) in [
        (Restart::Never, 0, "done"),
        (Restart::Never, 1, "given up"),
        (Restart::OnFailure, 0, "done"),
        (Restart::OnFailure, 1, "starting"),
        (Restart::OnFailure, 7, "done"),
    ] {
        let mut stage = Stage::new("g:a:1:respawn:a");
        stage.change("a", care(Care { restart, success: vec![Exit::Code(7)], ..Care::default() }));
        stage.tell("g", "1");
        stage.spawned("a");
        stage.exited("a", code);
        assert_eq!(stage.state("a"), state, "{restart:?} {code}");
    }
}

#[test]
fn what_a_wait_did_is_undone_when_its_level_is_left() {
    let mut stage = Stage::new("g:a:1:wait:a\ng:b:2:respawn:b");
    stage.change("a", care(Care { stop_command: Some(command("undo")), ..Care::default() }));
    stage.tell("g", "1");
    stage.spawned("a");
    stage.exited("a", 0);
    stage.did();
    stage.tell("g", "2");
    assert_eq!((stage.phase("g"), stage.state("a")), ("STOPPING", "stopping"));
    assert_eq!(stage.node.tasks().count(), 1);
    stage.task_exits(0);
    assert!(stage.did().ends_with("spawn b"));
    assert_eq!(stage.state("a"), "down");
}

#[test]
fn a_stop_command_that_fails_has_stopped_nothing() {
    for (code, expected) in [(0, ""), (1, "stop a")] {
        let mut stage = Stage::new("g:a:1:respawn:a");
        stage.change("a", care(Care { stop_command: Some(command("stop")), ..Care::default() }));
        stage.tell("g", "1");
        stage.spawned("a");
        stage.tell("g", "2");
        stage.did();
        stage.task_exits(code);
        let did = stage.did();
        assert_eq!(did.contains("stop a"), !expected.is_empty(), "{did}");
        stage.wait(11.0);
        assert!(stage.did().contains("kill a"), "it has stop_timeout either way");
    }
}

#[test]
fn a_reload_is_by_the_signal_that_the_table_names() {
    let mut stage = Stage::new("g:a:1:respawn:a");
    stage.change("a", care(Care { reload: Some(Reload::Signal(1)), ..Care::default() }));
    stage.tell("g", "1");
    stage.order("a", Order::Reload);
    assert_eq!(stage.did(), "spawn a", "nothing runs yet");
    stage.spawned("a");
    stage.order("a", Order::Reload);
    assert_eq!(stage.did(), "signal a 1");
}

fn chain() -> Stage {
    let mut stage = Stage::new("g:c:1:respawn:c\ng:b:1:respawn:b\ng:a:1:respawn:a\ng:x:1:respawn:x");
    stage.change("c", requires(&["b"]));
    stage.change("b", requires(&["a"]));
    stage.tell("g", "1");
    stage
}

#[test]
fn links_order_a_group_and_all_else_of_it_is_parallel() {
    let mut stage = chain();
    assert_eq!(stage.did(), "spawn a, spawn x");
    stage.spawned("a x");
    assert_eq!(stage.did(), "spawn b");
    stage.spawned("b");
    assert_eq!(stage.did(), "spawn c");
    stage.spawned("c");
    assert_eq!(stage.phase("g"), "DONE");
    stage.tell("g", "2");
    assert_eq!(stage.did(), "stop c, stop x");
    stage.exited("c", 0);
    assert_eq!(stage.did(), "release c, stop b");
    stage.exited("b", 0);
    assert_eq!(stage.did(), "release b, stop a");
}

#[test]
fn a_group_says_once_that_it_starts() {
    let mut stage = chain();
    stage.spawned("a x b c");
    assert_eq!(stage.said().matches("STARTING").count(), 1);
}

#[test]
fn who_requires_a_failed_entry_does_not_start() {
    let mut stage = Stage::new("g:a:1:wait:a\ng:b:1:respawn:b");
    stage.change("b", requires(&["a"]));
    stage.tell("g", "1");
    stage.spawned("a");
    stage.exited("a", 1);
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("spawn a, release a", "FAILED"));
    stage.crash();
    stage.happens(Event::InventoryTaken);
    assert_eq!((stage.did().as_str(), stage.state("b")), ("", "down"), "that is not forgotten");
    stage.order("a", Order::Start);
    stage.spawned("a");
    stage.exited("a", 0);
    assert!(stage.did().ends_with("spawn b"));
}

#[test]
fn a_table_that_judges_an_end_anew_moves_those_that_require_the_entry() {
    let mut stage = Stage::new("g:a:1:wait:a\ng:b:1:respawn:b");
    stage.change("b", requires(&["a"]));
    let success = vec![Exit::Code(1)];
    stage.change("a", care(Care { success: success.clone(), ..Care::default() }));
    stage.tell("g", "1");
    stage.spawned("a");
    stage.exited("a", 1);
    stage.spawned("b");
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("spawn a, release a, spawn b", "DONE"));
    stage.change("a", care(Care::default()));
    assert_eq!(stage.did(), "stop b");
    stage.exited("b", 0);
    assert_eq!((stage.did().as_str(), stage.phase("g")), ("release b", "FAILED"));
    stage.change("a", care(Care { success: success.clone(), ..Care::default() }));
    assert_eq!(stage.did(), "spawn b");
}

#[test]
fn a_failure_of_what_the_table_replaces_moves_nobody() {
    let mut stage = Stage::new("g:a:1:wait:a\ng:b:1:wait:b");
    stage.tell("g", "1");
    stage.spawned("a");
    stage.exited("a", 1);
    stage.spawned("b");
    stage.exited("b", 0);
    stage.did();
    let mut table = table("g:a:1:wait:another\ng:b:1:wait:b");
    requires(&["a"])(&mut table.groups[0].entries[1]);
    stage.accept(table);
    stage.spawned("a");
    stage.exited("a", 0);
    // With what it requires from now on it runs again; the failure of old does not keep it down.
    assert_eq!((stage.did().as_str(), stage.state("b")), ("spawn a, release a, spawn b", "starting"));
}

#[test]
fn a_crash_of_a_required_entry_touches_nobody_but_its_stop_does() {
    let mut stage = chain();
    stage.spawned("a x b c");
    stage.did();
    stage.exited("b", 1);
    assert_eq!(stage.did(), "spawn b");
    stage.spawned("b");
    stage.order("b", Order::Stop { hold: clinit_engine::entry::Hold::UntilStarted });
    assert_eq!(stage.did(), "stop c");
}

#[test]
fn who_waits_to_leave_still_waits_after_a_restore() {
    let mut stage = chain();
    stage.spawned("a x b c");
    stage.tell("g", "2");
    stage.exited("x", 0);
    stage.crash();
    stage.exited("c", 0);
    assert_eq!(stage.phase("g"), "STOPPING", "b and a have not been asked yet");
    stage.spawned("a b");
    stage.happens(Event::InventoryTaken);
    assert!(stage.did().ends_with("stop b"));
}

#[test]
fn who_the_table_has_no_longer_is_stopped_by_its_command_after_a_restore_too() {
    let mut stage = Stage::new("g:a:1:respawn:a\ng:b:1:respawn:b\ng:c:1:respawn:c");
    stage.change("b", requires(&["a"]));
    stage.change("a", care(Care { stop_command: Some(command("stop")), ..Care::default() }));
    stage.tell("g", "1");
    stage.spawned("a b c");
    stage.reread("g:c:1:respawn:c");
    stage.crash();
    stage.spawned("a b c");
    stage.happens(Event::InventoryTaken);
    stage.exited("b", 0);
    assert_eq!((stage.state("a"), stage.node.tasks().count()), ("stopping", 1));
}

#[test]
fn what_only_a_process_said_is_not_the_keepers_word() {
    let mut stage = Stage::new("g:a:1:respawn:a");
    stage.change("a", ready_by(Readiness::Notify));
    stage.tell("g", "1");
    stage.crash();
    stage.says("a", Said::Ready);
    stage.happens(Event::InventoryTaken);
    assert_eq!(stage.did(), "spawn a", "the keeper knows nothing of it: the order was lost");
}

#[test]
fn a_hold_that_is_released_forgets_no_start_of_one_that_runs() {
    let mut stage = chain();
    stage.spawned("a x b c");
    for _ in 0..4 {
        stage.exited("b", 1);
        stage.spawned("b");
    }
    // It has to wait for c, and is wanted again before its turn to stop has come.
    stage.order("b", Order::Stop { hold: clinit_engine::entry::Hold::UntilTold });
    stage.tell("g", "1");
    stage.exited("b", 1);
    assert_eq!(stage.state("b"), "pausing");
}
