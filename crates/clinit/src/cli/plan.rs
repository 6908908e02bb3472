//! `clinit plan [TABLE] [--json]`

use clinit_control::client::ClientError;
use clinit_control::interface::{Plan, PlanReply};

use super::arguments::Check;
use super::exit::Exit;
use super::{Place, say};

/// Runs the verb.
pub(crate) fn run(place: &Place, plan: &Check) -> Exit {
    match ask(place, plan) {
        Ok(reply) if plan.json => match serde_json::to_string_pretty(&reply) {
            Ok(text) => {
                say::line(&text);
                exit(&reply)
            }
            Err(_) => Exit::System,
        },
        Ok(reply) => show(&reply),
        Err(error) => say::client_error(&error),
    }
}

fn ask(place: &Place, plan: &Check) -> Result<PlanReply, ClientError> {
    let table = plan.table.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
    let table = table.map(|path| path.to_string_lossy().into_owned());
    place.connect()?.call(&Plan { table })
}

fn exit(reply: &PlanReply) -> Exit {
    if reply.faults.is_empty() { Exit::Done } else { Exit::Failed }
}

fn show(reply: &PlanReply) -> Exit {
    for warning in &reply.warnings {
        say::note(&format!("clinit: warning: {warning}"));
    }
    for fault in &reply.faults {
        say::note(&format!("clinit: {fault}"));
    }
    if !reply.faults.is_empty() {
        say::note("clinit: this table would be refused; nothing would change");
    } else if reply.lines.is_empty() {
        say::line("nothing would change");
    }
    for line in &reply.lines {
        say::line(&format!("{:7}  {}/{}: {}", line.step.as_str(), line.group, line.tag, line.why));
    }
    exit(reply)
}
