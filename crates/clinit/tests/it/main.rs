//! The program as its users see it: commands, files, processes, and what becomes of them.
//!
//! | file | room for |
//! |---|---|
//! | `place`, `kept`, `daemon`, `guard`, `command`, `process`, `script`, `wait`, `lives`, `wire`, `cgroup2`, `user` | tools |
//! | `speaker`, `crowd` | services of tests |
//! | `levels`, `modes`, `throttle`, `newest`, `stopping`, `leftovers` | what a table means |
//! | `rereading`, `refusing`, `drop_in` | tables that change |
//! | `logs`, `logs_full`, `logs_verb`, `streams` | what entries print |
//! | `child`, `cgroups`, `exec`, `surroundings`, `identity` | what a service is started with |
//! | `notify`, `listening` | what services say, and where they listen |
//! | `care`, `health`, `failover`, `restarts`, `stop_commands`, `graph`, `misbehaving`, `care_deaths` | how entries are looked after |
//! | `original`, `isinit`, `autostart`, `verbs`, `status`, `tell`, `check`, `tables`, `completion` | commands |
//! | `hand`, `reload`, `run`, `waiting` | what is done by hand, and what people hear who wait |
//! | `sockets`, `status_file`, `varlink`, `rude`, `strangers`, `hostile`, `python` | the daemon's files, its socket |
//! | `up`, `examples`, `guide`, `boot` | tables in the foreground, examples, the first hour, at boot |
//! | `deaths`, `kills`, `unkillable`, `faults`, `reexec`, `reboot`, `idle` | what the daemon outlives, and that it rests |
//!
//! Every test has a folder of its own with a table, a socket and a status file in it. All that was started
//! there is found by the socket's path, and ends with the test.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod cgroup2;
mod command;
mod crowd;
mod daemon;
mod guard;
mod kept;
mod lives;
mod place;
mod process;
mod script;
mod speaker;
mod user;
mod wait;
mod web;
mod wire;

mod autostart;
mod boot;
mod care;
mod care_deaths;
mod cgroups;
mod check;
mod child;
mod completion;
mod container;
mod deaths;
mod drop_in;
mod examples;
mod exec;
mod failover;
mod faults;
mod graph;
mod guide;
mod hand;
mod health;
mod hostile;
mod identity;
mod idle;
mod isinit;
mod kills;
mod leftovers;
mod levels;
mod listening;
mod logs;
mod logs_full;
mod logs_verb;
mod misbehaving;
mod modes;
mod newest;
mod notify;
mod original;
mod python;
mod reboot;
mod reexec;
mod refusing;
mod reload;
mod rereading;
mod restarts;
mod rude;
mod run;
mod sockets;
mod status;
mod status_file;
mod stop_commands;
mod stopping;
mod strangers;
mod streams;
mod surroundings;
mod tables;
mod tell;
mod throttle;
mod unkillable;
mod up;
mod varlink;
mod verbs;
mod waiting;
