//! Questions that say nothing: asked at a port at which the entry is given a socket (`listen`), they are answered whether
//! it runs or not, for the daemon holds that socket, and connections wait in it.

use std::net::SocketAddr;

use clinit_engine::care::{Check, ListenAddress, Readiness};
use clinit_engine::spec::EntrySpec;

use crate::report::Report;
use crate::scope::Assignment;

/// Warns of an entry that is asked so, where a line of its own says it.
pub(crate) fn check(spec: &EntrySpec, given: &[Assignment<'_>], report: &mut Report) {
    let health = spec.policy.care().health.as_ref();
    let asked = [
        (
            "readiness",
            of_readiness(&spec.program.readiness),
            "it is ready at once",
            "have it say so (`notify` or `fd:N`), or let `exec:COMMAND` ask for an answer",
        ),
        (
            "health_check",
            health.and_then(|health| of_check(&health.check)),
            "it is never unhealthy",
            "let `exec:COMMAND` ask for an answer, or have it say that it is well (`watchdog`)",
        ),
    ];
    for (name, address, so, hint) in asked {
        let Some(address) = address else { continue };
        if !spec.program.listen.iter().any(|socket| answers(&socket.address, address)) {
            continue;
        }
        let line = given.iter().rfind(|line| line.property.name == name);
        let Some(line) = line.or_else(|| given.iter().rfind(|line| line.property.name == "listen")) else {
            continue;
        };
        let port = address.port();
        report
            .warning(
                line.value,
                "hollow-check",
                format_args!("{name} asks port {port}, where `listen` has the daemon hold a socket: {so}"),
            )
            .hint(hint);
    }
}

fn of_readiness(readiness: &Readiness) -> Option<SocketAddr> {
    match readiness {
        Readiness::Check(check) => of_check(check),
        Readiness::Started | Readiness::Fd(_) | Readiness::Notify => None,
    }
}

fn of_check(check: &Check) -> Option<SocketAddr> {
    match check {
        Check::Tcp(address) => Some(*address),
        Check::Exec(_) => None,
    }
}

/// Whether connections to `asked` come to a socket that listens at `address`. One at `[::]` is for both families.
fn answers(address: &ListenAddress, asked: SocketAddr) -> bool {
    let ListenAddress::Tcp(address) = address else { return false };
    let is_any = address.ip().is_unspecified() && (address.is_ipv6() || asked.is_ipv4());
    address.port() == asked.port() && (is_any || address.ip() == asked.ip())
}
