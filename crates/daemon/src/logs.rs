//! What readers of logs need: where they are, and how their times are written.

use std::path::{Path, PathBuf};

use clinit_engine::logging::Destination;
use clinit_engine::name::GroupName;
use clinit_engine::spec::{EntrySpec, Output};
pub use clinit_logger::{folder_name, stamp};
pub use clinit_sys::clock::local_offset_seconds;

/// Where a daemon in the background, whose folder of logs this is, keeps what an entry prints, if it does.
#[must_use]
pub fn folder_of(base: &Path, group: &GroupName, entry: &EntrySpec) -> Option<PathBuf> {
    match carried(Some(base), entry)? {
        Carried::Syslog => None,
        Carried::Below(base) => Some(base.join(folder_name(group.as_str(), entry.tag.as_str()))),
    }
}

/// Where a daemon in the background has lines carried.
pub(crate) enum Carried<'a> {
    /// To the system's log.
    Syslog,
    /// Into a folder below this one.
    Below(&'a Path),
}

/// Where a daemon in the background, whose folder of logs `base` is if it has one, has an entry's lines carried; `None`
/// when it has not.
pub(crate) fn carried<'a>(base: Option<&'a Path>, entry: &'a EntrySpec) -> Option<Carried<'a>> {
    match (entry.program.output, &entry.policy.log.to) {
        (Output::Inherit | Output::Null, _) => None,
        (Output::Logged, Destination::Syslog) => Some(Carried::Syslog),
        (Output::Usual, _) | (Output::Logged, Destination::Usual) => base.map(Carried::Below),
        (Output::Logged, Destination::Folder(path)) => Some(Carried::Below(Path::new(&**path))),
    }
}

/// Lets this process open as many files as it may: a reader of many logs has some for each.
pub fn open_many() {
    let _as_many_as_it_is = clinit_sys::limits::raise_open_files();
}
