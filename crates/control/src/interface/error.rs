//! Why a call was refused: the errors of both interfaces as one type.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use super::Fault;

/// Why a call was refused.
///
/// It serialises as the whole reply that says so: `{"error": NAME, "parameters": {...}}`.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "error", content = "parameters")]
pub enum CallError {
    /// The table has no such group.
    #[error("no such group: {group}")]
    #[serde(rename = "org.clinit.Init.NoSuchGroup")]
    NoSuchGroup {
        /// What was asked for.
        group: String,
        /// A name much like it.
        #[serde(skip_serializing_if = "Option::is_none")]
        suggestion: Option<String>,
    },
    /// No entry of the group has the level, and the caller was strict.
    #[error("group {group} has no level {level}")]
    #[serde(rename = "org.clinit.Init.NoSuchLevel")]
    NoSuchLevel {
        /// The group.
        group: String,
        /// What was asked for.
        level: String,
        /// The levels that the group's entries name.
        levels: Vec<String>,
        /// One of them that is much like it.
        #[serde(skip_serializing_if = "Option::is_none")]
        suggestion: Option<String>,
    },
    /// There is no such entry.
    #[error("no such entry: {name}")]
    #[serde(rename = "org.clinit.Init.NoSuchEntry")]
    NoSuchEntry {
        /// What was asked for.
        name: String,
        /// A name much like it.
        #[serde(skip_serializing_if = "Option::is_none")]
        suggestion: Option<String>,
    },
    /// The name given as a tag alone is a group's name, too.
    #[error("{name} is the name of an entry and of a group")]
    #[serde(rename = "org.clinit.Init.Ambiguous")]
    Ambiguous {
        /// The name.
        name: String,
    },
    /// The entry that is to be made cannot be.
    #[error("no such entry can be made{}", many(faults))]
    #[serde(rename = "org.clinit.Init.InvalidEntry")]
    InvalidEntry {
        /// All that is wrong with it.
        faults: Vec<Fault>,
    },
    /// There is an entry of this tag already.
    #[error("there is an entry {name} already")]
    #[serde(rename = "org.clinit.Init.EntryExists")]
    EntryExists {
        /// Its name, as `GROUP/TAG`.
        name: String,
    },
    /// The caller may not do this.
    #[error("not permitted: {what}")]
    #[serde(rename = "org.clinit.Init.NotPermitted")]
    NotPermitted {
        /// What was refused.
        what: String,
        /// Who may, or how.
        remedy: String,
    },
    /// The program cannot take the place of the daemon's.
    #[error("{program} is not taken: {reason}")]
    #[serde(rename = "org.clinit.Init.ProgramRefused")]
    ProgramRefused {
        /// Its path.
        program: String,
        /// Why not.
        reason: String,
    },
    /// The daemon is on its way out and starts nothing any more.
    #[error("the daemon is shutting down")]
    #[serde(rename = "org.clinit.Init.ShuttingDown")]
    ShuttingDown,
    /// The daemon has as many clients as it takes. It sends this before any call, and hangs up.
    #[error("the daemon has too many clients")]
    #[serde(rename = "org.clinit.Init.Busy")]
    Busy,
    /// There is no such interface.
    #[error("the daemon has no interface {interface:?}")]
    #[serde(rename = "org.varlink.service.InterfaceNotFound")]
    InterfaceNotFound {
        /// What was asked for.
        interface: String,
    },
    /// The interface has no such method.
    #[error("the daemon has no method {method:?}")]
    #[serde(rename = "org.varlink.service.MethodNotFound")]
    MethodNotFound {
        /// What was asked for, in full.
        method: String,
    },
    /// The interface has the method, but the daemon does not do it, or not in this way.
    #[error("the daemon does not do {method:?}")]
    #[serde(rename = "org.varlink.service.MethodNotImplemented")]
    MethodNotImplemented {
        /// What was asked for, in full.
        method: String,
    },
    /// A parameter is unknown, missing or not of its type.
    #[error("parameter {parameter:?} is unknown, missing or not of its type")]
    #[serde(rename = "org.varlink.service.InvalidParameter")]
    InvalidParameter {
        /// Its name.
        parameter: String,
    },
    /// The caller may not do this, says a service that is not clinit's.
    #[error("permission denied")]
    #[serde(rename = "org.varlink.service.PermissionDenied")]
    PermissionDenied,
    /// The method has several replies, and was called without `more`.
    #[error("the method has several replies and was called for one")]
    #[serde(rename = "org.varlink.service.ExpectedMore")]
    ExpectedMore,
}

impl CallError {
    /// What the caller can do about it, as a sentence for people.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSuchGroup { suggestion, .. } | Self::NoSuchEntry { suggestion, .. } => {
                suggestion.as_ref().map(|name| format!("did you mean {name}?"))
            }
            Self::NoSuchLevel { suggestion: Some(level), .. } => Some(format!("did you mean {level}?")),
            Self::NoSuchLevel { levels, .. } if levels.is_empty() => None,
            Self::NoSuchLevel { levels, .. } => Some(format!("its levels are {}", levels.join(", "))),
            Self::Ambiguous { .. } => Some("write GROUP/TAG for the entry".to_owned()),
            Self::EntryExists { name } => {
                Some(format!("take another tag, or, if nobody needs that one: clinit stop {name}"))
            }
            Self::NotPermitted { remedy, .. } => Some(remedy.clone()),
            Self::ProgramRefused { .. } => Some("all goes on as before".to_owned()),
            Self::Busy => Some("try again in a moment".to_owned()),
            Self::InterfaceNotFound { .. } | Self::MethodNotFound { .. } | Self::InvalidParameter { .. } => {
                Some("program and daemon may be of different versions".to_owned())
            }
            Self::InvalidEntry { .. } => None,
            Self::ShuttingDown | Self::MethodNotImplemented { .. } => None,
            Self::PermissionDenied | Self::ExpectedMore => None,
        }
    }

    /// The error that a reply carries, or `None` if it is none of these.
    pub(crate) fn from_reply(error: &str, parameters: Option<&RawValue>) -> Option<Self> {
        let mut reply = serde_json::Map::from_iter([("error".to_owned(), Value::from(error))]);
        let parameters: Value = serde_json::from_str(parameters.map_or("{}", RawValue::get)).ok()?;
        // Errors without parameters come as an empty object, too.
        if parameters.as_object().is_none_or(|parameters| !parameters.is_empty()) {
            reply.insert("parameters".to_owned(), parameters);
        }
        serde_json::from_value(Value::Object(reply)).ok()
    }
}

/// The faults, one behind the other.
fn many(faults: &[Fault]) -> String {
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    if faults.is_empty() { String::new() } else { format!(": {}", faults.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_whole_reply_that_says_so() {
        let error = CallError::NoSuchGroup { group: "wbe".to_owned(), suggestion: Some("web".to_owned()) };
        assert_eq!(error.to_string(), "no such group: wbe");
        assert_eq!(error.hint().unwrap(), "did you mean web?");
        let written =
            r#"{"error":"org.clinit.Init.NoSuchGroup","parameters":{"group":"wbe","suggestion":"web"}}"#;
        assert_eq!(serde_json::to_string(&error).unwrap(), written);
        assert_eq!(serde_json::from_str::<CallError>(written).unwrap(), error);
    }

    #[test]
    fn errors_without_parameters_come_with_an_empty_object_or_none() {
        let empty = RawValue::from_string("{}".to_owned()).unwrap();
        for parameters in [None, Some(&*empty)] {
            let error = CallError::from_reply("org.clinit.Init.Busy", parameters);
            assert_eq!(error, Some(CallError::Busy));
        }
        assert_eq!(CallError::from_reply("org.clinit.Init.NoSuchGroup", Some(&empty)), None);
        assert_eq!(CallError::from_reply("org.example.New", None), None);
    }
}
