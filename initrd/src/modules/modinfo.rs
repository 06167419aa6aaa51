//! The `.modinfo` section of a module: `name=value` strings, each ended by NUL.

use object::elf::{FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader};
use object::{Endianness, FileKind};

/// What a module says it depends on: the names of its `depends=` entry, `_` for `-`.
pub(super) fn depends(module: &[u8]) -> Result<Vec<String>, String> {
    let section = match FileKind::parse(module).map_err(|error| error.to_string())? {
        FileKind::Elf32 => section::<FileHeader32<Endianness>>(module)?,
        FileKind::Elf64 => section::<FileHeader64<Endianness>>(module)?,
        other => return Err(format!("it is {other:?}")),
    };
    let text = String::from_utf8_lossy(section);
    Ok(text
        .split('\0')
        .filter_map(|entry| entry.strip_prefix("depends="))
        .flat_map(|list| list.split(','))
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect())
}

fn section<H: FileHeader<Endian = Endianness>>(module: &[u8]) -> Result<&[u8], String> {
    let text = |error: object::Error| error.to_string();
    let header = H::parse(module).map_err(text)?;
    let endian = header.endian().map_err(text)?;
    let sections = header.sections(endian, module).map_err(text)?;
    let (_, section) = sections
        .section_by_name(endian, b".modinfo")
        .ok_or("it has no .modinfo section, so it is no module")?;
    section.data(endian, module).map_err(text)
}
