//! What a table asks for and this machine does not have.

use clinit_keeper::steps::Bound;
use clinit_sys::cgroup;
use clinit_table::{Diagnostic, ParseOptions, Severity, Source, given};

use crate::accounts::{accounts_of, look_up, warnings};

/// The property that sets a bound.
fn property(bound: Bound) -> &'static str {
    match bound {
        Bound::Memory => "memory_max",
        Bound::Cpu => "cpu_max",
        Bound::Pids => "pids_max",
    }
}

/// Warns of what a table asks for and this machine does not have: users, Unix groups, controllers of cgroups.
/// May wait for a name service.
#[must_use]
pub fn missing(sources: &[Source], options: ParseOptions) -> Vec<Diagnostic> {
    let table = clinit_table::parse(sources, options).table;
    let mut found = warnings(sources, options, &look_up(accounts_of(&table)));
    for bound in Bound::ALL {
        let places = given(sources, options, &[property(bound)], 2);
        let (Some(place), Some(why)) =
            (places.into_iter().find(|place| place.value != "max"), why_absent(bound))
        else {
            continue;
        };
        found.push(Diagnostic {
            severity: Severity::Warning,
            code: "no-controller",
            message: format!("{} has no effect on this machine: {why}", property(bound)),
            span: Some(place.span),
            hint: Some(
                "entries start all the same; cgroup v1 may hold it: boot with cgroup_no_v1=all".to_owned(),
            ),
        });
    }
    found
}

/// Why the hierarchy cannot bound anything in this; `None` if it could.
fn why_absent(bound: Bound) -> Option<String> {
    match cgroup::controllers() {
        Err(error) => Some(error.to_string()),
        Ok(all) if all.iter().any(|name| name == bound.controller()) => None,
        Ok(_) => Some(format!("cgroup2 has no controller {} here", bound.controller())),
    }
}

/// What is to be said of an entry that runs without these bounds, by their bits.
pub(crate) fn unbounded(bits: u8) -> String {
    let bounds: Vec<Bound> = Bound::ALL.into_iter().filter(|bound| bits & bound.bit() != 0).collect();
    let names: Vec<&str> = bounds.iter().map(|&bound| property(bound)).collect();
    let why = bounds.iter().find_map(|&bound| why_absent(bound)).unwrap_or_else(|| {
        let path = cgroup::own_path().unwrap_or_default();
        let path = path.display();
        format!("{path} cannot hand its controllers down: start clinit in a cgroup that it has for itself")
    });
    format!("{} not in effect: {why}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_has_a_property() {
        for bound in Bound::ALL {
            assert!(clinit_table::property::find(property(bound)).is_some(), "{bound:?}");
        }
    }

    #[test]
    fn what_is_not_in_effect_is_named() {
        assert!(unbounded(0b101).starts_with("memory_max, pids_max not in effect: "));
    }
}
