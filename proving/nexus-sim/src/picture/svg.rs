//! A drawing as SVG: a list of shapes, each with a class that the style names. Numbers have one decimal, texts are escaped.

use std::fmt::Write as _;

/// A drawing under way.
#[derive(Clone, Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    style: &'static str,
    body: String,
}

/// Where a text stands in relation to its point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A point of the drawing: right and down from its corner, in pixels.
pub(super) type Point = (f64, f64);

impl Svg {
    /// An empty drawing, white, with these classes.
    pub(super) const fn new(width: f64, height: f64, style: &'static str) -> Self {
        Self { width, height, style, body: String::new() }
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        self.body.write_fmt(text).expect("a string takes any text");
        self.body.push('\n');
    }

    pub(super) fn line(&mut self, class: &str, from: Point, to: Point, width: f64) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke-width="{width:.1}"/>"#
        ));
    }

    pub(super) fn polyline(&mut self, class: &str, points: &[Point]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(format_args!(r#"<polyline class="{class}" points="{}"/>"#, points.join(" ")));
    }

    pub(super) fn polygon(&mut self, class: &str, points: &[Point]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(format_args!(r#"<polygon class="{class}" points="{}"/>"#, points.join(" ")));
    }

    pub(super) fn circle(&mut self, class: &str, (x, y): Point, radius: f64) {
        self.add(format_args!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"/>"#));
    }

    /// A box from its upper left corner.
    pub(super) fn rectangle(&mut self, class: &str, (x, y): Point, (width, height): Point) {
        self.add(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#
        ));
    }

    /// What classes that name it are cut by.
    pub(super) fn clip(&mut self, name: &str, (x, y): Point, (width, height): Point) {
        self.add(format_args!(
            r#"<clipPath id="{name}"><rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/></clipPath>"#
        ));
    }

    /// A box that says something where the mouse rests on it.
    pub(super) fn told(&mut self, class: &str, (x, y): Point, (width, height): Point, what: &str) {
        let what = escaped(what);
        self.add(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"><title>{what}</title></rect>"#
        ));
    }

    pub(super) fn text(&mut self, class: &str, (x, y): Point, anchor: Anchor, text: &str) {
        let (anchor, text) = (anchor.name(), escaped(text));
        self.add(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    /// The whole file.
    pub(super) fn finish(self) -> String {
        let Self { width, height, style, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
             {height:.0}\" font-family=\"sans-serif\">\n<style>\n{style}\n</style>\n<rect width=\"100%\" height=\"100%\" \
             fill=\"#ffffff\"/>\n{body}</svg>\n"
        )
    }
}

/// Text as XML has it. Control characters, which XML has no way to write, are shown as such.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                out.push('\u{fffd}');
            }
            letter => out.push(letter),
        }
    }
    out
}

/// About how wide a text is, in pixels: six tenths of its size for each letter, as letters without serifs have it at most.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    f64::from(letters) * size * 0.6
}

/// The step between marks of an axis that is `length` pixels long and spans `span`: one, two or five times a power of ten, so that
/// marks are at least `apart` pixels from each other.
pub(super) fn step(span: f64, length: f64, apart: f64) -> f64 {
    let least = span * apart / length;
    let mut power = 1e-6;
    while power < 1e12 {
        for times in [1.0, 2.0, 5.0] {
            if times * power >= least {
                return times * power;
            }
        }
        power *= 10.0;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_break_out_of_a_text() {
        let mut svg = Svg::new(10.0, 10.0, "");
        svg.text("name", (1.0, 2.0), Anchor::Middle, "</text><script a=\"b\">&\u{0}\n");
        let drawn = svg.finish();
        assert!(!drawn.contains("<script"));
        assert!(drawn.contains("&lt;/text&gt;&lt;script a=&quot;b&quot;&gt;&amp;\u{fffd}\u{fffd}</text>"));
    }

    #[test]
    fn marks_of_an_axis_are_at_whole_steps_and_far_enough_apart() {
        assert!((step(60.0, 600.0, 50.0) - 5.0).abs() < 1e-9);
        assert!((step(1.0, 600.0, 100.0) - 0.2).abs() < 1e-9);
        assert!((step(86_400.0, 800.0, 100.0) - 20_000.0).abs() < 1e-3);
    }
}
