//! What may stand behind a verb, read from its usage.

use clinit::cli::verbs::Verb;

/// What may stand behind a verb.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// For each operand, what it may be: words in capitals that name a kind, others themselves.
    pub(crate) operands: Vec<Vec<&'static str>>,
    /// Options, each with the kind of its value if it has one, and what it does.
    pub(crate) options: Vec<(&'static str, Option<&'static str>, &'static str)>,
}

impl Usage {
    /// Reads the usage of a verb.
    pub(crate) fn of(verb: &Verb) -> Self {
        let option = |&(option, about): &(&'static str, &'static str)| match option.split_once(' ') {
            Some((name, kind)) => (name, Some(kind), about),
            None => (option, None, about),
        };
        let options = verb.options.iter().map(option).collect();
        Self { operands: operands(verb.usage.unwrap_or_default()), options }
    }
}

/// `A | B C [D] [--option E]` is A or B, then C, then perhaps D.
fn operands(usage: &'static str) -> Vec<Vec<&'static str>> {
    let mut all: Vec<Vec<&'static str>> = Vec::new();
    let mut joins = false;
    let mut in_option = false;
    for token in usage.split_whitespace() {
        let word = token.trim_matches(['[', ']', '.']);
        if in_option || word.starts_with('-') {
            in_option = !token.ends_with(']');
        } else if word == "|" {
            joins = true;
        } else if !word.is_empty() {
            match all.last_mut().filter(|_| joins) {
                Some(last) => last.push(word),
                None => all.push(vec![word]),
            }
            joins = false;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_read_from_a_usage() {
        let read = |usage| operands(usage);
        assert_eq!(read("GROUP LEVEL [--wait] [--timeout SECONDS]"), [vec!["GROUP"], vec!["LEVEL"]]);
        assert_eq!(
            read("GROUP | GROUP/TAG | TAG SIGNAL"),
            [vec!["GROUP", "GROUP/TAG", "TAG"], vec!["SIGNAL"]]
        );
        assert_eq!(read("[VERB | all] [--json]"), [vec!["VERB", "all"]]);
        assert_eq!(read("[-f] [-n LINES] TABLE"), [vec!["TABLE"]]);
        assert!(read("").is_empty());
    }
}
