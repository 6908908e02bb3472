//! The system calls of clinit that need unsafe code, behind safe signatures.
//!
//! One topic a file; each names the manual page it follows. This is the only crate that may hold
//! `unsafe`, and each block says why it is sound.
//!
//! | file | room for |
//! |---|---|
//! | `spawn` | clone3 and what a child does before exec |
//! | `berths` | children that share memory until they exec |
//! | `image` | what is executed |
//! | `steps` | what a child gives up, takes on and enters before exec |
//! | `accounts` | users and Unix groups |
//! | `raw` | system calls without the C library |
//! | `slots` | the shared memory in which keeper and children note what became of them |
//! | `words` | a few words of shared memory that outlive their writer |
//! | `signals` | masks, dispositions, signalfd, names |
//! | `reap` | waiting for children |
//! | `cgroup` | finding, making, filling and killing cgroups |
//! | `inherit` | descriptors that a process is started with |
//! | `limits` | the limit of open files |
//! | `memory` | memory that is not needed |
//! | `peer` | who is at the other end of a socket |
//! | `datagram` | who sent a datagram |
//! | `proc` | what /proc tells of a process |
//! | `clock` | the clock that counts through suspend, and local time |
//!
//! Not here: policy of any kind, and what rustix offers safely already (epoll, sockets, files).

pub mod accounts;
pub mod berths;
pub mod cgroup;
pub mod clock;
pub mod datagram;
pub mod image;
pub mod inherit;
pub mod limits;
pub mod memory;
pub mod peer;
pub mod proc;
mod raw;
pub mod reap;
pub mod signals;
pub mod slots;
pub mod spawn;
pub mod steps;
pub mod words;
