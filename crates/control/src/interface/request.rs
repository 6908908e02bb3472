//! From a call to what it asks for.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{
    CallError, Events, Explain, GetInfo, GetInterfaceDescription, INIT, Method, Plan, Reexec, Reload, Reread,
    Reset, Restart, Run, SERVICE, Shutdown, Signal, Start, Status, Stop, Tell,
};
use crate::message::{Call, opens_object};

/// What a client asks for. It serialises as its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Request {
    /// Give a group a level.
    Tell(Tell),
    /// Say how everything is.
    Status(Status),
    /// Start entries.
    Start(Start),
    /// Stop entries.
    Stop(Stop),
    /// Stop and start entries.
    Restart(Restart),
    /// Have entries read their configuration again.
    Reload(Reload),
    /// Let entries run again.
    Reset(Reset),
    /// Send entries a signal.
    Signal(Signal),
    /// Make an entry that no table has.
    Run(Run),
    /// Say why entries are as they are.
    Explain(Explain),
    /// Say what a table would change.
    Plan(Plan),
    /// Say what happened, and what happens.
    Events(Events),
    /// Reread the table.
    Reread(Reread),
    /// Become another program.
    Reexec(Reexec),
    /// End.
    Shutdown(Shutdown),
    /// Say who you are.
    GetInfo(GetInfo),
    /// Describe an interface.
    GetInterfaceDescription(GetInterfaceDescription),
}

impl Request {
    /// Reads what `call` asks for. Parameters that the method does not have are refused: a caller that is
    /// newer than the daemon must learn that its wish was not heard.
    ///
    /// # Errors
    /// The reply that refuses the call.
    pub fn parse(call: &Call<&RawValue>) -> Result<Self, CallError> {
        let request = match &*call.method {
            Tell::NAME => Self::Tell(read(call, |given| {
                let (group, level) = (given.required("group")?, given.required("level")?);
                Ok(Tell { group, level, strict: given.optional("strict")?.unwrap_or_default() })
            })?),
            Status::NAME => Self::Status(read(call, |given| {
                Ok(Status { group: given.optional("group")?, tag: given.optional("tag")? })
            })?),
            Start::NAME => Self::Start(read(call, |given| {
                Ok(Start { group: given.optional("group")?, tag: given.optional("tag")? })
            })?),
            Stop::NAME => Self::Stop(read(call, |given| {
                let (group, tag) = (given.optional("group")?, given.optional("tag")?);
                Ok(Stop { group, tag, now_only: given.optional("now_only")?.unwrap_or_default() })
            })?),
            Restart::NAME => Self::Restart(read(call, |given| {
                Ok(Restart { group: given.optional("group")?, tag: given.optional("tag")? })
            })?),
            Reload::NAME => Self::Reload(read(call, |given| {
                Ok(Reload { group: given.optional("group")?, tag: given.optional("tag")? })
            })?),
            Reset::NAME => Self::Reset(read(call, |given| {
                Ok(Reset { group: given.optional("group")?, tag: given.optional("tag")? })
            })?),
            Signal::NAME => Self::Signal(read(call, |given| {
                let (group, tag) = (given.optional("group")?, given.optional("tag")?);
                Ok(Signal { group, tag, signal: given.required("signal")? })
            })?),
            Run::NAME => Self::Run(read(call, |given| {
                Ok(Run {
                    group: given.optional("group")?,
                    tag: given.optional("tag")?,
                    mode: given.optional("mode")?,
                    properties: given.optional("properties")?.unwrap_or_default(),
                    command: given.required("command")?,
                    until_ended: given.optional("until_ended")?.unwrap_or_default(),
                })
            })?),
            Explain::NAME => Self::Explain(read(call, |given| {
                Ok(Explain { group: given.optional("group")?, tag: given.optional("tag")? })
            })?),
            Plan::NAME => Self::Plan(read(call, |given| Ok(Plan { table: given.optional("table")? }))?),
            Events::NAME => Self::Events(read(call, |given| {
                Ok(Events { follow: given.optional("follow")?.unwrap_or_default() })
            })?),
            Reread::NAME => Self::Reread(read(call, |_| Ok(Reread {}))?),
            Reexec::NAME => Self::Reexec(read(call, |given| {
                Ok(Reexec { program: given.optional("program")?, timeout_ms: given.optional("timeout_ms")? })
            })?),
            Shutdown::NAME => Self::Shutdown(read(call, |given| {
                Ok(Shutdown { now: given.optional("now")?.unwrap_or_default() })
            })?),
            GetInfo::NAME => Self::GetInfo(read(call, |_| Ok(GetInfo {}))?),
            GetInterfaceDescription::NAME => Self::GetInterfaceDescription(read(call, |given| {
                Ok(GetInterfaceDescription { interface: given.required("interface")? })
            })?),
            method => return Err(unknown(method)),
        };
        if call.upgrade {
            return Err(CallError::MethodNotImplemented { method: call.method.clone().into_owned() });
        }
        Ok(request)
    }

    /// The full name of its method.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Tell(_) => Tell::NAME,
            Self::Status(_) => Status::NAME,
            Self::Start(_) => Start::NAME,
            Self::Stop(_) => Stop::NAME,
            Self::Restart(_) => Restart::NAME,
            Self::Reload(_) => Reload::NAME,
            Self::Reset(_) => Reset::NAME,
            Self::Signal(_) => Signal::NAME,
            Self::Run(_) => Run::NAME,
            Self::Explain(_) => Explain::NAME,
            Self::Plan(_) => Plan::NAME,
            Self::Events(_) => Events::NAME,
            Self::Reread(_) => Reread::NAME,
            Self::Reexec(_) => Reexec::NAME,
            Self::Shutdown(_) => Shutdown::NAME,
            Self::GetInfo(_) => GetInfo::NAME,
            Self::GetInterfaceDescription(_) => GetInterfaceDescription::NAME,
        }
    }
}

/// Why there is no such method.
fn unknown(method: &str) -> CallError {
    match method.rsplit_once('.') {
        None | Some((INIT | SERVICE, _)) => CallError::MethodNotFound { method: method.to_owned() },
        Some((interface, _)) => CallError::InterfaceNotFound { interface: interface.to_owned() },
    }
}

/// Reads the parameters of `call` with `build`, which takes what it knows; what is left is refused.
fn read<T>(
    call: &Call<&RawValue>,
    build: impl FnOnce(&mut Parameters<'_>) -> Result<T, CallError>,
) -> Result<T, CallError> {
    let mut given = Parameters::of(call)?;
    let parameters = build(&mut given)?;
    given.finish()?;
    Ok(parameters)
}

/// The parameters of a call that were not yet taken.
///
/// By hand rather than derived: the error must name the parameter.
struct Parameters<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Parameters<'a> {
    fn of(call: &Call<&'a RawValue>) -> Result<Self, CallError> {
        let text = call.parameters.map_or("{}", RawValue::get);
        let given = opens_object(text.as_bytes()).then(|| serde_json::from_str(text).ok()).flatten();
        given.map(Self).ok_or_else(|| invalid("parameters"))
    }

    fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, CallError> {
        self.optional(name)?.ok_or_else(|| invalid(name))
    }

    /// Null is absent.
    fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, CallError> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        serde_json::from_str(value.get()).map_err(|_| invalid(name))
    }

    fn finish(mut self) -> Result<(), CallError> {
        self.0.pop_first().map_or(Ok(()), |(name, _)| Err(invalid(&name)))
    }
}

fn invalid(parameter: &str) -> CallError {
    CallError::InvalidParameter { parameter: parameter.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, parameters: &str) -> Result<Request, CallError> {
        let text = format!(r#"{{"method":"{method}","parameters":{parameters}}}"#);
        Request::parse(&Call::decode(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_call_becomes_a_request() {
        let tell = Tell { group: "web".to_owned(), level: "run".to_owned(), strict: true };
        let given = parse(Tell::NAME, r#"{"strict":true,"level":"run","group":"web"}"#);
        assert_eq!(given, Ok(Request::Tell(tell)));
        let status = Status { group: Some("web".to_owned()), tag: None };
        assert_eq!(parse(Status::NAME, r#"{"group":"web","tag":null}"#), Ok(Request::Status(status)));
        assert_eq!(parse(Reread::NAME, "null"), Ok(Request::Reread(Reread {})));
        assert_eq!(parse(Shutdown::NAME, "{}"), Ok(Request::Shutdown(Shutdown { now: false })));
    }

    #[test]
    fn the_error_names_the_parameter_that_is_wrong() {
        let wrong = |method: &str, parameters: &str| match parse(method, parameters) {
            Err(CallError::InvalidParameter { parameter }) => parameter,
            other => panic!("{parameters} gave {other:?}"),
        };
        assert_eq!(wrong(Tell::NAME, r#"{"group":"web"}"#), "level");
        assert_eq!(wrong(Tell::NAME, r#"{"group":"web","level":null}"#), "level");
        assert_eq!(wrong(Tell::NAME, r#"{"group":1,"level":"run"}"#), "group");
        assert_eq!(wrong(Tell::NAME, r#"{"group":"web","level":"run","strict":"yes"}"#), "strict");
        assert_eq!(wrong(Tell::NAME, r#"{"group":"web","level":"run","when":1}"#), "when");
        assert_eq!(wrong(Reread::NAME, r#"{"x":1}"#), "x");
        assert_eq!(wrong(Tell::NAME, r#"["web","run"]"#), "parameters");
        assert_eq!(wrong(Tell::NAME, "3"), "parameters");
    }

    #[test]
    fn an_unknown_method_is_told_from_an_unknown_interface() {
        let method = |method: &str| Err(CallError::MethodNotFound { method: method.to_owned() });
        assert_eq!(parse("org.clinit.Init.Fly", "{}"), method("org.clinit.Init.Fly"));
        assert_eq!(parse("Tell", "3"), method("Tell"));
        let interface = CallError::InterfaceNotFound { interface: "org.clinit".to_owned() };
        assert_eq!(parse("org.clinit.Tell", "{}"), Err(interface));
    }

    #[test]
    fn no_method_upgrades_the_connection() {
        let call = Call::decode(br#"{"method":"org.clinit.Init.Reread","upgrade":true}"#).unwrap();
        assert!(matches!(Request::parse(&call), Err(CallError::MethodNotImplemented { .. })));
    }
}
