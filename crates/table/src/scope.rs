//! Scopes: what the properties given at one scope make of the wider scope's values.

use std::collections::HashMap;

use crate::property::{Change, Draft, Property, RULES, Rule};
use crate::report::{Reference, Report};
use crate::source::Field;

/// A property set to a value, as its line gives it.
pub(crate) struct Assignment<'a> {
    pub(crate) property: &'static Property,
    /// The name as it was written.
    pub(crate) name: Field<'a>,
    /// The value as it was written.
    pub(crate) value: Field<'a>,
    /// Whether it beats what the command line or the constructor gives, and plain lines of the table.
    pub(crate) overrides: bool,
    pub(crate) change: Change,
}

/// The values in effect at a scope, which begin as the `wider` ones.
///
/// The lines `given` take effect in order. Those with which a rule would be broken are reported and removed
/// from `given`. The wider values break none, so that the fault is always in a line of this scope.
pub(crate) fn settle<'a>(wider: &Draft, given: &mut Vec<Assignment<'a>>, report: &mut Report) -> Draft {
    // An overriding line is meant to win, wherever it stands.
    given.sort_by_key(|assignment| assignment.overrides);
    for rule in RULES {
        remove_breakers(rule, wider, given, report);
    }
    warn_of_repeats(given, report);
    let mut draft = wider.clone();
    for assignment in given {
        (assignment.change)(&mut draft);
    }
    draft.finish(wider);
    draft
}

/// Keeps the most lines from the start that leave the rule unbroken, and of the others those that it is not
/// about.
fn remove_breakers(rule: &Rule, wider: &Draft, given: &mut Vec<Assignment<'_>>, report: &mut Report) {
    let is_about = |assignment: &Assignment<'_>| rule.between.contains(&assignment.property.name);
    if !given.iter().any(is_about) {
        return;
    }
    let mut draft = wider.clone();
    let mut sound = 0;
    for (index, assignment) in given.iter().enumerate() {
        (assignment.change)(&mut draft);
        if !(rule.is_broken)(&draft) {
            sound = index + 1;
        }
    }
    let mut index = 0;
    given.retain(|assignment| {
        index += 1;
        let stays = index <= sound || !is_about(assignment);
        if !stays {
            report.fault(assignment.value, "conflict", rule.message).hint(rule.hint);
        }
        stays
    });
}

fn warn_of_repeats(given: &[Assignment<'_>], report: &mut Report) {
    if given.len() < 2 {
        return;
    }
    let mut seen = HashMap::new();
    for Assignment { property, name, .. } in given.iter().filter(|given| !given.property.is_list()) {
        if let Some(before) = seen.insert(property.name, name.line) {
            let before = Reference::new(name.line, before, report);
            report
                .warning(*name, "set-twice", format_args!("`{}` is set twice", property.name))
                .hint(format_args!("{before} sets it too; this line wins"));
        }
    }
}
