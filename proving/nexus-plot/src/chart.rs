//! The drawing itself.

use plotters::element::DashedPathElement;
use plotters::prelude::*;

use crate::{Corner, Mark, Plot};

const SIZE: (u32, u32) = (800, 480);
const FONT: &str = "sans-serif";
/// Distinguishable without seeing all colours: M. Okabe and K. Ito, "Color universal design", 2008.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];
const STROKE: u32 = 2;
const DOT: i32 = 3;
/// Length of a dash and of the gap behind it.
const DASH: (i32, i32) = (8, 5);
/// Length of the stroke in the key.
const KEY: i32 = 22;

type Failure = DrawingAreaErrorKind<std::io::Error>;

pub(crate) fn draw(plot: &Plot) -> Result<String, Failure> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(&plot.title, (FONT, 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(60)
            .build_cartesian_2d(plot.x.from..plot.x.to, plot.y.from..plot.y.to)?;
        chart
            .configure_mesh()
            .x_desc(&plot.x.label)
            .y_desc(&plot.y.label)
            .x_label_formatter(&short)
            .y_label_formatter(&short)
            .axis_desc_style((FONT, 15))
            .label_style((FONT, 13))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .draw()?;
        for (series, colour) in plot.series.iter().zip(COLOURS.iter().cycle()) {
            let points = series.points.iter().copied();
            let line = colour.stroke_width(STROKE);
            let (x, y) = DASH;
            match series.mark {
                Mark::Line => chart.draw_series(LineSeries::new(points, line))?.label(&series.name).legend(
                    move |(left, middle)| {
                        PathElement::new([(left, middle), (left + KEY, middle)], line).into_dyn()
                    },
                ),
                Mark::Dashes => chart
                    .draw_series(DashedLineSeries::new(points, x, y, line))?
                    .label(&series.name)
                    .legend(move |(left, middle)| {
                        let ends = [(left, middle), (left + KEY, middle)];
                        DashedPathElement::new(ends, x, y, line).into_dyn()
                    }),
                Mark::Dots => chart
                    .draw_series(points.map(|at| Circle::new(at, DOT, colour.filled())))?
                    .label(&series.name)
                    .legend(move |(left, middle)| {
                        Circle::new((left + KEY / 2, middle), DOT, colour.filled()).into_dyn()
                    }),
            };
        }
        chart
            .configure_series_labels()
            .position(position(plot.key))
            .legend_area_size(KEY + 8)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font((FONT, 13))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}

const fn position(corner: Corner) -> SeriesLabelPosition {
    match corner {
        Corner::UpperLeft => SeriesLabelPosition::UpperLeft,
        Corner::UpperRight => SeriesLabelPosition::UpperRight,
        Corner::LowerLeft => SeriesLabelPosition::LowerLeft,
        Corner::LowerRight => SeriesLabelPosition::LowerRight,
    }
}

/// To a thousandth, without what says nothing.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "what formats an axis is handed a reference")]
fn short(value: &f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
