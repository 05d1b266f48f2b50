//! What tests open a medium with, in the loop's place.

use std::time::Duration;

use nexus_network::{Endpoint, InterfaceId};
use tokio::sync::mpsc;

use crate::decorators::Decorations;
use crate::driver::{Carrier, Driver, Handed, Medium, News, OpenError, PortId, Report, Running};

/// A test that waits longer for something has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One open medium.
pub(crate) struct Rig {
    pub(crate) running: Running,
    reports: mpsc::Receiver<Report>,
    next_number: u8,
}

/// One interface of it.
pub(crate) struct Interface {
    pub(crate) port: PortId,
    pub(crate) name: String,
    pub(crate) carrier: Carrier,
    pub(crate) driver: Box<dyn Driver>,
}

impl Rig {
    pub(crate) fn open(medium: &dyn Medium) -> Result<Self, OpenError> {
        Self::decorated(medium, &Decorations::default())
    }

    pub(crate) fn decorated(medium: &dyn Medium, decorations: &Decorations) -> Result<Self, OpenError> {
        let (sender, reports) = mpsc::channel(64);
        let running = Running::start("test", medium, decorations.wrap("test", sender)?)?;
        Ok(Self { running, reports, next_number: 0 })
    }

    pub(crate) async fn next(&mut self) -> (PortId, News) {
        let report = tokio::time::timeout(PATIENCE, self.reports.recv()).await;
        let Report { port, news } = report.expect("the driver reports in time").expect("the driver is there");
        (port, news)
    }

    pub(crate) async fn opened(&mut self) -> Interface {
        let (port, News::Opened(opening)) = self.next().await else { panic!("an interface comes first") };
        opening.driver.registered(InterfaceId(self.next_number));
        self.next_number += 1;
        Interface { port, name: opening.name, carrier: opening.carrier, driver: opening.driver }
    }

    /// The next frame that arrives, whatever else is said.
    pub(crate) async fn received(&mut self) -> (Option<Endpoint>, Vec<u8>) {
        loop {
            if let (_, News::Received { from, frame }) = self.next().await {
                return (from, frame);
            }
        }
    }

    pub(crate) async fn carrier(&mut self) -> Carrier {
        loop {
            if let (_, News::Carrier(carrier)) = self.next().await {
                return carrier;
            }
        }
    }

    /// Sends a frame and waits until the medium took it.
    pub(crate) async fn send(&mut self, driver: &dyn Driver, to: Option<Endpoint>, frame: &[u8]) {
        match driver.transmit(to, frame.to_vec()) {
            Handed::Taken => {}
            Handed::Refused => panic!("the medium takes the frame"),
            Handed::Pending => loop {
                match self.next().await.1 {
                    News::Sent => return,
                    News::Lost => panic!("the medium takes the frame"),
                    News::Opened(_)
                    | News::Carrier(_)
                    | News::Received { .. }
                    | News::Unusable(_)
                    | News::Fault(_)
                    | News::Radio(_)
                    | News::Closed { .. } => {}
                }
            },
        }
    }

    /// Closes the medium while the reports still flow.
    pub(crate) async fn close(self) {
        let Self { running, mut reports, .. } = self;
        let mut closing = std::pin::pin!(running.close());
        loop {
            tokio::select! {
                () = &mut closing => return,
                Some(_) = reports.recv() => {}
            }
        }
    }
}
