//! The manual pages: what people wrote in `pages`, with what the registries say in its places.

use clinit::cli::exit::Exit;
use clinit::cli::manual as words;
use clinit::cli::verbs::{VERBS, Verb};
use clinit_engine::group::Phase;
use clinit_engine::spec::Mode;
use clinit_table::diagnostic::CODES;
use clinit_table::reference::{PROPERTY_FORMS, meaning};

use crate::block::{Block, items, read};
use crate::{reference, roff};

/// cltab(5)
pub(crate) fn cltab() -> String {
    roff::page("cltab", 5, "File formats", &filled(include_str!("../pages/cltab.5.txt")))
}

/// clinit(8)
pub(crate) fn clinit() -> String {
    roff::page("clinit", 8, "System administration", &filled(include_str!("../pages/clinit.8.txt")))
}

/// isinit(8)
pub(crate) fn isinit() -> String {
    roff::page("isinit", 8, "System administration", &filled(include_str!("../pages/isinit.8.txt")))
}

fn filled(page: &str) -> Vec<Block> {
    let fill = |block| match block {
        Block::Placeholder(name) => said(&name).unwrap_or_else(|| vec![Block::Placeholder(name)]),
        other => vec![other],
    };
    read(page).into_iter().flat_map(fill).collect()
}

/// What the registries say under this name.
fn said(name: &str) -> Option<Vec<Block>> {
    Some(match name {
        "modes" => Mode::ALL.into_iter().map(|mode| Block::item(mode.as_str(), meaning(mode))).collect(),
        "property-forms" => items(&PROPERTY_FORMS),
        "properties" => reference::blocks(),
        "codes" => items(CODES),
        "states" => {
            Phase::ALL.into_iter().map(|state| Block::item(state.as_str(), state_of(state))).collect()
        }
        "forms" => items(words::FORMS),
        "isinit-forms" => items(words::ISINIT_FORMS),
        "options" => items(words::OPTIONS),
        "verbs" => VERBS.iter().flat_map(verb).collect(),
        "reserved" => vec![reserved()],
        "exit-codes" => {
            let row = |&(exit, meaning): &(Exit, &str)| Block::item(exit.code().to_string(), meaning);
            Exit::ALL.iter().map(row).collect()
        }
        "command-codes" => items(Exit::OF_COMMANDS),
        "files" => items(words::FILES),
        "isinit-files" => items(words::ISINIT_FILES),
        "of-users" => vec![Block::Paragraph(words::OF_USERS.to_owned())],
        "environment" => items(words::ENVIRONMENT),
        "of-entries" => items(words::OF_ENTRIES),
        "signals" => items(words::SIGNALS),
        "examples" => VERBS.iter().flat_map(|verb| items(verb.examples)).collect(),
        _ => return None,
    })
}

fn verb(verb: &Verb) -> Vec<Block> {
    let Some(usage) = verb.usage else { return Vec::new() };
    let usage = format!("`{}` {usage}", verb.name);
    let mut blocks = vec![Block::item(usage.trim_end(), format!("{}.", capital(verb.about)))];
    if let Some(Block::Item(_, paragraphs)) = blocks.first_mut() {
        paragraphs.extend(verb.options.iter().map(|(option, about)| format!("`{option}`: {about}.")));
    }
    blocks
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|c| c.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

fn reserved() -> Block {
    let names = VERBS.iter().filter(|verb| verb.usage.is_none()).map(|verb| verb.name);
    Block::Paragraph(format!(
        "These words are verbs of later versions, and taken now: {}, and all that begin with import-.",
        names.collect::<Vec<_>>().join(", ")
    ))
}

/// What a group's state means, in a few words.
fn state_of(state: Phase) -> &'static str {
    match state {
        Phase::Configured => "it was never told a level",
        Phase::Starting => "entries are being started in the order of the table",
        Phase::Checking => "all were started, and their results are looked at",
        Phase::Done => "it has its level",
        Phase::Passed => "it has its level, all its entries are tests, and all succeeded",
        Phase::Failed => "it has its level, and a test failed",
        Phase::Stopping => "entries that the new level does not have are being stopped",
        Phase::Dumping => "entries that the table changed or no longer has are being stopped",
        Phase::Halting => "it is being stopped, because the daemon ends",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_in_a_page_is_filled() {
        let pages = ["cltab.5", "clinit.8", "isinit.8"];
        let texts = [
            include_str!("../pages/cltab.5.txt"),
            include_str!("../pages/clinit.8.txt"),
            include_str!("../pages/isinit.8.txt"),
        ];
        for (page, text) in pages.into_iter().zip(texts) {
            let left: Vec<Block> =
                filled(text).into_iter().filter(|block| matches!(block, Block::Placeholder(_))).collect();
            assert_eq!(left, [], "{page}");
        }
    }
}
