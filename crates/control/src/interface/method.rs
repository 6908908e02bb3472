//! What all methods have in common.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    Events, Explain, GetInfo, GetInterfaceDescription, Plan, Reexec, Reload, Reread, Reset, Restart, Run,
    Shutdown, Signal, Start, Status, Stop, Tell,
};

/// A method; the value holds the parameters of one call.
pub trait Method: Serialize {
    /// Its full name.
    const NAME: &'static str;
    /// Its reply, the same for each when there are several.
    type Reply: Serialize + DeserializeOwned;
}

/// The full names of all methods.
pub const METHODS: [&str; 17] = [
    Tell::NAME,
    Status::NAME,
    Start::NAME,
    Stop::NAME,
    Restart::NAME,
    Reload::NAME,
    Reset::NAME,
    Signal::NAME,
    Run::NAME,
    Explain::NAME,
    Plan::NAME,
    Events::NAME,
    Reread::NAME,
    Reexec::NAME,
    Shutdown::NAME,
    GetInfo::NAME,
    GetInterfaceDescription::NAME,
];
