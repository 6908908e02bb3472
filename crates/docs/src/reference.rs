//! docs/properties.md, and the properties as items of a manual page.

use std::fmt::Write;

use clinit_table::property::{Property, REGISTRY, Scope, Section};
use clinit_table::reference::PROPERTY_FORMS;

use crate::COMMAND;
use crate::block::Block;

fn of(section: Section) -> impl Iterator<Item = &'static Property> {
    REGISTRY.iter().filter(move |property| property.section == section)
}

fn scopes(property: &Property) -> String {
    property.scopes.iter().copied().map(Scope::as_str).collect::<Vec<_>>().join(", ")
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

/// The page of all properties.
pub(crate) fn properties() -> String {
    let mut text = format!(
        "<!-- Made by {COMMAND}: change crates/table/src/property/registry.rs instead. -->\n\
         # Properties\n\n\
         A line of the table without levels is a property. What the wider scope says is the default for the \
         narrower.\n\n\
         | line | sets |\n|---|---|\n"
    );
    for (form, sets) in PROPERTY_FORMS {
        let _infallible = writeln!(text, "| `{form}` | {sets} |");
    }
    text.push_str("\n`clinit help PROPERTY` says the same of one property.\n\n");
    for section in Section::ALL {
        let links: Vec<String> = of(section).map(|row| format!("[{0}](#{0})", row.name)).collect();
        let _infallible = writeln!(text, "- {}: {}", section.title(), links.join(", "));
    }
    for section in Section::ALL {
        let _infallible = write!(text, "\n## {}\n\n{}\n", section.title(), section.about());
        of(section).for_each(|property| row(&mut text, property));
    }
    text
}

fn row(text: &mut String, property: &Property) {
    let Property { name, doc, more, .. } = property;
    let _infallible = writeln!(text, "\n### {name}\n\n{} {more}", sentence(doc));
    if more.is_empty() {
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    let default = property.default.map_or("none".to_owned(), |default| format!("`{default}`"));
    let _infallible = write!(
        text,
        "\n- values: {}\n- default: {default}\n- set for: {}\n- a change {}\n",
        property.values(),
        scopes(property),
        property.effect()
    );
    if !property.aliases.is_empty() {
        let _infallible = writeln!(text, "- also called: {}", property.aliases.join(", "));
    }
}

/// All properties, for the manual.
pub(crate) fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for section in Section::ALL {
        blocks.push(Block::Subheading(section.title().to_owned()));
        blocks.push(Block::Paragraph(section.about().to_owned()));
        blocks.extend(of(section).map(item));
    }
    blocks
}

fn item(property: &Property) -> Block {
    let Property { name, doc, more, .. } = property;
    let default = property.default.map_or("no default".to_owned(), |default| format!("default `{default}`"));
    let facts = format!(
        "Takes {}; {default}. Set for: {}. A change {}.",
        property.values(),
        scopes(property),
        property.effect()
    );
    let names: Vec<&str> = property.names().collect();
    let mut paragraphs = vec![format!("{} {more}", sentence(doc)), facts];
    if names.len() > 1 {
        paragraphs[1].push_str(&format!(" Also called {}.", names[1..].join(", ")));
    }
    Block::Item((*name).to_owned(), paragraphs)
}
