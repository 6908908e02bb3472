//! A record: one line, split into its five columns.

use crate::report::Report;
use crate::source::{Field, Line};

/// The form of a record, for hints.
pub(crate) use crate::reference::ENTRY_FORM as FORM;

/// The columns by name, in order.
const COLUMNS: [&str; 5] = ["group", "tag", "levels", "mode", "command"];

/// The columns of one line, as they stand: nothing is trimmed. The command may hold colons.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) group: Field<'a>,
    pub(crate) tag: Field<'a>,
    pub(crate) levels: Field<'a>,
    /// The mode of an entry, or the name of a property.
    pub(crate) mode: Field<'a>,
    /// The command of an entry, or the value of a property.
    pub(crate) command: Field<'a>,
}

impl<'a> Record<'a> {
    /// Splits `line` at its first four colons.
    pub(crate) fn read(line: Line<'a>, report: &mut Report) -> Option<Self> {
        let mut rest = line.whole();
        let mut columns = [rest; COLUMNS.len()];
        for (index, column) in columns.iter_mut().take(COLUMNS.len() - 1).enumerate() {
            let Some((first, others)) = rest.split_once(':') else {
                report_missing(line, index + 1, report);
                return None;
            };
            (*column, rest) = (first, others);
        }
        let [group, tag, levels, mode, _] = columns;
        Some(Self { group, tag, levels, mode, command: rest })
    }

    /// The line that it was read from.
    pub(crate) fn line(&self) -> Line<'a> {
        self.group.line
    }
}

fn report_missing(line: Line<'_>, present: usize, report: &mut Report) {
    let missing = COLUMNS[present..].join(", ");
    let counted = if present == 1 { "column" } else { "columns" };
    report
        .fault(line.end(), "missing-columns", format_args!("only {present} {counted} of {}", COLUMNS.len()))
        .hint(format_args!("missing: {missing}; a line is {FORM}"));
}
