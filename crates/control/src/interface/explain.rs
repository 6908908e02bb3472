//! `Explain`: the chains of causes that lead to where entries stand.

use clinit_engine::name::{GroupName, Tag};
use serde::{Deserialize, Serialize};

use super::Method;

/// Asks why entries are as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Explain {
    /// All entries of this group, or the one of `tag` in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Only this entry: its tag, or without `group` also `GROUP/TAG`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

impl Method for Explain {
    const NAME: &'static str = "org.clinit.Init.Explain";
    type Reply = ExplainReply;
}

/// Why entries are as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainReply {
    /// The entries, in the order of the table.
    pub entries: Vec<Explained>,
}

/// Why an entry is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Its group.
    pub group: GroupName,
    /// Its name.
    pub tag: Tag,
    /// Where the table has it, as `FILE:LINE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Why it is as it is, each cause behind what it causes.
    pub causes: Vec<Cause>,
}

/// A link of a chain of causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// A sentence for people.
    pub text: String,
    /// The line of the table that says so, as `FILE:LINE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}
