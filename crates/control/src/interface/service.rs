//! `org.varlink.service`: the daemon describes itself.

use serde::{Deserialize, Serialize};

use super::{CallError, Method};

/// The name of clinit's own interface.
pub const INIT: &str = "org.clinit.Init";

/// The name of the interface that every varlink service has.
pub const SERVICE: &str = "org.varlink.service";

/// The text of [`INIT`].
pub const INIT_IDL: &str = include_str!("../org.clinit.Init.varlink");

/// The text of [`SERVICE`].
pub const SERVICE_IDL: &str = include_str!("../org.varlink.service.varlink");

/// Asks who answers, and with which interfaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GetInfo {}

impl Method for GetInfo {
    const NAME: &'static str = "org.varlink.service.GetInfo";
    type Reply = GetInfoReply;
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetInfoReply {
    /// Who makes the program.
    pub vendor: String,
    /// The program.
    pub product: String,
    /// Its version.
    pub version: String,
    /// Where more is to be read.
    pub url: String,
    /// The names of its interfaces.
    pub interfaces: Vec<String>,
}

impl GetInfo {
    /// The answer.
    #[must_use]
    pub fn answer(self) -> GetInfoReply {
        GetInfoReply {
            vendor: env!("CARGO_PKG_AUTHORS").to_owned(),
            product: "clinit".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            url: env!("CARGO_PKG_REPOSITORY").to_owned(),
            interfaces: vec![INIT.to_owned(), SERVICE.to_owned()],
        }
    }
}

/// Asks for the text of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GetInterfaceDescription {
    /// Its name.
    pub interface: String,
}

impl Method for GetInterfaceDescription {
    const NAME: &'static str = "org.varlink.service.GetInterfaceDescription";
    type Reply = GetInterfaceDescriptionReply;
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetInterfaceDescriptionReply {
    /// Its text.
    pub description: String,
}

impl GetInterfaceDescription {
    /// The answer.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn answer(self) -> Result<GetInterfaceDescriptionReply, CallError> {
        let description = match self.interface.as_str() {
            INIT => INIT_IDL,
            SERVICE => SERVICE_IDL,
            _ => return Err(CallError::InterfaceNotFound { interface: self.interface }),
        };
        Ok(GetInterfaceDescriptionReply { description: description.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_that_is_named_is_described() {
        for interface in (GetInfo {}).answer().interfaces {
            let heading = format!("interface {interface}\n");
            let described = GetInterfaceDescription { interface }.answer().unwrap();
            assert!(described.description.contains(&heading));
        }
        let unknown = GetInterfaceDescription { interface: "org.example".to_owned() };
        assert!(matches!(unknown.answer(), Err(CallError::InterfaceNotFound { .. })));
    }
}
