//! Names that a person gives to nodes, in a small file of theirs. Spec: spec/tools.md#contacts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name, in bytes.
const LONGEST_NAME: usize = 32;
/// How many contacts there may be.
const MOST: usize = 10_000;
/// The shortest beginning of a node id that stands for it.
pub(crate) const SHORTEST_PREFIX: usize = 6;

/// Why the address book, or a name, cannot be used.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum BookError {
    #[error("no place for contacts is known: set HOME or XDG_CONFIG_HOME")]
    NoPlace,
    #[error("the contacts in {0} cannot be read: {1}")]
    Unreadable(PathBuf, String),
    #[error("the contacts in {0} cannot be written ({1}); they are as they were")]
    Unwritable(PathBuf, String),
    #[error(
        "{0:?} cannot be a name: 1 to {LONGEST_NAME} of a-z, 0-9, `_`, `.` and `-`, not beginning with `-`, and no node id"
    )]
    BadName(String),
    #[error("{0:?} is no node id: 32 hexadecimal digits, as `nexus keygen show` prints them")]
    BadNode(String),
    #[error("there is a contact {0} already ({1}): remove or rename it first")]
    Taken(String, String),
    #[error("there is no contact {0}: `nexus contacts list` shows those that there are")]
    Unknown(String),
    #[error("there are {MOST} contacts: remove one first")]
    Full,
}

/// Why a word names no node.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum NoNode {
    #[error(
        "{0:?} is neither a contact, nor a node id, nor the beginning of one that is known: see `nexus contacts list` and `nexus status paths`"
    )]
    Nobody(String),
    #[error("{word:?} is the beginning of several node ids: say more digits of one of {}", .candidates.join(", "))]
    Ambiguous { word: String, candidates: Vec<String> },
    #[error("{0:?} is too short for the beginning of a node id: say at least {SHORTEST_PREFIX} digits")]
    TooShort(String),
}

/// The contacts of one person.
#[derive(Debug)]
pub(crate) struct AddressBook {
    path: PathBuf,
    contacts: BTreeMap<String, String>,
}

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    contacts: BTreeMap<String, String>,
}

impl AddressBook {
    /// The contacts of whoever runs this program: `$XDG_CONFIG_HOME/nexus/contacts.toml` or `~/.config/nexus/contacts.toml`.
    pub(crate) fn of_this_person() -> Result<Self, BookError> {
        let said = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = said("XDG_CONFIG_HOME").or_else(|| said("HOME").map(|home| home.join(".config")));
        Self::open(base.ok_or(BookError::NoPlace)?.join("nexus/contacts.toml"))
    }

    /// The contacts in a file; none if there is no file.
    /// One without anybody in it.
    #[cfg(test)]
    pub(crate) const fn empty() -> Self {
        Self { path: PathBuf::new(), contacts: BTreeMap::new() }
    }

    fn open(path: PathBuf) -> Result<Self, BookError> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => String::new(),
            Err(cause) => return Err(BookError::Unreadable(path, cause.to_string())),
        };
        let unreadable = |cause: String| BookError::Unreadable(path.clone(), cause);
        let page: Page = toml::from_str(&text).map_err(|cause| unreadable(cause.message().to_owned()))?;
        for (name, node) in &page.contacts {
            check_name(name).and(check_node(node)).map_err(|cause| unreadable(cause.to_string()))?;
        }
        let contacts =
            page.contacts.into_iter().map(|(name, node)| (name, node.to_ascii_lowercase())).collect();
        Ok(Self { path, contacts })
    }

    /// Each name and node, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.contacts.iter().map(|(name, node)| (name.as_str(), node.as_str()))
    }

    /// The name of a node; the first if it has several.
    pub(crate) fn name_of(&self, node: &str) -> Option<&str> {
        self.iter().find(|(_, known)| *known == node).map(|(name, _)| name)
    }

    /// Gives a node a name.
    pub(crate) fn add(&mut self, name: &str, node: &str) -> Result<(), BookError> {
        check_name(name)?;
        check_node(node)?;
        if let Some(taken) = self.contacts.get(name) {
            return Err(BookError::Taken(name.to_owned(), taken.clone()));
        }
        if self.contacts.len() >= MOST {
            return Err(BookError::Full);
        }
        self.contacts.insert(name.to_owned(), node.to_ascii_lowercase());
        self.save()
    }

    /// Forgets a name.
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), BookError> {
        self.contacts.remove(name).ok_or_else(|| BookError::Unknown(name.to_owned()))?;
        self.save()
    }

    /// Gives a contact another name.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result<(), BookError> {
        check_name(to)?;
        if let Some(taken) = self.contacts.get(to) {
            return Err(BookError::Taken(to.to_owned(), taken.clone()));
        }
        let node = self.contacts.remove(from).ok_or_else(|| BookError::Unknown(from.to_owned()))?;
        self.contacts.insert(to.to_owned(), node);
        self.save()
    }

    /// The node that `word` names: a whole id, a contact, or the beginning of an id among the contacts and `known`.
    pub(crate) fn resolve<'a>(
        &'a self,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Result<String, NoNode> {
        if check_node(word).is_ok() {
            return Ok(word.to_ascii_lowercase());
        }
        if let Some(node) = self.contacts.get(word) {
            return Ok(node.clone());
        }
        let prefix = word.to_ascii_lowercase();
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NoNode::Nobody(word.to_owned()));
        }
        if prefix.len() < SHORTEST_PREFIX {
            return Err(NoNode::TooShort(word.to_owned()));
        }
        let everybody = self.contacts.values().map(String::as_str).chain(known);
        let mut candidates: Vec<String> =
            everybody.filter(|node| node.starts_with(&prefix)).map(str::to_owned).collect();
        candidates.sort_unstable();
        candidates.dedup();
        match candidates.len() {
            0 => Err(NoNode::Nobody(word.to_owned())),
            1 => Ok(candidates.remove(0)),
            _several => Err(NoNode::Ambiguous { word: word.to_owned(), candidates }),
        }
    }

    /// Written beside the old file, synced, and renamed over it.
    fn save(&self) -> Result<(), BookError> {
        self.replace().map_err(|cause| BookError::Unwritable(self.path.clone(), cause.to_string()))
    }

    fn replace(&self) -> io::Result<()> {
        let page = Page { contacts: self.contacts.clone() };
        let text = toml::to_string(&page).map_err(io::Error::other)?;
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut name = OsString::from(".contacts.");
        name.push(std::process::id().to_string());
        let beside = self.path.with_file_name(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&beside).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        let replaced = written.and_then(|()| fs::rename(&beside, &self.path));
        if replaced.is_err() {
            let _nothing_to_remove = fs::remove_file(&beside);
        }
        replaced.and_then(|()| File::open(directory)?.sync_all())
    }
}

fn check_name(name: &str) -> Result<(), BookError> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    let right =
        (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('-');
    if right && check_node(name).is_err() { Ok(()) } else { Err(BookError::BadName(name.to_owned())) }
}

fn check_node(node: &str) -> Result<(), BookError> {
    let right = node.len() == 32 && node.bytes().all(|byte| byte.is_ascii_hexdigit());
    if right { Ok(()) } else { Err(BookError::BadNode(node.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: &str = "1f3c00000000000000000000000000aa";
    const BERT: &str = "1f3c55000000000000000000000000bb";

    fn book(directory: &tempfile::TempDir) -> AddressBook {
        AddressBook::open(directory.path().join("nexus/contacts.toml")).unwrap()
    }

    #[test]
    fn contacts_are_there_the_next_time() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = book(&directory);
        first.add("anna", &ANNA.to_uppercase()).unwrap();
        first.add("bert.home-2", BERT).unwrap();
        first.rename("anna", "anni").unwrap();
        first.remove("bert.home-2").unwrap();
        assert_eq!(book(&directory).iter().collect::<Vec<_>>(), [("anni", ANNA)]);
        assert_eq!(book(&directory).name_of(ANNA), Some("anni"));
        assert_eq!(fs::read_dir(directory.path().join("nexus")).unwrap().count(), 1);
    }

    #[test]
    fn a_name_is_given_once_and_kept_to_its_letters() {
        let directory = tempfile::tempdir().unwrap();
        let mut book = book(&directory);
        book.add("anna", ANNA).unwrap();
        assert_eq!(book.add("anna", BERT), Err(BookError::Taken("anna".to_owned(), ANNA.to_owned())));
        assert_eq!(book.rename("anna", "anna"), Err(BookError::Taken("anna".to_owned(), ANNA.to_owned())));
        assert_eq!(book.remove("bert"), Err(BookError::Unknown("bert".to_owned())));
        for wrong in ["", "Anna", "an na", "-rf", "an/na", "ä", "x\x1b", &"a".repeat(33), ANNA] {
            assert_eq!(book.add(wrong, BERT), Err(BookError::BadName(wrong.to_owned())));
        }
        for wrong in ["", "1f3c", &ANNA[1..], "1f3c00000000000000000000000000zz"] {
            assert_eq!(book.add("bert", wrong), Err(BookError::BadNode(wrong.to_owned())));
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("contacts.toml");
        for damaged in
            ["[contacts", "[contacts]\nanna = 5\n", "[contacts]\n\"An\u{1b}\" = \"x\"\n", "x = 1\n"]
        {
            fs::write(&path, damaged).unwrap();
            let refusal = AddressBook::open(path.clone()).unwrap_err();
            assert!(matches!(refusal, BookError::Unreadable(..)), "{refusal}");
            assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
        }
    }

    #[test]
    fn a_node_is_named_by_its_id_a_contact_or_the_beginning_of_a_known_id() {
        let directory = tempfile::tempdir().unwrap();
        let mut book = book(&directory);
        book.add("anna", ANNA).unwrap();
        book.add("facade", BERT).unwrap();
        let other = "abcdef000000000000000000000000cc";
        let resolve = |word: &str| book.resolve(word, [BERT, other]);
        assert_eq!(resolve("anna"), Ok(ANNA.to_owned()));
        assert_eq!(resolve("facade"), Ok(BERT.to_owned()), "a contact comes before the beginning of an id");
        assert_eq!(resolve("ABCDEF"), Ok(other.to_owned()));
        assert_eq!(resolve("1f3c55"), Ok(BERT.to_owned()), "known twice, and one node");
        assert_eq!(resolve(&"0".repeat(32)), Ok("0".repeat(32)), "a whole id need not be known");
        assert_eq!(resolve("abcde"), Err(NoNode::TooShort("abcde".to_owned())));
        assert_eq!(resolve("abcdee"), Err(NoNode::Nobody("abcdee".to_owned())));
        assert_eq!(resolve("carl"), Err(NoNode::Nobody("carl".to_owned())));
        assert_eq!(resolve(""), Err(NoNode::Nobody(String::new())));
        let twin = "1f3c55ff0000000000000000000000dd";
        let refusal = book.resolve("1f3c55", [twin]).unwrap_err().to_string();
        assert!(refusal.contains(BERT) && refusal.contains(twin), "{refusal}");
    }
}
