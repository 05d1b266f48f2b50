//! What wraps a driver: faults, a trace, a recording. Spec: `spec/node.md#decorators`.
//!
//! A decorator sits between a medium and the loop: it wraps the drivers that come by, for what is sent, and relays the
//! reports, for what arrives. From the loop to the medium: faults, tracer, recording; so what is traced and recorded is
//! what the medium really carries.

mod delay;
pub mod faults;
pub mod pcap;
mod tracer;

use std::fmt;

use nexus_network::InterfaceId;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub use faults::Faults;
pub use pcap::Pcap;
pub use tracer::Tracer;

use crate::driver::{News, OpenError, Opening, PortId, Report};

/// What is to wrap a medium; nothing by default.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Decorations {
    /// Spoils frames.
    pub faults: Option<Faults>,
    /// Logs each frame's length and kind.
    pub tracer: Option<Tracer>,
    /// Records frames in a file.
    pub pcap: Option<Pcap>,
}

/// The way to the loop through the decorators, and the tasks that stand on it, the medium's end first.
pub(crate) type Wrapped = (mpsc::Sender<Report>, Vec<JoinHandle<()>>);

impl Decorations {
    /// Wraps the way of a medium's reports to the loop, and with it the drivers that come along.
    pub(crate) fn wrap(&self, name: &str, reports: mpsc::Sender<Report>) -> Result<Wrapped, OpenError> {
        // What can fail comes before anything is started.
        let recording = self.pcap.as_ref().map(|pcap| pcap.start(name)).transpose()?;
        let (mut way, mut tasks) = (reports, Vec::new());
        if let Some(faults) = &self.faults {
            if !faults.delay.is_zero() {
                way = delay::start(faults.delay, way, &mut tasks);
            }
            way = relay(faults.start(), way, &mut tasks);
        }
        if let Some(tracer) = &self.tracer {
            way = relay(tracer.start(), way, &mut tasks);
        }
        if let Some(recording) = recording {
            way = relay(recording, way, &mut tasks);
        }
        tasks.reverse();
        Ok((way, tasks))
    }
}

impl fmt::Display for Decorations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.faults.as_ref().map(ToString::to_string);
        let tracer = self.tracer.map(|_| "traced".to_owned());
        let pcap = self.pcap.as_ref().map(ToString::to_string);
        let words: Vec<_> = [faults, tracer, pcap].into_iter().flatten().collect();
        f.write_str(&words.join(", "))
    }
}

/// What one decorator does with the reports of a medium.
trait Tap: Send + 'static {
    /// Wraps the driver of an interface that comes; where the decorator wants to hear its number, if it does.
    fn opened(&mut self, port: PortId, opening: Opening)
    -> (Opening, Option<oneshot::Receiver<InterfaceId>>);

    /// The loop gave an interface its number.
    fn numbered(&mut self, _port: PortId, _iface: InterfaceId) {}

    /// Passes on what an interface says, changed or not, once, several times or not at all.
    fn said(&mut self, port: PortId, news: News, out: &mut Vec<News>);

    /// The medium is closed.
    fn ended(&mut self) {}
}

/// How many reports may wait in a decorator. At the bound the driver waits.
const WAITING: usize = 64;

/// Starts a decorator whose reports go to `reports`; where the medium's go.
fn relay(
    mut tap: impl Tap,
    reports: mpsc::Sender<Report>,
    tasks: &mut Vec<JoinHandle<()>>,
) -> mpsc::Sender<Report> {
    let (entrance, mut entering) = mpsc::channel(WAITING);
    tasks.push(tokio::spawn(async move {
        while let Some(report) = entering.recv().await {
            if pass(&mut tap, report, &reports).await.is_err() {
                break;
            }
        }
        tap.ended();
    }));
    entrance
}

async fn pass(
    tap: &mut impl Tap,
    Report { port, news }: Report,
    reports: &mpsc::Sender<Report>,
) -> Result<(), mpsc::error::SendError<Report>> {
    if let News::Opened(opening) = news {
        let (opening, numbered) = tap.opened(port, opening);
        reports.send(Report { port, news: News::Opened(opening) }).await?;
        if let Some(numbered) = numbered
            && let Ok(iface) = numbered.await
        {
            tap.numbered(port, iface);
        }
        return Ok(());
    }
    let mut out = Vec::with_capacity(1);
    tap.said(port, news, &mut out);
    for news in out {
        reports.send(Report { port, news }).await?;
    }
    Ok(())
}
