//! What becomes of paths, told once a second: of each destination no more than where its way begins at the end of that second, if it
//! began elsewhere, or nowhere, at its beginning.

use std::collections::BTreeMap;

use nexus_crypto::DestinationHash;

use super::Service;
use super::sight::Names;
use crate::HostView;
use crate::api::{Begin, Event};

/// So many are told of in a second, at most; what is more is counted.
const MOST: usize = 256;
/// So many destinations are remembered; beyond that what becomes of further ones is not told.
const REMEMBERED: usize = 65_536;

/// Where the ways to destinations began when they were looked at last.
#[derive(Debug, Default)]
pub(super) struct PathNews {
    begins: BTreeMap<DestinationHash, Remembered>,
}

/// A way that was told of, and whether it is there.
#[derive(Clone, Debug)]
enum Remembered {
    There(Begin),
    Lost,
}

/// How the way to a destination stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// It begins here.
    Begins(Begin),
    /// There is none.
    Pathless,
    /// Nothing is known of the destination any more.
    Forgotten,
}

impl PathNews {
    /// What is news about `destination`, which stands so.
    fn news(&mut self, destination: DestinationHash, stands: Stands) -> Option<Event> {
        let before = self.begins.get(&destination).cloned();
        let name = destination.to_string();
        match (before, stands) {
            (None, Stands::Begins(way)) => {
                if self.begins.len() >= REMEMBERED {
                    return None;
                }
                self.begins.insert(destination, Remembered::There(way.clone()));
                Some(Event::PathLearnt { destination: name, way })
            }
            (Some(Remembered::Lost), Stands::Begins(way)) => {
                self.begins.insert(destination, Remembered::There(way.clone()));
                Some(Event::PathBack { destination: name, way })
            }
            (Some(Remembered::There(from)), Stands::Begins(to)) => {
                self.begins.insert(destination, Remembered::There(to.clone()));
                let is_elsewhere = (&from.via, &from.interface) != (&to.via, &to.interface);
                is_elsewhere.then_some(Event::PathChanged { destination: name, from, to })
            }
            (Some(Remembered::There(was)), Stands::Pathless) => {
                self.begins.insert(destination, Remembered::Lost);
                Some(Event::PathLost { destination: name, was })
            }
            (Some(Remembered::There(was)), Stands::Forgotten) => {
                self.begins.remove(&destination);
                Some(Event::PathLost { destination: name, was })
            }
            (Some(Remembered::Lost), Stands::Forgotten) => {
                self.begins.remove(&destination);
                None
            }
            (None, Stands::Pathless | Stands::Forgotten) | (Some(Remembered::Lost), Stands::Pathless) => None,
        }
    }
}

impl Service {
    /// Tells what became of paths since the last time.
    pub(super) async fn tell_path_news(&mut self) {
        // A host that is gone ends the daemon elsewhere.
        let Ok((changes, missed)) = self.handle.ask(changes).await else { return };
        let news: Vec<Event> = changes
            .into_iter()
            .filter_map(|(destination, stands)| self.path_news.news(destination, stands))
            .collect();
        for event in &news {
            log(event);
        }
        let (told, left_out) = news.split_at(news.len().min(MOST));
        for event in told {
            self.subscribers.tell(event);
        }
        let missed_before = std::mem::replace(&mut self.missed_path_news, missed);
        let left_out = u64::try_from(left_out.len()).unwrap_or(u64::MAX);
        self.subscribers.missed(left_out + missed.saturating_sub(missed_before));
    }
}

/// How those destinations stand to which the way is, or may be, another; and how many such were ever missed.
fn changes(view: &mut HostView<'_>) -> (Vec<(DestinationHash, Stands)>, u64) {
    let mut rerouted = Vec::new();
    while let Some(destination) = view.take_rerouted() {
        rerouted.push(destination);
    }
    let missed = view.node().network().announces().missed_rerouted();
    if rerouted.is_empty() {
        return (Vec::new(), missed);
    }
    let (names, node) = (Names::of(view), view.node());
    let routing = node.routing(view.now());
    let stands = |destination: &DestinationHash| match routing.chosen(destination, node.preferred()) {
        Some(way) => Stands::Begins(names.begin(&way)),
        None if routing.known(destination).is_some() => Stands::Pathless,
        None => Stands::Forgotten,
    };
    let changes = rerouted.iter().map(|destination| (*destination, stands(destination))).collect();
    (changes, missed)
}

/// What an operator wants to read later: ways that are gone, and those that are back.
fn log(event: &Event) {
    match event {
        Event::PathLost { destination, was } => {
            let by = was.via.as_deref().unwrap_or("an unknown neighbour");
            tracing::info!("there is no way to {destination} any more: it began with {by}");
        }
        Event::PathBack { destination, way } => {
            let by = way.via.as_deref().unwrap_or("an unknown neighbour");
            tracing::info!("there is a way to {destination} again: it begins with {by}");
        }
        Event::PathLearnt { destination, way } => {
            tracing::debug!("there is a way to {destination}, hops: {}", way.hops);
        }
        Event::PathChanged { destination, to, .. } => {
            tracing::debug!("the way to {destination} begins elsewhere, hops: {}", to.hops);
        }
        Event::Progress(_)
        | Event::Receiving { .. }
        | Event::FileArrived(_)
        | Event::Message(_)
        | Event::LinkUp { .. }
        | Event::LinkDown { .. }
        | Event::Announced { .. }
        | Event::Reached { .. }
        | Event::InterfaceUp { .. }
        | Event::InterfaceDown { .. }
        | Event::ChannelJammed { .. }
        | Event::ClocksParted { .. }
        | Event::Missed { .. }
        | Event::Unknown => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESTINATION: DestinationHash = DestinationHash([7; 16]);

    #[test]
    fn a_way_is_learnt_once_lost_and_back_and_changed_only_if_it_begins_elsewhere() {
        let mut news = PathNews::default();
        let name = DESTINATION.to_string();
        let (over_b, over_c) = (begin("b", 2), begin("c", 3));
        let mut said = |stands| news.news(DESTINATION, stands);
        assert_eq!(said(Stands::Pathless), None, "nobody was told of it");
        let learnt = Event::PathLearnt { destination: name.clone(), way: over_b.clone() };
        assert_eq!(said(Stands::Begins(over_b.clone())), Some(learnt));
        let longer = begin("b", 5);
        assert_eq!(said(Stands::Begins(longer.clone())), None, "it begins where it began");
        let changed = Event::PathChanged { destination: name.clone(), from: longer, to: over_c.clone() };
        assert_eq!(said(Stands::Begins(over_c.clone())), Some(changed));
        let lost = Event::PathLost { destination: name.clone(), was: over_c };
        assert_eq!(said(Stands::Pathless), Some(lost.clone()));
        assert_eq!(said(Stands::Pathless), None, "it is lost once");
        let back = Event::PathBack { destination: name.clone(), way: over_b.clone() };
        assert_eq!(said(Stands::Begins(over_b.clone())), Some(back));
        let lost = Event::PathLost { destination: name.clone(), was: over_b.clone() };
        assert_eq!(said(Stands::Forgotten), Some(lost));
        let learnt = Event::PathLearnt { destination: name, way: over_b.clone() };
        assert_eq!(said(Stands::Begins(over_b)), Some(learnt), "who was forgotten is met anew");
    }

    #[test]
    fn no_more_destinations_are_remembered_than_stated() {
        let mut news = PathNews::default();
        for number in 0..=u32::try_from(REMEMBERED).unwrap() {
            let mut destination = [0; 16];
            destination[..4].copy_from_slice(&number.to_be_bytes());
            let told = news.news(DestinationHash(destination), Stands::Begins(begin("b", 1)));
            assert_eq!(told.is_some(), number < u32::try_from(REMEMBERED).unwrap());
        }
        assert_eq!(news.begins.len(), REMEMBERED);
    }

    fn begin(via: &str, hops: u8) -> Begin {
        Begin { via: Some(via.to_owned()), interface: "udp0".to_owned(), hops }
    }
}
