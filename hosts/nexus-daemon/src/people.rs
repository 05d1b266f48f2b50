//! Whom the operator trusts, and whom another price is asked, as commands said: the file `peers.toml` in the state directory.
//! Spec: spec/node.md#peers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use nexus_crypto::NodeId;
use nexus_node::economy::trust::{NAMED, TrustConfig};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::node_id;
use crate::state_dir::StateDir;

/// What is said of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Whether it is carried for nothing.
    #[serde(default)]
    pub trusted: bool,
    /// What is asked of it, in µNXS for 1,024 bytes, if another price than of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<u64>,
}

/// All of whom something is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People(BTreeMap<NodeId, Person>);

/// Why that cannot be read or written.
#[derive(Debug, Error)]
pub enum PeopleError {
    /// There are too many.
    #[error("no more than {0} nodes can be named")]
    TooMany(usize),
    /// The system refuses.
    #[error("{path} cannot be {action}: {cause}")]
    System {
        /// The file.
        path: PathBuf,
        /// What was to be done, as a participle.
        action: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// The file is not what this program writes.
    #[error("{path} cannot be understood: {sentence}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        sentence: String,
    },
}

impl People {
    /// What was said before; nothing if there is no file.
    pub fn read(state: &StateDir) -> Result<Self, PeopleError> {
        let path = state.peers();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(PeopleError::System { path, action: "read", cause }),
        };
        let unreadable = |sentence: String| PeopleError::Unreadable { path: path.clone(), sentence };
        let written: BTreeMap<String, Person> =
            toml::from_str(&text).map_err(|cause| unreadable(cause.message().to_owned()))?;
        let mut people = BTreeMap::new();
        for (node, person) in written {
            people.insert(node_id(&node).map_err(|cause| unreadable(cause.to_string()))?, person);
        }
        if people.len() > NAMED {
            return Err(PeopleError::TooMany(NAMED));
        }
        Ok(Self(people))
    }

    /// Writes it down, whole or not at all.
    pub fn write(&self, state: &StateDir) -> Result<(), PeopleError> {
        if self.0.len() > NAMED {
            return Err(PeopleError::TooMany(NAMED));
        }
        let path = state.peers();
        let written: BTreeMap<String, Person> =
            self.0.iter().map(|(node, person)| (node.to_string(), *person)).collect();
        let text = toml::to_string(&written)
            .map_err(|cause| PeopleError::Unreadable { path: path.clone(), sentence: cause.to_string() })?;
        let beside = path.with_extension("toml.new");
        let write = || {
            let mut options = fs::OpenOptions::new();
            let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            fs::rename(&beside, &path)?;
            fs::File::open(state.path())?.sync_all()
        };
        write().map_err(|cause| PeopleError::System { path: path.clone(), action: "written", cause })
    }

    /// What is said of a node.
    #[must_use]
    pub fn get(&self, node: &NodeId) -> Option<&Person> {
        self.0.get(node)
    }

    /// Of whom something is said, and what.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeId, &Person)> {
        self.0.iter()
    }

    /// A node is carried for nothing from here on.
    pub fn add(&mut self, node: NodeId) {
        self.0.entry(node).or_default().trusted = true;
    }

    /// Nothing is said of a node any more. Whether something was.
    pub fn remove(&mut self, node: &NodeId) -> bool {
        self.0.remove(node).is_some()
    }

    /// Another price is asked of a node; none for the price that is asked of all. Whether anything is different.
    pub fn set_price(&mut self, node: NodeId, price: Option<u64>) -> bool {
        let was = self.0.get(&node).is_some_and(|person| person.price.is_some());
        if price.is_none() && !was {
            return false;
        }
        let person = self.0.entry(node).or_default();
        person.price = price;
        if *person == Person::default() {
            self.0.remove(&node);
        }
        true
    }

    /// The same for the node, with those whom the configuration names.
    #[must_use]
    pub fn trust(&self, configured: &BTreeSet<NodeId>) -> TrustConfig {
        let mut trust = TrustConfig::default();
        let trusted = self.0.iter().filter(|(_, person)| person.trusted).map(|(node, _)| node);
        for node in configured.iter().chain(trusted) {
            if trust.trust(*node).is_err() {
                tracing::warn!("no more than {NAMED} nodes are trusted: {node} is not");
            }
        }
        for (node, person) in &self.0 {
            if person.price.is_some() && trust.set_price(*node, person.price).is_err() {
                tracing::warn!("no more than {NAMED} nodes have a price of their own: {node} has not");
            }
        }
        trust
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId([1; 16]);
    const OTHER: NodeId = NodeId([2; 16]);

    #[test]
    fn what_is_said_of_nodes_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(directory.path().join("state"))).unwrap();
        state.make().unwrap();
        assert_eq!(People::read(&state).unwrap(), People::default());
        let mut people = People::default();
        people.add(ONE);
        assert!(people.set_price(OTHER, Some(5)) && !people.set_price(ONE, None));
        people.write(&state).unwrap();
        assert_eq!(People::read(&state).unwrap(), people);
        let trust = people.trust(&BTreeSet::from([OTHER]));
        assert_eq!((trust.trusted().count(), trust.prices().collect::<Vec<_>>()), (2, vec![(&OTHER, 5)]));
        assert!(people.set_price(OTHER, None) && people.remove(&ONE) && !people.remove(&ONE));
        assert_eq!(people, People::default(), "of whom nothing is said is not there");
    }

    #[test]
    fn a_file_that_says_something_else_is_refused_in_a_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(directory.path().join("state"))).unwrap();
        state.make().unwrap();
        for text in ["[anna]\ntrusted = true", "[00112233445566778899aabbccddeeff]\nloved = true", "what"] {
            fs::write(state.peers(), text).unwrap();
            let refused = People::read(&state).unwrap_err().to_string();
            assert!(refused.contains("peers.toml cannot be understood"), "{refused}");
        }
    }
}
