//! What one ELF file says about itself.

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

/// What matters of an ELF file for loading it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object {
    /// `e_machine`.
    pub machine: u16,
    /// 64 bit; else 32.
    pub wide: bool,
    /// Little endian; else big.
    pub little: bool,
    /// `PT_INTERP`: the dynamic loader.
    pub interpreter: Option<String>,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<String>,
    /// `DT_RPATH`, split at colons.
    pub rpath: Vec<String>,
    /// `DT_RUNPATH`, split at colons.
    pub runpath: Vec<String>,
}

impl Object {
    /// Reads it from the bytes of a file.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        match FileKind::parse(bytes).map_err(|error| error.to_string())? {
            FileKind::Elf32 => parse::<FileHeader32<Endianness>>(bytes),
            FileKind::Elf64 => parse::<FileHeader64<Endianness>>(bytes),
            other => Err(format!("it is {other:?}")),
        }
    }

    /// Whether the kernel starts it without a dynamic loader and it needs no library.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.interpreter.is_none() && self.needed.is_empty()
    }

    /// Whether `other` can be loaded into one process with this one.
    #[must_use]
    pub fn fits(&self, other: &Self) -> bool {
        (self.machine, self.wide, self.little) == (other.machine, other.wide, other.little)
    }

    /// The default library directories for this machine: Debian's multiarch ones (its "Multiarch specification"),
    /// then those every Linux has.
    #[must_use]
    pub fn default_directories(&self) -> Vec<String> {
        let triplet = match (self.machine, self.wide, self.little) {
            (elf::EM_X86_64, true, _) => Some("x86_64-linux-gnu"),
            (elf::EM_X86_64, false, _) => Some("x86_64-linux-gnux32"),
            (elf::EM_386, ..) => Some("i386-linux-gnu"),
            (elf::EM_AARCH64, ..) => Some("aarch64-linux-gnu"),
            (elf::EM_ARM, ..) => Some("arm-linux-gnueabihf"),
            (elf::EM_RISCV, true, _) => Some("riscv64-linux-gnu"),
            (elf::EM_S390, true, _) => Some("s390x-linux-gnu"),
            (elf::EM_PPC64, _, true) => Some("powerpc64le-linux-gnu"),
            (elf::EM_LOONGARCH, true, _) => Some("loongarch64-linux-gnu"),
            _ => None,
        };
        let mut directories = Vec::new();
        if let Some(triplet) = triplet {
            directories.push(format!("/lib/{triplet}"));
            directories.push(format!("/usr/lib/{triplet}"));
        }
        let plain: &[&str] = if self.wide {
            &["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        } else {
            &["/lib", "/usr/lib"]
        };
        directories.extend(plain.iter().map(|&directory| directory.to_owned()));
        directories
    }

    /// What the loader puts for `$PLATFORM` is a matter of the processor; for `$LIB` of the build of libc
    /// (ld.so(8), "Dynamic string tokens"). `None` where a token is used that cannot be known here.
    pub(super) fn expand(text: &str, origin: &str) -> Option<String> {
        let text = text.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
        (!text.contains('$')).then_some(text)
    }
}

fn parse<H: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Result<Object, String> {
    let text = |error: object::Error| error.to_string();
    let header = H::parse(bytes).map_err(text)?;
    let endian = header.endian().map_err(text)?;
    let segments = header.program_headers(endian, bytes).map_err(text)?;
    let mut object = Object {
        machine: header.e_machine(endian),
        wide: header.is_type_64(),
        little: endian == Endianness::Little,
        ..Object::default()
    };
    let kind = header.e_type(endian);
    if kind != elf::ET_EXEC && kind != elf::ET_DYN {
        return Err(format!(
            "it is neither a program nor a shared library (e_type {kind})"
        ));
    }
    for segment in segments {
        if let Some(name) = segment.interpreter(endian, bytes).map_err(text)? {
            object.interpreter = Some(utf8(name, "PT_INTERP")?);
        }
    }
    let mut dynamic = None;
    for segment in segments {
        if let Some(entries) = segment.dynamic(endian, bytes).map_err(text)? {
            dynamic = Some(entries);
        }
    }
    let Some(entries) = dynamic else { return Ok(object) };
    let value = |tag: u32| {
        entries
            .iter()
            .find(|entry| entry.tag32(endian) == Some(tag))
            .map(|entry| entry.d_val(endian).into())
    };
    let table: Option<u64> = value(elf::DT_STRTAB);
    let size: Option<u64> = value(elf::DT_STRSZ);
    let strings: &[u8] = match (table, size) {
        (Some(address), Some(size)) => segments
            .iter()
            .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
            .find_map(|segment| segment.data_range(endian, bytes, address, size).ok().flatten())
            .ok_or("its string table (DT_STRTAB) is in no loaded segment")?,
        _ => &[],
    };
    let string = |offset: u64| -> Result<String, String> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|offset| strings.get(offset..));
        let bytes = bytes.and_then(|rest| rest.split(|&byte| byte == 0).next());
        utf8(
            bytes.ok_or("a name is outside its string table")?,
            "a dynamic name",
        )
    };
    let list = |text: String| {
        text.split(':')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for entry in entries {
        let offset: u64 = entry.d_val(endian).into();
        match entry.tag32(endian) {
            Some(elf::DT_NULL) => break,
            Some(elf::DT_NEEDED) => object.needed.push(string(offset)?),
            Some(elf::DT_RPATH) => object.rpath = list(string(offset)?),
            Some(elf::DT_RUNPATH) => object.runpath = list(string(offset)?),
            _ => {}
        }
    }
    Ok(object)
}

fn utf8(bytes: &[u8], what: &str) -> Result<String, String> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    String::from_utf8(bytes.to_vec()).map_err(|_| format!("{what} is no text"))
}
