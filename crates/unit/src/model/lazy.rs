//! Sections that are kept as text until somebody asks for them.

use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A section, or its text. Of most units only the name is ever asked for, and who its partners are, which a table of units
/// knows; a section takes some ten times the room of its text, and longer to read than all the rest of a definition.
pub struct Lazy<T> {
    /// What it was written as, while that is all there is to know.
    text: Option<Box<RawValue>>,
    /// What was read from the text.
    read: OnceLock<Result<Box<T>, Box<Unreadable<T>>>>,
    /// Without a text.
    own: Option<Box<T>>,
}

/// A text that is none of a section.
struct Unreadable<T> {
    reason: String,
    /// What there is in its place: the settings of an empty file.
    instead: T,
}

/// What can be kept as text.
pub trait Section: Default + Serialize + DeserializeOwned {}

impl Section for super::ServiceSection {}
impl Section for super::SocketSection {}
impl Section for Vec<super::Dependency> {}

thread_local! {
    /// What this thread reads now stays text.
    static LATE: Cell<bool> = const { Cell::new(false) };
}

/// Reads JSON that this version has written, with definitions in it of which all that can be stays text.
pub fn read_late<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    struct Until(bool);
    impl Drop for Until {
        fn drop(&mut self) {
            LATE.set(self.0);
        }
    }
    let _until = Until(LATE.replace(true));
    serde_json::from_slice(text)
}

/// For `skip_serializing_if`: what is there as text has been written before, so there is something in it.
pub(super) fn is_default<T: Section + PartialEq>(section: &Lazy<T>) -> bool {
    section.text.is_none() && **section == T::default()
}

impl<T: Section> Lazy<T> {
    /// Of a text that this version has written. Nothing is looked at before the section is asked for. What cannot be read
    /// then is as in an empty file, so whoever acts on a section asks [`Lazy::readable`] first.
    fn unread(text: Box<RawValue>) -> Lazy<T> {
        Lazy {
            text: Some(text),
            read: OnceLock::new(),
            own: None,
        }
    }

    /// Keeps the text alone. Nothing changes but the room that it takes.
    pub fn pack(&mut self) {
        if let Some(own) = &self.own
            // It stays as it is if it cannot be written.
            && let Ok(text) = serde_json::value::to_raw_value(own)
        {
            *self = Lazy::unread(text);
        }
        self.read = OnceLock::new();
    }

    /// Keeps no more than the text, if there is one.
    pub fn let_go(&mut self) {
        self.read = OnceLock::new();
    }

    /// Reads the text now.
    pub fn unpack(&self) {
        if self.own.is_none() {
            self.read.get_or_init(|| self.read());
        }
    }

    /// Reads the text now, and says what is wrong with it.
    pub fn readable(&self) -> Result<(), &str> {
        if self.own.is_some() {
            return Ok(());
        }
        let read = self.read.get_or_init(|| self.read()).as_ref();
        read.map(drop).map_err(|unreadable| unreadable.reason.as_str())
    }

    fn read(&self) -> Result<Box<T>, Box<Unreadable<T>>> {
        let text = self.text.as_deref().map_or("", RawValue::get);
        serde_json::from_slice(text.as_bytes()).map_err(|error| {
            Box::new(Unreadable {
                reason: error.to_string(),
                instead: T::default(),
            })
        })
    }
}

impl<T> From<T> for Lazy<T> {
    fn from(section: T) -> Lazy<T> {
        Lazy {
            text: None,
            read: OnceLock::new(),
            own: Some(Box::new(section)),
        }
    }
}

impl<T: Section> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.own {
            Some(own) => own,
            None => match self.read.get_or_init(|| self.read()) {
                Ok(read) => read,
                Err(unreadable) => &unreadable.instead,
            },
        }
    }
}

impl<T: Section> DerefMut for Lazy<T> {
    fn deref_mut(&mut self) -> &mut T {
        let section = match self.own.take() {
            Some(own) => own,
            None => match self.read.take().unwrap_or_else(|| self.read()) {
                Ok(read) => read,
                Err(unreadable) => Box::new(unreadable.instead),
            },
        };
        self.text = None;
        self.own.insert(section)
    }
}

impl<T: Section + Clone> Clone for Lazy<T> {
    fn clone(&self) -> Lazy<T> {
        match &self.text {
            Some(text) => Lazy::unread(text.clone()),
            None => Lazy::from(T::clone(self)),
        }
    }
}

impl<T: Section + PartialEq> PartialEq for Lazy<T> {
    fn eq(&self, other: &Lazy<T>) -> bool {
        match (&self.text, &other.text) {
            (Some(one), Some(two)) if one.get() == two.get() => true,
            _ => **self == **other,
        }
    }
}

impl<T: Section + fmt::Debug> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T: Section> Serialize for Lazy<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.text {
            Some(text) => text.serialize(serializer),
            None => T::serialize(self, serializer),
        }
    }
}

/// At once, so that what is wrong is an error here, unless somebody wants it later.
impl<'de, T: Section> Deserialize<'de> for Lazy<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Lazy<T>, D::Error> {
        match LATE.get() {
            true => Box::<RawValue>::deserialize(deserializer).map(Lazy::unread),
            false => T::deserialize(deserializer).map(Lazy::from),
        }
    }
}

impl<T: Section> Default for Lazy<T> {
    fn default() -> Lazy<T> {
        Lazy::from(T::default())
    }
}

#[cfg(test)]
mod tests {
    use crate::files::MemoryFiles;
    use crate::{Definition, KindSection, Lazy, Loader, ServiceSection, Specifiers, UnitName};

    fn definition() -> Definition {
        let files = MemoryFiles::new().file(
            "/u/a.service",
            "[Service]\nExecStart=/bin/a\nNice=3\nSuccessExitStatus=7\nKillMode=mixed\n",
        );
        let loader = Loader::new(&files, vec!["/u".to_owned()], Specifiers::default());
        loader.load(&UnitName::new("a.service").unwrap())
    }

    fn section(definition: &mut Definition) -> &mut Lazy<ServiceSection> {
        match &mut definition.kind {
            KindSection::Service(section) => section,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nobody_can_tell_whether_a_section_is_kept_as_text() {
        let whole = definition();
        let mut packed = whole.clone();
        packed.pack();
        assert!(section(&mut packed).own.is_none());
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::to_string(&packed).unwrap(), text);
        assert_eq!(
            serde_json::to_value(&packed).unwrap(),
            serde_json::to_value(&whole).unwrap()
        );
        let late = Definition::read_late(text.as_bytes()).unwrap();
        assert_eq!(late, packed);
        assert_eq!((&packed, format!("{packed:?}")), (&whole, format!("{whole:?}")));
        // What was read is let go again, and what was changed is written as it is now.
        packed.pack();
        assert!(section(&mut packed).read.get().is_none());
        section(&mut packed).exec.nice = Some(4);
        assert_ne!(packed, whole);
        packed.pack();
        let text = serde_json::to_string(&packed).unwrap();
        assert!(text.contains(r#""nice":4"#), "{text}");
        packed.unpack();
        assert!(section(&mut packed).read.get().is_some());
        section(&mut packed).exec.nice = Some(3);
        assert_eq!(packed, whole);
    }

    #[test]
    fn what_cannot_be_read_late_says_so_and_is_refused_at_once() {
        let text = serde_json::to_string(&definition()).unwrap();
        let broken = text.replace(r#""nice":3"#, r#""nice":"three""#);
        assert_ne!(text, broken);
        assert!(serde_json::from_str::<Definition>(&broken).is_err());
        let mut late = Definition::read_late(broken.as_bytes()).unwrap();
        let reason = late.readable().unwrap_err();
        assert!(reason.contains("three"), "{reason}");
        assert_eq!(**section(&mut late), ServiceSection::default());
        // It is written as it was found, so the next program is told, too.
        late.pack();
        assert_eq!(serde_json::to_string(&late).unwrap(), broken);
        assert_eq!(definition().readable(), Ok(()));
        assert_eq!(Definition::read_late(text.as_bytes()).unwrap().readable(), Ok(()));
    }
}
