//! The daemon that a command asks, and the node that it is asked about.

use std::collections::BTreeSet;

use nexus_daemon::api::{Code, Dropped, Failure, Links, Path, Paths, Verb};
use nexus_daemon::client::{Client, ClientError};

use crate::address_book::AddressBook;
use crate::ending::Refusal;
use crate::place::Place;

impl From<ClientError> for Refusal {
    fn from(refusal: ClientError) -> Self {
        match refusal {
            ClientError::NotRunning(_) | ClientError::Ended => Self::NotRunning(refusal.to_string()),
            ClientError::Refused(Failure { code: Code::Stopping, sentence }) => Self::NotRunning(sentence),
            ClientError::Forbidden(_)
            | ClientError::Broken(_)
            | ClientError::Language(_)
            | ClientError::Refused(_) => Self::Cannot(refusal.to_string()),
        }
    }
}

/// A connection to the daemon of a place.
pub(crate) async fn connect(place: &Place) -> Result<Client, Refusal> {
    Ok(Client::connect(&place.state()?).await?)
}

/// A node as a person named it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// Its id.
    pub(crate) node: String,
    /// What to call it.
    pub(crate) name: String,
}

/// The node that `word` names: a contact, an id, or the beginning of an id that the daemon or the contacts know.
pub(crate) async fn find(client: &mut Client, book: &AddressBook, word: &str) -> Result<Named, Refusal> {
    let known = match book.resolve(word, []) {
        Ok(node) if node.eq_ignore_ascii_case(word) || book.name_of(&node) == Some(word) => BTreeSet::new(),
        // The daemon may know others whose ids begin likewise.
        Ok(_) | Err(_) => known(client).await?,
    };
    let node = book.resolve(word, known.iter().map(String::as_str)).map_err(Refusal::cannot)?;
    let name = book.name_of(&node).unwrap_or(&node).to_owned();
    Ok(Named { node, name })
}

/// Has the node forget every way to a destination: how many there were, or why none was.
pub(crate) async fn drop_paths(client: &mut Client, to: &Named) -> Result<Result<Dropped, String>, Refusal> {
    match client.call::<Dropped>(Verb::DropPaths { to: to.node.clone() }).await {
        Ok(dropped) => Ok(Ok(dropped)),
        Err(ClientError::Refused(Failure { code: Code::NotFound, sentence })) => Ok(Err(sentence)),
        Err(refusal) => Err(refusal.into()),
    }
}

/// What is said of ways that were dropped.
pub(crate) fn told_of_dropped(to: &Named, dropped: Dropped) -> String {
    let ways = if dropped.ways == 1 { "1 way is".to_owned() } else { format!("{} ways are", dropped.ways) };
    format!("{}: {ways} forgotten, until somebody says one", to.name)
}

/// All destinations to which there is a way, page by page.
pub(crate) async fn all_paths(client: &mut Client) -> Result<Vec<Path>, Refusal> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let Paths { paths, next } = client.call(Verb::Paths { after }).await?;
        all.extend(paths);
        match next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

async fn known(client: &mut Client) -> Result<BTreeSet<String>, Refusal> {
    let paths = all_paths(client).await?;
    let links: Links = client.call(Verb::Links).await?;
    let nodes = paths.into_iter().filter(|path| path.node).map(|path| path.destination);
    Ok(nodes.chain(links.links.into_iter().map(|link| link.peer)).collect())
}
