//! A chart as HTML.

use std::fmt::Write as _;

use super::scale::FULL;
use super::{BandKind, Chart, Series, Shape};
use crate::escape::escape;

impl Chart {
    /// A `figure` element with legend, plot, labels and the table of its figures.
    pub fn to_html(&self) -> String {
        let mut html = format!(
            "<figure class=\"chart\"><figcaption>{} <span>{}</span></figcaption>\n",
            escape(&self.title),
            escape(&self.y.title)
        );
        self.legend(&mut html);
        html.push_str("<div class=\"frame\"><div class=\"bands\" aria-hidden=\"true\">");
        self.band_names(&mut html);
        html.push_str("</div><div class=\"ys\" aria-hidden=\"true\">");
        for (value, label) in self.y.ticks() {
            let top = 100.0 - self.y.place(value) / 10.0;
            let _ = write!(
                html,
                "<span style=\"top:{top:.1}%\">{}</span>",
                escape(&label)
            );
        }
        html.push_str("</div><div class=\"plot\">");
        self.plot(&mut html);
        self.limit_names(&mut html);
        html.push_str("</div><div class=\"xs\" aria-hidden=\"true\">");
        for (at, (value, label)) in self.x.ticks().into_iter().enumerate() {
            let left = self.x.place(value) / 10.0;
            let class = if at % 2 == 1 { " class=\"odd\"" } else { "" };
            let _ = write!(
                html,
                "<span{class} style=\"left:{left:.1}%\">{}</span>",
                escape(&label)
            );
        }
        html.push_str("</div></div>\n");
        if !self.data.is_empty() {
            let _ = write!(
                html,
                "<details class=\"data\"><summary>Figures of this chart</summary>{}</details>",
                self.data.to_html()
            );
        }
        html.push_str("</figure>\n");
        html
    }

    fn legend(&self, html: &mut String) {
        html.push_str("<ul class=\"legend\">");
        for series in &self.series {
            let _ = write!(
                html,
                "<li><i class=\"c{} {}\"></i>{}",
                series.colour,
                series.shape.class(),
                escape(&series.name)
            );
            if !series.note.is_empty() {
                let _ = write!(html, " <b>{}</b>", escape(&series.note));
            }
            html.push_str("</li>");
        }
        html.push_str("</ul>\n");
    }

    fn band_names(&self, html: &mut String) {
        for band in &self.bands {
            let (left, right) = (self.x.place(band.from) / 10.0, self.x.place(band.to) / 10.0);
            // Too narrow for the name, or for more than its leading number.
            let name = match right - left {
                width if width < 4.0 => continue,
                width if width < 10.0 => leading_number(&band.name),
                _ => &band.name,
            };
            let class = band.kind.class();
            let _ = write!(
                html,
                "<span class=\"{class}\" style=\"left:{left:.1}%;width:{:.1}%\">{}</span>",
                right - left,
                escape(name)
            );
        }
    }

    fn limit_names(&self, html: &mut String) {
        for limit in &self.limits {
            let top = 100.0 - self.y.place(limit.y) / 10.0;
            // Below the line if there is no space above it, or another line's name.
            let is_close = |other: &super::Limit| {
                let above = top - (100.0 - self.y.place(other.y) / 10.0);
                above > 0.0 && above < 12.0
            };
            let is_under = top < 12.0 || self.limits.iter().any(is_close);
            let class = if is_under { "mark under" } else { "mark" };
            let _ = write!(
                html,
                "<span class=\"{class}\" style=\"top:{top:.1}%\" aria-hidden=\"true\">{}</span>",
                escape(&limit.name)
            );
        }
    }

    fn plot(&self, html: &mut String) {
        let id = escape(&self.id);
        let _ = write!(
            html,
            "<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-labelledby=\"{id}-t {id}-d\"><title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
            escape(&self.title),
            escape(&self.description)
        );
        for band in &self.bands {
            let (from, to) = (self.x.place(band.from), self.x.place(band.to));
            let _ = write!(
                html,
                "<rect class=\"{}\" x=\"{from:.0}\" y=\"0\" width=\"{:.0}\" height=\"1000\"/>",
                band.kind.class(),
                (to - from).max(1.0)
            );
        }
        let mut grid = String::new();
        for (value, _) in self.y.ticks() {
            let _ = write!(grid, "M0 {:.0}H1000", self.down(value));
        }
        let _ = write!(html, "<path class=\"grid\" d=\"{grid}\"/>");
        for moment in &self.moments {
            let _ = write!(
                html,
                "<path class=\"moment\" d=\"M{:.0} 0V1000\"><title>{}</title></path>",
                self.x.place(moment.x),
                escape(&moment.name)
            );
        }
        for series in &self.series {
            self.curve(series, html);
        }
        for limit in &self.limits {
            let _ = write!(
                html,
                "<path class=\"limit\" d=\"M0 {:.0}H1000\"/>",
                self.down(limit.y)
            );
        }
        html.push_str("</svg>");
    }

    /// Positions count from the top.
    fn down(&self, y: f64) -> f64 {
        FULL - self.y.place(y)
    }

    fn curve(&self, series: &Series, html: &mut String) {
        let colour = series.colour;
        match series.shape {
            Shape::Area => {
                for run in runs(&series.points) {
                    let line = self.path(run, Shape::Line);
                    let (first, last) = (run[0].0, run[run.len() - 1].0);
                    let (first, last) = (self.x.place(first), self.x.place(last));
                    let _ = write!(
                        html,
                        "<path class=\"area c{colour}\" d=\"{line}V1000H{first:.0}Z\"/>\
                         <path class=\"line c{colour}\" d=\"{line}\"/>"
                    );
                    // A single point has no area.
                    if first == last {
                        let _ = write!(html, "<path class=\"dots c{colour}\" d=\"{line}h0\"/>");
                    }
                }
            }
            Shape::Bars => {
                let width = 0.7 * FULL / series.points.len().max(1) as f64;
                let mut path = String::new();
                for (x, y) in present(&series.points) {
                    let (x, y) = (self.x.place(x) - width / 2.0, self.down(y));
                    let _ = write!(path, "M{x:.0} 1000V{y:.0}h{width:.0}V1000Z");
                }
                let _ = write!(html, "<path class=\"bars c{colour}\" d=\"{path}\"/>");
            }
            Shape::Dots => {
                let mut path = String::new();
                for (x, y) in present(&series.points) {
                    let _ = write!(path, "M{:.0} {:.0}h0", self.x.place(x), self.down(y));
                }
                let _ = write!(html, "<path class=\"dots c{colour}\" d=\"{path}\"/>");
            }
            shape => {
                let mut path = String::new();
                let mut alone = String::new();
                for run in runs(&series.points) {
                    path.push_str(&self.path(run, shape));
                    if let [(x, Some(y))] = run {
                        let _ = write!(alone, "M{:.0} {:.0}h0", self.x.place(*x), self.down(*y));
                    }
                }
                let class = shape.class();
                let _ = write!(html, "<path class=\"{class} c{colour}\" d=\"{path}\"/>");
                if !alone.is_empty() {
                    let _ = write!(html, "<path class=\"dots c{colour}\" d=\"{alone}\"/>");
                }
            }
        }
    }

    fn path(&self, run: &[(f64, Option<f64>)], shape: Shape) -> String {
        let mut path = String::new();
        for (at, (x, y)) in present(run).enumerate() {
            let (x, y) = (self.x.place(x), self.down(y));
            let _ = match (at, shape) {
                (0, _) => write!(path, "M{x:.0} {y:.0}"),
                (_, Shape::Step) => write!(path, "H{x:.0}V{y:.0}"),
                _ => write!(path, "L{x:.0} {y:.0}"),
            };
        }
        path
    }
}

/// `100` of `100 users`; a name that does not begin with a number is returned whole.
fn leading_number(name: &str) -> &str {
    let first = name.split(' ').next().unwrap_or_default();
    if first.parse::<f64>().is_ok() {
        first
    } else {
        name
    }
}

/// The runs of points between gaps.
fn runs(points: &[(f64, Option<f64>)]) -> impl Iterator<Item = &[(f64, Option<f64>)]> {
    points
        .split(|(_, y)| y.is_none_or(|y| !y.is_finite()))
        .filter(|run| !run.is_empty())
}

fn present(points: &[(f64, Option<f64>)]) -> impl Iterator<Item = (f64, f64)> {
    points
        .iter()
        .filter_map(|(x, y)| Some((*x, (*y).filter(|y| y.is_finite())?)))
}

impl Shape {
    fn class(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Dashed => "dashed",
            Self::Area => "area",
            Self::Step => "step",
            Self::Bars => "bars",
            Self::Dots => "dots",
        }
    }
}

impl BandKind {
    fn class(self) -> &'static str {
        match self {
            Self::Judged => "judged",
            Self::Other => "other",
            Self::Fault => "fault",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scale::{Axis, Labels};
    use super::*;
    use crate::chart::Limit;
    use crate::table::Table;

    fn chart(points: Vec<(f64, Option<f64>)>, shape: Shape) -> Chart {
        Chart {
            id: "x".to_owned(),
            title: "p95 <of> all".to_owned(),
            description: "Falls.".to_owned(),
            x: Axis::time(3.0),
            y: Axis::from_zero("ms", 100.0, Labels::Figures),
            series: vec![Series {
                name: "p95".to_owned(),
                note: String::new(),
                colour: 1,
                shape,
                points,
            }],
            bands: Vec::new(),
            limits: vec![Limit {
                name: "p95 < 50 ms".to_owned(),
                y: 50.0,
            }],
            moments: Vec::new(),
            data: Table::default(),
        }
    }

    #[test]
    fn gaps_are_gaps_and_points_alone_are_dots() {
        let points = vec![
            (0.0, Some(100.0)),
            (1.0, Some(0.0)),
            (2.0, None),
            (3.0, Some(50.0)),
        ];
        let html = chart(points, Shape::Line).to_html();
        assert!(html.contains("d=\"M0 0L333 1000M1000 500\""), "{html}");
        assert!(
            html.contains("class=\"dots c1\" d=\"M1000 500h0\""),
            "{html}"
        );
        assert!(html.contains("p95 &lt;of&gt; all"), "{html}");
    }

    #[test]
    fn a_threshold_is_drawn_and_named() {
        let html = chart(vec![(0.0, Some(1.0))], Shape::Area).to_html();
        assert!(
            html.contains("<path class=\"limit\" d=\"M0 500H1000\"/>"),
            "{html}"
        );
        assert!(html.contains("p95 &lt; 50 ms</span>"), "{html}");
    }

    #[test]
    fn values_that_are_not_numbers_are_not_drawn() {
        let html = chart(vec![(0.0, Some(f64::NAN)), (1.0, None)], Shape::Step).to_html();
        assert!(!html.contains("NaN"), "{html}");
    }
}
