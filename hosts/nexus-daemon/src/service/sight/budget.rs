//! What can be seen of what interfaces had on their media.

use std::collections::BTreeMap;

use nexus_network::InterfaceId;
use nexus_network::media::{Load, Media, Meter, Spent, TOGETHER_PPM, Tier, Window};

use crate::api::{Budget, Metered, Share, Span, Sum};
use crate::host::HostView;

pub(crate) fn budget(view: &HostView<'_>) -> Budget {
    let media = view.node().network().media();
    let mut interfaces: Vec<Metered> = view
        .interfaces()
        .map(|interface| {
            let (iface, nothing) = (interface.id, Meter::default());
            let meter = media.meter(iface).unwrap_or(&nothing);
            let last = |window| span(media, iface, meter, (view.now(), window));
            Metered {
                interface: interface.name.clone(),
                measured_bps: media.bandwidth_bps(iface).unwrap_or(0),
                limit_ppm: TOGETHER_PPM,
                ten_minutes: last(Window::TenMinutes),
                hour: last(Window::Hour),
                total: total(meter),
            }
        })
        .collect();
    interfaces.sort_by(|one, other| one.interface.cmp(&other.interface));
    Budget { interfaces }
}

fn span(
    media: &Media,
    iface: InterfaceId,
    meter: &Meter,
    (now, window): (nexus_machine::Instant, Window),
) -> Span {
    let usage = meter.last(now, window);
    let share = |load| {
        let spent = usage.of(load);
        let share_ppm = media.share_ppm(iface, spent, window);
        (spent, Share { bytes: spent.bytes, airtime_us: spent.time.as_micros(), share_ppm })
    };
    let shares = Load::ALL.into_iter().map(|load| (load, share(load)));
    let together = usage.of_those(Load::is_budgeted);
    Span {
        together_ppm: media.share_ppm(iface, together, window),
        loads: shares
            .filter(|(_, (spent, _))| *spent != Spent::default())
            .map(|(load, (_, share))| (load_name(load).to_owned(), share))
            .collect(),
    }
}

fn total(meter: &Meter) -> BTreeMap<String, Sum> {
    let sum = |load| {
        let (frames, spent) = (meter.frames(load), meter.total().of(load));
        Sum { frames, bytes: spent.bytes, airtime_us: spent.time.as_micros() }
    };
    let sums = Load::ALL.into_iter().map(|load| (load_name(load).to_owned(), sum(load)));
    sums.filter(|(_, sum)| sum.frames > 0).collect()
}

/// What a load is called in the control protocol and in metrics.
const fn load_name(load: Load) -> &'static str {
    match load {
        Load::Traffic => "traffic",
        Load::Links => "links",
        Load::Announces => "announces",
        Load::Gossip(Tier::Routing) => "gossip_routing",
        Load::Gossip(Tier::Payment) => "gossip_payment",
        Load::Gossip(Tier::Services) => "gossip_services",
        Load::Gossip(Tier::Social) => "gossip_social",
    }
}
