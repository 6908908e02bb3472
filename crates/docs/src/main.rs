//! Writes what people read to its places; `cargo xtask docs` calls it.

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, text) in clinit_docs::files() {
        let path = top.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text)?;
    }
    Ok(())
}
