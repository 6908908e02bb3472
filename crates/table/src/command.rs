//! The command column: what is executed directly, and what a shell must read.

use clinit_engine::spec::Command;

/// Characters for which Perl's `exec` hands a command to the shell.
const SHELL_CHARACTERS: &[u8] = b"$&*(){}[]'\";\\|?<>~`\n";

/// Words that only a shell knows: no program of that name does what they say.
const SHELL_WORDS: &[&str] = &[
    ".", ":", "cd", "eval", "exit", "export", "readonly", "set", "shift", "trap", "ulimit", "umask", "unset",
    "wait",
];

/// Lowers a command by the rule of Perl's `exec` with one argument (perldoc -f exec; `do_exec3` in its
/// `doio.c`), which Cluster::Init and IS::Init relied on: with shell characters, an assignment before the
/// program, or `exec` as the program, it is for `/bin/sh -c`; otherwise it is split at blanks. Beyond that
/// rule, words that only a shell knows are for the shell, too: Perl would look for a program `exit`.
pub(crate) fn lower(text: &str) -> Command {
    let text = text.trim_start_matches(is_blank);
    if needs_shell(text) {
        Command::Shell(text.into())
    } else {
        Command::Direct(text.split(is_blank).filter(|word| !word.is_empty()).map(Into::into).collect())
    }
}

/// Whether nothing would be executed.
pub(crate) fn is_empty(text: &str) -> bool {
    text.chars().all(is_blank)
}

fn needs_shell(text: &str) -> bool {
    let (program, has_arguments) = match text.split_once(is_blank) {
        Some((program, _)) => (program, true),
        None => (text, false),
    };
    let is_builtin = SHELL_WORDS.contains(&program) || (has_arguments && program == "exec");
    is_builtin || is_assignment(program) || text.bytes().any(|byte| SHELL_CHARACTERS.contains(&byte))
}

/// `NAME=...`; Perl takes any word characters for the name.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(text: &str, words: &[&str]) {
        assert_eq!(lower(text), Command::Direct(words.iter().map(|&word| word.into()).collect()), "{text}");
    }

    fn shell(text: &str) {
        assert_eq!(lower(text), Command::Shell(text.into()), "{text}");
    }

    #[test]
    fn plain_words_are_executed_directly() {
        direct("/bin/true", &["/bin/true"]);
        direct(" a\t b  c ", &["a", "b", "c"]);
        direct(
            "a:b --x=1,2 %h @x #y !z +1 -e ^ äö",
            &["a:b", "--x=1,2", "%h", "@x", "#y", "!z", "+1", "-e", "^", "äö"],
        );
        direct("", &[]);
    }

    #[test]
    fn each_shell_character_needs_the_shell() {
        for &byte in SHELL_CHARACTERS {
            shell(&format!("a {}b", char::from(byte)));
        }
    }

    #[test]
    fn shell_words_at_the_front_need_the_shell() {
        for text in [
            "exec a b",
            "exec\ta",
            ". ./profile",
            "exit 3",
            "cd /tmp",
            "A=1 b",
            "_a1= b",
            "PATH=/bin:/sbin a",
        ] {
            shell(text);
        }
    }

    #[test]
    fn the_same_words_elsewhere_do_not() {
        direct("executive x", &["executive", "x"]);
        direct("exec", &["exec"]);
        direct("./a b", &["./a", "b"]);
        direct("env A=1 b", &["env", "A=1", "b"]);
        direct("a-b=1 c", &["a-b=1", "c"]);
    }

    #[test]
    fn blanks_before_the_command_are_no_part_of_it() {
        assert_eq!(lower("  echo $x "), Command::Shell("echo $x ".into()));
    }
}
