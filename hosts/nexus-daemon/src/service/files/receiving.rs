//! Files that are received.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_node::endpoint::resource::{Arrival, Command as Transfer, Event as Happened, Segment};
use nexus_node::endpoint::{Accepting, Announcing, Command as Wanted, Event, NotServed, Service as Had};
use nexus_wire::reticulum::LinkId;
use rmpv::Value;

use super::super::Service;
use super::NAME;
use crate::api::{Code, Event as Told, FileArrived};
use crate::config::node_id;
use crate::control::Replier;

/// Files of one name, at most.
const SAME_NAME: u32 = 10_000;

/// Where files are left, and who may leave them.
#[derive(Debug)]
pub(super) struct Receiving {
    replier: Replier,
    into: PathBuf,
    /// Empty if anybody may.
    from: BTreeSet<IdentityHash>,
    destination: Option<DestinationHash>,
    /// Links to it, and who is at the other end, as far as that was said.
    links: BTreeMap<LinkId, Option<IdentityHash>>,
    arriving: BTreeMap<(LinkId, Arrival), Arriving>,
}

/// A file of which something came. What is not whole is deleted.
#[derive(Debug)]
struct Arriving {
    file: File,
    place: PathBuf,
    name: String,
    bytes: u64,
}

impl Receiving {
    fn may_leave(&self, link: &LinkId) -> bool {
        let Some(who) = self.links.get(link) else { return false };
        self.from.is_empty() || who.is_some_and(|who| self.from.contains(&who))
    }

    /// Writes a piece to its file, which is made with the first.
    fn keep(&mut self, link: LinkId, arrival: Arrival, segment: &Segment) -> io::Result<()> {
        let arriving = match self.arriving.entry((link, arrival)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let metadata = segment.metadata.as_ref().map_or(&[][..], |metadata| &metadata.0);
                let place = self.into.join(format!(".{link}.{}.part", arrival.0));
                let file = File::create_new(&place)?;
                entry.insert(Arriving { file, place, name: name_in(metadata), bytes: 0 })
            }
        };
        arriving.file.write_all(&segment.data.0)?;
        arriving.bytes += segment.data.0.len() as u64;
        Ok(())
    }

    /// All of it came: it gets its name.
    fn complete(&mut self, link: LinkId, arrival: Arrival) -> io::Result<Option<FileArrived>> {
        let Some(arrived) = self.arriving.remove(&(link, arrival)) else { return Ok(None) };
        arrived.file.sync_all()?;
        let file = put(&arrived.place, &self.into, &arrived.name)?;
        let from = self.links.get(&link).copied().flatten().map(|who| who.to_string());
        let file = file.display().to_string();
        Ok(Some(FileArrived { file, bytes: arrived.bytes, from }))
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        // What has got its name keeps it: this is its other one.
        let _gone = fs::remove_file(&self.place);
    }
}

impl Service {
    pub(in super::super) async fn rns_receive(&mut self, replier: Replier, into: PathBuf, from: &[String]) {
        self.end_receiving_for_nobody().await;
        if self.files.receiving.is_some() {
            return replier.fail(Code::Busy, "another client receives files already");
        }
        if !into.is_absolute() || !into.is_dir() {
            return replier.fail(Code::BadValue, format!("{} is no directory", into.display()));
        }
        let from = match from.iter().map(|text| node_id(text)).collect::<Result<Vec<_>, _>>() {
            Ok(from) => from.into_iter().map(|hash| IdentityHash(hash.0)).collect(),
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        let (links, arriving) = (BTreeMap::new(), BTreeMap::new());
        self.files.receiving = Some(Receiving { replier, into, from, destination: None, links, arriving });
        let (announcing, accepting) = (Announcing::Hourly, Accepting::Links);
        let had = Had { name: NAME.to_owned(), app_data: Vec::new(), announcing, accepting };
        self.want([Wanted::Serve(had)]).await;
    }

    /// A client that is gone receives nothing.
    pub(in super::super) async fn end_receiving_for_nobody(&mut self) {
        let Some(receiving) = self.files.receiving.take_if(|receiving| !receiving.replier.is_open()) else {
            return;
        };
        let links = receiving.links.keys().map(|link| Wanted::Close { link: *link });
        let wanted: Vec<_> = links.chain(receiving.destination.map(Wanted::Withdraw)).collect();
        self.want(wanted).await;
    }

    pub(super) async fn hear_of_receiving(&mut self, event: &Event) {
        let Some(receiving) = &mut self.files.receiving else { return };
        let wanted = match event {
            Event::Serving { name, destination } if name == NAME => {
                receiving.destination = Some(*destination);
                receiving.replier.event(Told::Receiving { destination: destination.to_string() });
                None
            }
            Event::NotServing { name, why } if name == NAME => {
                let sentence = match why {
                    NotServed::TooMany => "the node has as many destinations as it may",
                    NotServed::TooLong => "its announce would be too long",
                };
                receiving.replier.fail(Code::Busy, sentence);
                self.files.receiving = None;
                None
            }
            Event::LinkUp { handle: None, up } if receiving.destination == Some(up.destination) => {
                receiving.links.insert(up.link, None);
                None
            }
            Event::LinkDown { link, .. } => {
                receiving.links.remove(link);
                None
            }
            Event::Identified { link, identity } => {
                receiving.links.get_mut(link).and_then(|who| who.replace(identity.hash()));
                let is_unwanted = receiving.links.contains_key(link) && !receiving.may_leave(link);
                is_unwanted.then_some(Wanted::Close { link: *link })
            }
            Event::Transfer { link, event } => {
                receiving.happened(*link, event).map(|command| Wanted::Transfer { link: *link, command })
            }
            _other_news => None,
        };
        self.want(wanted).await;
    }
}

impl Receiving {
    /// What happens to a file, and what is answered.
    fn happened(&mut self, link: LinkId, event: &Happened) -> Option<Transfer> {
        match event {
            // Other links are others'.
            Happened::Offered(..) | Happened::Segment(..) if !self.links.contains_key(&link) => None,
            Happened::Offered(arrival, offered) => {
                let may = self.may_leave(&link);
                tracing::debug!("a file of {} bytes is offered; may be left: {may}", offered.len);
                Some(if may { Transfer::Accept(*arrival) } else { Transfer::Refuse(*arrival) })
            }
            Happened::Segment(arrival, segment) => Some(match self.keep(link, *arrival, segment) {
                Ok(()) => Transfer::Kept(*arrival),
                Err(cause) => {
                    tracing::warn!("a file cannot be written: {cause}");
                    self.arriving.remove(&(link, *arrival));
                    Transfer::Refuse(*arrival)
                }
            }),
            Happened::Arrived(arrival) => {
                match self.complete(link, *arrival) {
                    Ok(arrived) => {
                        if let Some(file) = arrived {
                            self.replier.event(Told::FileArrived(file));
                        }
                    }
                    Err(cause) => tracing::warn!("a file cannot be put in its place: {cause}"),
                }
                None
            }
            Happened::NotArrived(arrival, why) => {
                if self.arriving.remove(&(link, *arrival)).is_some() {
                    tracing::info!("a file did not arrive: {why:?}");
                }
                None
            }
            Happened::Sent(_) | Happened::NotSent(..) => None,
        }
    }
}

/// The name that metadata say, as one that a directory takes.
fn name_in(metadata: &[u8]) -> String {
    let value = rmpv::decode::read_value(&mut &metadata[..]).unwrap_or(Value::Nil);
    let pairs = value.as_map().map_or(&[][..], Vec::as_slice);
    let said = pairs.iter().find(|(name, _)| name.as_str() == Some("name")).map(|(_, said)| said);
    let said = said.and_then(|said| said.as_slice().or_else(|| said.as_str().map(str::as_bytes)));
    let said = String::from_utf8_lossy(said.unwrap_or_default()).into_owned();
    let last = Path::new(&said).file_name().map(|name| name.to_string_lossy().into_owned());
    let name: String =
        last.unwrap_or_default().chars().filter(|letter| !letter.is_control()).take(120).collect();
    if name.is_empty() { "file".to_owned() } else { name }
}

/// Moves a file to its name in a directory, with a number if there is one of that name.
fn put(from: &Path, into: &Path, name: &str) -> io::Result<PathBuf> {
    for number in 0..SAME_NAME {
        let name = if number == 0 { name.to_owned() } else { format!("{name}.{number}") };
        let to = into.join(name);
        match fs::hard_link(from, &to) {
            Ok(()) => return Ok(to),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(cause),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_name_the_last_part_counts_and_nothing_that_leads_elsewhere() {
        let said = |name: Value| {
            let mut metadata = Vec::new();
            let map = Value::Map(vec![(Value::from("name"), name)]);
            rmpv::encode::write_value(&mut metadata, &map).unwrap();
            name_in(&metadata)
        };
        assert_eq!(said(Value::Binary(b"boat.jpg".to_vec())), "boat.jpg");
        assert_eq!(said(Value::from("../../etc/passwd")), "passwd");
        assert_eq!(said(Value::from("/a/b\x1b[2J")), "b[2J");
        for nothing in ["", "..", "/", "\x07"] {
            assert_eq!(said(Value::from(nothing)), "file");
        }
        assert_eq!(said(Value::from("x".repeat(500))).len(), 120);
        assert_eq!(name_in(b"\xc1nonsense"), "file");
    }

    #[test]
    fn a_file_that_is_there_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let part = directory.path().join(".part");
        fs::write(&part, b"new").unwrap();
        fs::write(directory.path().join("a"), b"old").unwrap();
        let put = put(&part, directory.path(), "a").unwrap();
        assert_eq!(put, directory.path().join("a.1"));
        assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"old");
    }
}
