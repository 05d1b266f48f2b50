//! The status again and again, on a screen of its own.

use std::time::Duration;

use nexus_daemon::client::Client;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Snapshot, Status};
use crate::address_book::AddressBook;
use crate::daemon::connect;
use crate::ending::{Ending, Outcome, Refusal};
use crate::quantities::utc;
use crate::terminal::{Screen, is_read_by_a_person, print, print_json};

/// Between two pictures.
const INTERVAL: Duration = Duration::from_secs(1);

impl Status {
    /// Shows the status every second until a signal ends it. A daemon that goes away is waited for.
    pub(super) async fn watch(self) -> Ending {
        let mut ends = Ends::new()?;
        // The first connection tells whether there is anything to watch.
        let mut client = Some(connect(&self.place).await?);
        let screen = (is_read_by_a_person() && !self.json).then(Screen::open);
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = ends.next() => return Ok(Outcome::Done),
                _ = ticks.tick() => {}
            }
            let picture = tokio::select! {
                () = ends.next() => return Ok(Outcome::Done),
                picture = self.picture(&mut client) => picture,
            };
            match (&screen, picture) {
                (Some(screen), Ok(text)) => screen.draw(&text),
                (Some(screen), Err(refusal)) => screen.draw(&format!("{refusal}\n")),
                (None, Ok(text)) => print(&text),
                (None, Err(refusal)) => eprintln!("nexus: {refusal}"),
            }
        }
    }

    async fn picture(&self, connection: &mut Option<Client>) -> Result<String, Refusal> {
        let mut client = match connection.take() {
            Some(client) => client,
            None => connect(&self.place).await?,
        };
        if self.json {
            print_json(&self.as_json(&mut client).await?);
            *connection = Some(client);
            return Ok(String::new());
        }
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let snapshot = Snapshot::take(&mut client).await?;
        *connection = Some(client);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let head = now.map_or_else(|_before_1970| String::new(), |now| utc(now.as_secs()));
        Ok(format!("{head}\n{}\n", self.as_text(&snapshot, &book)))
    }
}

/// The signals that end a command in order.
pub(crate) struct Ends {
    interrupt: Signal,
    terminate: Signal,
}

impl Ends {
    pub(crate) fn new() -> Result<Self, Refusal> {
        let hear =
            |kind| signal(kind).map_err(|cause| Refusal::Cannot(format!("signals cannot be heard: {cause}")));
        Ok(Self { interrupt: hear(SignalKind::interrupt())?, terminate: hear(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
