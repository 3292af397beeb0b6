//! Processor time against the number of filters, as an SVG. A line for each
//! gateway; dashed and level where only its cost without filters is known.

use super::{
    contender::Gateway,
    results::{Mode, Row},
    statistics::median,
};
use crate::picture::{BOTTOM, LEFT, RIGHT, Scale, line as draw_line, picture, text};

const MOST_FILTERS: u32 = 5;

/// One line of the plot.
#[derive(Debug)]
pub(crate) struct Series {
    gateway: Gateway,
    /// Filters and microseconds, from the fewest filters on.
    points: Vec<(u32, f64)>,
}

/// The lines of all contenders that can be compared.
pub(crate) fn series(rows: &[Row]) -> Vec<Series> {
    let all = Gateway::ALL.into_iter().map(|gateway| {
        let of = rows
            .iter()
            .filter(|row| row.contender.gateway == gateway && row.is_sound());
        let points = of.filter_map(|row| {
            let cpu = median(row.values(Mode::Closed, |sample| sample.cpu_us))?;
            Some((row.contender.filters?, cpu))
        });
        let mut points: Vec<_> = points.collect();
        points.sort_by_key(|(filters, _)| *filters);
        Series { gateway, points }
    });
    all.filter(|series| !series.points.is_empty()).collect()
}

/// The whole picture.
pub(crate) fn draw(all: &[Series]) -> String {
    let costs = all.iter().flat_map(|series| &series.points);
    let most = costs.fold(1.0, |most: f64, (_, cost)| most.max(*cost));
    let scale = Scale::up_to(most);
    let body: String = [
        text(LEFT, 30.0, "start", 18, "What a filter costs"),
        axes(scale),
        all.iter().map(|series| line(series, scale)).collect(),
        legend(all),
    ]
    .concat();
    let label = "Processor time per request against the number of filters";
    picture(label, &body)
}

fn x(filters: u32) -> f64 {
    LEFT + (RIGHT - LEFT) * f64::from(filters) / f64::from(MOST_FILTERS)
}

fn axes(scale: Scale) -> String {
    let mut picture = scale.grid();
    for filters in 0..=MOST_FILTERS {
        picture += &text(
            x(filters),
            BOTTOM + 22.0,
            "middle",
            13,
            &filters.to_string(),
        );
    }
    let middle = f64::midpoint(LEFT, RIGHT);
    picture += &text(
        middle,
        BOTTOM + 44.0,
        "middle",
        13,
        "filters that read a header and set one",
    );
    picture + &text(LEFT, 52.0, "start", 13, "processor time per request, µs")
}

fn line(series: &Series, scale: Scale) -> String {
    let colour = colour(series.gateway);
    let mut corners = series.points.clone();
    let mut dashes = "";
    if let [(_, cost)] = series.points[..] {
        corners = vec![(0, cost), (MOST_FILTERS, cost)];
        dashes = " stroke-dasharray=\"6 5\"";
    }
    let place = |(filters, cost): &(u32, f64)| (x(*filters), scale.y(*cost));
    let corners: Vec<_> = corners.iter().map(place).collect();
    let mut picture = draw_line(&corners, colour, dashes);
    for (x, y) in series.points.iter().map(place) {
        picture += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>\n");
    }
    picture
}

fn legend(all: &[Series]) -> String {
    let mut picture = String::new();
    let mut left = LEFT;
    for series in all {
        let (colour, label) = (colour(series.gateway), label(series));
        picture += &format!(
            "<rect x=\"{left}\" y=\"63\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{colour}\"/>\n"
        );
        picture += &text(left + 18.0, 74.0, "start", 13, &label);
        left += 42.0 + 7.0 * label.chars().count() as f64;
    }
    picture
}

fn label(series: &Series) -> String {
    let kind = match (series.gateway, series.points.len()) {
        (Gateway::Portcullis, _) => "Wasm",
        (_, 1) => "without filters",
        _ => "Lua",
    };
    format!("{}, {kind}", series.gateway.name())
}

fn colour(gateway: Gateway) -> &'static str {
    match gateway {
        Gateway::Portcullis => "#0969da",
        Gateway::Nginx => "#1a7f37",
        Gateway::HaProxy => "#9a6700",
        Gateway::Envoy => "#bf3989",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::results::sample::row;

    #[test]
    fn there_is_one_line_per_gateway_and_every_place_is_a_number() {
        let rows = [
            row(Gateway::Portcullis, 1, &[11.0], 0),
            row(Gateway::Portcullis, 0, &[10.5, 10.7], 0),
            row(Gateway::Portcullis, 2, &[], 0),
            row(Gateway::Nginx, 0, &[10.0], 0),
            row(Gateway::Nginx, 5, &[f64::NAN], 0),
            row(Gateway::Envoy, 0, &[38.0], 1),
        ];
        let all = series(&rows);
        assert_eq!(all[0].points, [(0, 10.6), (1, 11.0)]);
        let picture = draw(&all);
        assert_eq!(picture.matches("<polyline").count(), 2, "{picture}");
        assert_eq!(picture.matches("stroke-dasharray").count(), 1);
        assert!(
            !picture.contains("NaN") && !picture.contains("inf"),
            "{picture}"
        );
        assert!(
            !picture.contains("Envoy"),
            "a contender that failed is no line"
        );
    }

    #[test]
    fn nothing_is_a_picture_too() {
        assert!(draw(&[]).ends_with("</svg>\n"));
    }
}
