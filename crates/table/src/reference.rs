//! What the manual and help say of a table beyond its properties.

use clinit_engine::spec::Mode;

/// The form of a line that is an entry.
pub const ENTRY_FORM: &str = "GROUP:TAG:LEVELS:MODE:COMMAND";

/// The forms of lines that are properties, with what they set.
pub const PROPERTY_FORMS: [(&str, &str); 4] = [
    (":::NAME:VALUE", "for the table: a setting of the daemon, or the default of every group and entry"),
    ("GROUP:::NAME:VALUE", "for one group and its entries"),
    ("GROUP:TAG::NAME:VALUE", "for one entry"),
    ("::override:NAME:VALUE", "for the table, and it beats the command line"),
];

/// What a mode means, in a sentence without a full stop.
#[must_use]
pub fn meaning(mode: Mode) -> &'static str {
    match mode {
        Mode::Wait => "runs once; the next entry of the group starts when it has ended, however it has",
        Mode::Once => "runs once; the next entry starts at once",
        Mode::Respawn => {
            "runs always: whenever it ends it is started again at once, and after too many starts within a \
             short time, after a pause"
        }
        Mode::Off => "never runs; its line may stay for another day",
        Mode::Test => {
            "runs once as `wait` does; its exit status decides whether the group is PASSED (all are 0) or FAILED"
        }
    }
}
