//! Calls and replies, the two kinds of message.
//!
//! Both are generic over their parameters: what arrives has them as text ([`RawValue`]) until the method
//! is known; what is sent has them as the method's own type.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

/// A call of a method.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call<P> {
    /// The method's full name: the interface's name, a dot, its own name.
    pub method: Cow<'static, str>,
    /// Its parameters, a JSON object.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub parameters: Option<P>,
    /// The client takes several replies; all but the last have [`Reply::continues`].
    #[serde(default, deserialize_with = "flag", skip_serializing_if = "is_unset")]
    pub more: bool,
    /// The client takes no reply, not even an error.
    #[serde(default, deserialize_with = "flag", skip_serializing_if = "is_unset")]
    pub oneway: bool,
    /// The client wants to speak another protocol from here on. No method of clinit has one.
    #[serde(default, deserialize_with = "flag", skip_serializing_if = "is_unset")]
    pub upgrade: bool,
}

/// A reply to a call.
///
/// One that refuses is written by serialising a [`CallError`](crate::CallError).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reply<P> {
    /// The reply's parameters, or the error's, a JSON object.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub parameters: Option<P>,
    /// Another reply to the same call follows.
    #[serde(default, deserialize_with = "flag", skip_serializing_if = "is_unset")]
    pub continues: bool,
    /// The error's full name, if the call was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'static, str>>,
}

/// A message is not what it should be. The stream is of no use any more.
#[derive(Debug, Error)]
pub enum MessageError {
    /// It is no JSON object.
    #[error("a message is no JSON object")]
    NoObject,
    /// It is no JSON, or lacks a field, or has one of a wrong type.
    #[error("a message is malformed")]
    Malformed(#[from] serde_json::Error),
}

impl<P> Call<P> {
    /// A call with one reply.
    #[must_use]
    pub fn new(method: &'static str, parameters: P) -> Self {
        Self {
            method: method.into(),
            parameters: Some(parameters),
            more: false,
            oneway: false,
            upgrade: false,
        }
    }
}

impl<'a> Call<&'a RawValue> {
    /// Reads a call. Fields that varlink does not know are ignored.
    ///
    /// # Errors
    /// It is none. The server ends the connection then: there is no telling what the client meant.
    pub fn decode(message: &'a [u8]) -> Result<Self, MessageError> {
        decode(message)
    }
}

impl<P> Reply<P> {
    /// The last or only reply to a call.
    #[must_use]
    pub fn last(parameters: P) -> Self {
        Self { parameters: Some(parameters), continues: false, error: None }
    }

    /// A reply that others follow. Only for a call with [`Call::more`].
    #[must_use]
    pub fn continued(parameters: P) -> Self {
        Self { parameters: Some(parameters), continues: true, error: None }
    }
}

impl<'a> Reply<&'a RawValue> {
    /// Reads a reply. Fields that varlink does not know are ignored.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(message: &'a [u8]) -> Result<Self, MessageError> {
        decode(message)
    }
}

/// Whether `json` is an object if it is anything. Derived readers would take an array for a struct, too.
pub(crate) fn opens_object(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'{')
}

fn decode<'a, T: Deserialize<'a>>(message: &'a [u8]) -> Result<T, MessageError> {
    if !opens_object(message) {
        return Err(MessageError::NoObject);
    }
    Ok(serde_json::from_slice(message)?)
}

/// A default that asks nothing of `T`.
fn none<T>() -> Option<T> {
    None
}

/// A flag of varlink's `?bool`: null is unset.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_unset(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flags_and_parameters_may_be_absent_or_null() {
        for text in [
            r#"{"method":"a.b"}"#,
            r#" {"method":"a.b","parameters":null,"more":null,"oneway":null,"upgrade":false,"new":1} "#,
        ] {
            let call = Call::decode(text.as_bytes()).unwrap();
            assert_eq!(call.method, "a.b");
            assert!(call.parameters.is_none() && !call.more && !call.oneway && !call.upgrade, "{text}");
        }
    }

    #[test]
    fn parameters_stay_the_text_that_came() {
        let call = Call::decode(br#"{"parameters": {"b":1, "a":[]} ,"method":"a.b","more":true}"#).unwrap();
        assert_eq!(call.parameters.unwrap().get(), r#"{"b":1, "a":[]}"#);
        assert!(call.more);
    }

    #[test]
    fn what_is_no_object_is_no_message() {
        for text in ["", " ", "[]", r#"["a.b",{},false,false,false]"#, "3", "\"{\"", "null"] {
            assert!(matches!(Call::decode(text.as_bytes()), Err(MessageError::NoObject)), "{text}");
        }
        let malformed: [&[u8]; 5] =
            [b"{", b"{}", br#"{"method":3}"#, b"{\"method\":\"\xff\"}", br#"{"method":"a","method":"b"}"#];
        for text in malformed {
            assert!(matches!(Call::decode(text), Err(MessageError::Malformed(_))), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_set_is_not_written() {
        let written = serde_json::to_value(Call::new("a.b", json!({"x": 1}))).unwrap();
        assert_eq!(written, json!({"method": "a.b", "parameters": {"x": 1}}));
        let written = serde_json::to_value(Reply::continued(json!({}))).unwrap();
        assert_eq!(written, json!({"parameters": {}, "continues": true}));
    }
}
