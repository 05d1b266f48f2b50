//! What is told, and what it is called: base units, counters that end in `_total`, a name for each idea.
//!
//! All of it is read in one go on the loop, from what the control protocol tells too.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::api::{Channel, ClassOfQueue, Earned, Interface, Metered, Queue, Span, Sum};
use crate::host::HostView;
use crate::service::{money, sight};

/// A node as it stands.
#[derive(Debug)]
pub(crate) struct Reading {
    interfaces: Vec<Interface>,
    metered: Vec<Metered>,
    queues: Vec<Queue>,
    /// By interface: frames that wait.
    waiting: Vec<(String, u64)>,
    /// By interface: links that are up.
    links: Vec<(String, u64)>,
    paths: u64,
    refusals: Vec<(String, u64)>,
    path_requests: Vec<(String, u64)>,
    memory_bytes: u64,
    earned: Vec<Earned>,
    channels: Vec<Channel>,
}

/// One sample: its labels, and its value.
type Sample<V> = (Vec<(&'static str, String)>, V);

impl Reading {
    pub(crate) fn of(view: &HostView<'_>) -> Self {
        let network = view.node().network();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let waiting = |iface| network.media().waiting(iface).map_or(0, number);
        let links = |iface| number(network.links().status().filter(|link| link.iface == iface).count());
        Self {
            interfaces: sight::interfaces(view),
            metered: sight::budget(view).interfaces,
            queues: sight::queues(view).interfaces,
            waiting: view.interfaces().map(|there| (there.name.clone(), waiting(there.id))).collect(),
            links: view.interfaces().map(|there| (there.name.clone(), links(there.id))).collect(),
            paths: sight::count_paths(view),
            refusals: sight::refusals(view).into_iter().collect(),
            path_requests: sight::path_requests(view).into_iter().collect(),
            memory_bytes: sight::memory_bytes(),
            earned: money::earned(view),
            channels: money::channels(view),
        }
    }

    /// In the text format of Prometheus.
    pub(crate) fn told(self) -> String {
        let (mut text, mut registry) = (String::new(), Registry::default());
        registry.register_collector(Box::new(self));
        prometheus_text::encode(&mut text, &registry).expect("a string takes everything");
        text
    }

    fn tell_interfaces(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let up = self.interfaces.iter().map(|interface| {
            let Interface { name, kind, mode, up, .. } = interface;
            let labels = [("interface", name), ("kind", kind), ("mode", mode)];
            (labels.map(|(key, value)| (key, value.clone())).to_vec(), u64::from(*up))
        });
        gauges(out, "nexus_interface_up", "Whether frames can pass: 1 or 0.", up)?;
        let bandwidth = self.metered.iter().map(|metered| (of(&metered.interface), metered.measured_bps / 8));
        gauges(
            out,
            "nexus_interface_bandwidth_bytes_per_second",
            "What the interface carries under load, as it was measured; 0 if unknown.",
            bandwidth,
        )?;
        let received = |what: fn(&Interface) -> u64| {
            self.interfaces.iter().map(move |interface| (of(&interface.name), what(interface)))
        };
        counters(
            out,
            "nexus_received_frames",
            "Frames that arrived.",
            received(|interface| interface.received.frames),
        )?;
        counters(
            out,
            "nexus_received_bytes",
            "Bytes of frames that arrived, framing not counted.",
            received(|interface| interface.received.bytes),
        )?;
        let dropped = self.interfaces.iter().flat_map(|interface| {
            let cause = |(cause, count): (&String, &u64)| {
                (vec![("interface", interface.name.clone()), ("cause", cause.clone())], *count)
            };
            interface.drops.iter().map(cause)
        });
        counters(out, "nexus_dropped", "What did not leave or arrive, by cause.", dropped)?;
        let named = |all: &[(String, u64)]| -> Vec<Sample<u64>> {
            all.iter().map(|(name, count)| (of(name), *count)).collect()
        };
        gauges(out, "nexus_waiting_frames", "Frames that wait for the interface.", named(&self.waiting))?;
        gauges(out, "nexus_links", "Links with neighbours that are up.", named(&self.links))
    }

    fn tell_budget(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        counters(
            out,
            "nexus_transmitted_frames",
            "Frames that left, by what they were for.",
            self.totals(|sum| sum.frames),
        )?;
        counters(
            out,
            "nexus_transmitted_bytes",
            "Bytes that left, framing included, by what they were for.",
            self.totals(|sum| sum.bytes),
        )?;
        counters(
            out,
            "nexus_transmitted_airtime_seconds",
            "For how long what left occupied the medium, at its nominal rate, by what it was for.",
            self.totals(|sum| Duration::from_micros(sum.airtime_us).as_secs_f64()),
        )?;
        let used = self.metered.iter().flat_map(|metered| {
            let windows = [("10m", &metered.ten_minutes), ("1h", &metered.hour)];
            windows.into_iter().filter_map(|(window, span): (_, &Span)| {
                let labels = vec![("interface", metered.interface.clone()), ("window", window.to_owned())];
                span.together_ppm.map(|ppm| (labels, ratio(ppm)))
            })
        });
        gauges(
            out,
            "nexus_budget_used_ratio",
            "What announces and gossip took of what the interface carries, in a window that ends now.",
            used,
        )?;
        let limits = self.metered.iter().map(|metered| (of(&metered.interface), ratio(metered.limit_ppm)));
        gauges(out, "nexus_budget_limit_ratio", "What announces and gossip may take of it.", limits)
    }

    fn tell_queues(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        gauges(
            out,
            "nexus_queue_frames",
            "Packets that wait for the interface, by class.",
            self.by_class(|class| class.waiting.frames),
        )?;
        counters(
            out,
            "nexus_queue_left_frames",
            "Packets that left by the interface, by class.",
            self.by_class(|class| class.left),
        )?;
        counters(
            out,
            "nexus_queue_waited_seconds",
            "How long the packets that left waited together, by class.",
            self.by_class(|class| Duration::from_micros(class.waited_us).as_secs_f64()),
        )?;
        counters(
            out,
            "nexus_queue_late_frames",
            "Packets that waited longer than their class is of use, and were dropped.",
            self.by_class(|class| class.late),
        )?;
        let told = self.queues.iter().flat_map(|queue| {
            let sample = |(severity, count): (&String, &u64)| {
                (vec![("interface", queue.interface.clone()), ("severity", severity.clone())], *count)
            };
            queue.told.iter().map(sample)
        });
        counters(out, "nexus_congestion_told", "How often neighbours were told to send less.", told)?;
        let raised = self.queues.iter().map(|queue| (of(&queue.interface), queue.price_raised_percent));
        gauges(
            out,
            "nexus_price_raised_percent",
            "By how much the price is raised because the queue is full.",
            raised,
        )
    }

    /// Sums over all neighbours: nobody is named.
    fn tell_money(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let all = |what: fn(&Earned) -> u64| {
            let sum = self.earned.iter().map(what).fold(0, u64::saturating_add);
            [(Vec::new(), sum)]
        };
        let due = "What neighbours owe for what was carried for them; 1,024 to the µNXS.";
        counters(out, "nexus_due_grains", due, all(|earned| earned.due_grains))?;
        let owed = "What this node owes neighbours for what they were handed.";
        counters(out, "nexus_owed_grains", owed, all(|earned| earned.owed_grains))?;
        let windows = "Windows of value that were drawn.";
        counters(out, "nexus_lottery_windows", windows, all(|earned| earned.windows))?;
        counters(out, "nexus_lottery_wins", "Of them, those that won.", all(|earned| earned.wins))?;
        let expected = "What the windows drawn are worth by their odds.";
        counters(out, "nexus_expected_grains", expected, all(|earned| earned.expected_grains))?;
        counters(out, "nexus_income_unxs", "What wins brought.", all(|earned| earned.actual_unxs))?;
        counters(out, "nexus_paid_unxs", "What neighbours were paid.", all(|earned| earned.paid_unxs))?;
        let open = || self.channels.iter().filter(|channel| channel.state != "closed");
        let sum = |whose: &str, what: fn(&Channel) -> u64| {
            let label = vec![("whose", whose.to_owned())];
            (label, open().map(what).fold(0, u64::saturating_add))
        };
        let balances = [sum("own", |channel| channel.own_unxs), sum("theirs", |channel| channel.theirs_unxs)];
        gauges(out, "nexus_channels_unxs", "What both sides have in channels that stand.", balances)?;
        let count = u64::try_from(open().count()).unwrap_or(u64::MAX);
        gauges(out, "nexus_channels", "Channels that stand.", [(Vec::new(), count)])
    }

    /// Something of each class of each interface.
    fn by_class<V>(&self, what: impl Fn(&ClassOfQueue) -> V) -> Vec<Sample<V>> {
        let classes = |queue: &Queue| {
            let sample = |(name, class): (&String, &ClassOfQueue)| {
                (vec![("interface", queue.interface.clone()), ("class", name.clone())], what(class))
            };
            queue.classes.iter().map(sample).collect::<Vec<_>>()
        };
        self.queues.iter().flat_map(classes).collect()
    }

    fn tell_node(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let build = (vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1);
        gauges(out, "nexus_build_info", "1, with the version of the program.", [build])?;
        gauges(out, "nexus_paths", "Destinations to which a way is known.", [(Vec::new(), self.paths)])?;
        let refused = self.refusals.iter().map(|(cause, count)| (vec![("cause", cause.clone())], *count));
        counters(out, "nexus_refused", "What was heard and not believed or not carried, by cause.", refused)?;
        let spans = ["found_hops", "found_ms"];
        let requests = self.path_requests.iter().filter(|(what, _)| !spans.contains(&what.as_str()));
        let requests = requests.map(|(what, count)| (vec![("outcome", what.clone())], *count));
        counters(out, "nexus_path_requests", "What became of requests for ways.", requests)?;
        gauges(
            out,
            "process_resident_memory_bytes",
            "Resident memory; 0 where the system does not say.",
            [(Vec::new(), self.memory_bytes)],
        )
    }

    /// Something of each load of each interface since the start.
    fn totals<V>(&self, what: impl Fn(&Sum) -> V) -> Vec<Sample<V>> {
        let loads = |metered: &Metered| {
            let sample = |(load, sum): (&String, &Sum)| {
                (vec![("interface", metered.interface.clone()), ("load", load.clone())], what(sum))
            };
            metered.total.iter().map(sample).collect::<Vec<_>>()
        };
        self.metered.iter().flat_map(loads).collect()
    }
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.tell_node(&mut encoder)?;
        self.tell_interfaces(&mut encoder)?;
        self.tell_budget(&mut encoder)?;
        self.tell_queues(&mut encoder)?;
        self.tell_money(&mut encoder)
    }
}

fn of(interface: &str) -> Vec<(&'static str, String)> {
    vec![("interface", interface.to_owned())]
}

/// Millionths as a ratio.
fn ratio(ppm: u64) -> f64 {
    f64::from(u32::try_from(ppm).unwrap_or(u32::MAX)) / 1_000_000.0
}

/// Counters of one name, which `_total` is put behind.
fn counters<V>(
    out: &mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &str,
    samples: impl IntoIterator<Item = Sample<V>>,
) -> fmt::Result
where
    ConstCounter<V>: EncodeMetric,
{
    family(out, (name, help, MetricType::Counter), samples, ConstCounter::new)
}

fn gauges<V>(
    out: &mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &str,
    samples: impl IntoIterator<Item = Sample<V>>,
) -> fmt::Result
where
    ConstGauge<V>: EncodeMetric,
{
    family(out, (name, help, MetricType::Gauge), samples, ConstGauge::new)
}

fn family<V, M: EncodeMetric>(
    out: &mut DescriptorEncoder<'_>,
    (name, help, kind): (&'static str, &str, MetricType),
    samples: impl IntoIterator<Item = Sample<V>>,
    metric: impl Fn(V) -> M,
) -> fmt::Result {
    let mut family = out.encode_descriptor(name, help, None, kind)?;
    for (labels, value) in samples {
        let metric = metric(value);
        if labels.is_empty() {
            return metric.encode(family);
        }
        metric.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
