//! What can be asked of the daemon: `org.clinit.Init`, and `org.varlink.service`, which describes it.
//!
//! Each method is a type: its parameters as fields, its name and its reply through [`Method`]. The text
//! files of the interfaces say the same in varlink's own language; a test compares the two, so that
//! neither can move alone. The daemon reads calls with [`Request::parse`].

mod error;
mod explain;
mod init;
mod method;
mod order;
mod request;
mod run;
mod service;
mod status;
mod watch;

pub use error::CallError;
pub use explain::{Cause, Explain, ExplainReply, Explained};
pub use init::{
    Fault, Outcome, Reexec, ReexecReply, Reread, RereadReply, Shutdown, ShutdownReply, Tell, TellReply,
};
pub use method::{METHODS, Method};
pub use order::{OrderReply, OrderedEntry, Reload, Reset, Restart, Signal, Start, Stop};
pub use request::Request;
pub use run::{Run, RunReply};
pub use service::{
    GetInfo, GetInfoReply, GetInterfaceDescription, GetInterfaceDescriptionReply, INIT, INIT_IDL, SERVICE,
    SERVICE_IDL,
};
pub use status::{
    DaemonStatus, EntryState, EntryStatus, ExitStatus, Failing, GroupState, GroupStatus, Hold, LogStatus,
    Status, StatusReply,
};
pub use watch::{Event, Events, EventsReply, Plan, PlanLine, PlanReply, PlanStep};
