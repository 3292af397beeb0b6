//! Processor time against the number of filters, as an SVG. A line for each
//! gateway; dashed and level where only its cost without filters is known.

use super::{
    contender::Gateway,
    results::{Mode, Row},
    statistics::median,
};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 696.0;
const TOP: f64 = 88.0;
const BOTTOM: f64 = 384.0;
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
    let step = step(most);
    let top = (most / step).ceil() * step;
    let body: String = [
        text(LEFT, 30.0, "start", 18, "What a filter costs"),
        axes(step, top),
        all.iter().map(|series| line(series, top)).collect(),
        legend(all),
    ]
    .concat();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" role=\"img\" \
         aria-label=\"Processor time per request against the number of filters\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

/// A round distance of the grid that divides it into four to eight.
fn step(most: f64) -> f64 {
    let power = 10f64.powf((most / 4.0).log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|factor| factor * power);
    steps
        .into_iter()
        .find(|step| most / step >= 4.0)
        .unwrap_or(power)
}

fn x(filters: u32) -> f64 {
    LEFT + (RIGHT - LEFT) * f64::from(filters) / f64::from(MOST_FILTERS)
}

fn y(cost: f64, top: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * cost / top
}

fn axes(step: f64, top: f64) -> String {
    let mut picture = String::new();
    for number in 0..=(top / step).round() as u32 {
        let cost = f64::from(number) * step;
        let y = y(cost, top);
        picture += &format!(
            "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"#d8dee4\" stroke-width=\"1\"/>\n"
        );
        let digits = usize::from(step < 1.0);
        picture += &text(LEFT - 10.0, y + 4.0, "end", 13, &format!("{cost:.digits$}"));
    }
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

fn line(series: &Series, top: f64) -> String {
    let colour = colour(series.gateway);
    let mut corners = series.points.clone();
    let mut dashes = "";
    if let [(_, cost)] = series.points[..] {
        corners = vec![(0, cost), (MOST_FILTERS, cost)];
        dashes = " stroke-dasharray=\"6 5\"";
    }
    let place = |(filters, cost): &(u32, f64)| format!("{:.1},{:.1}", x(*filters), y(*cost, top));
    let corners: Vec<_> = corners.iter().map(place).collect();
    let mut picture = format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"{dashes}/>\n",
        corners.join(" ")
    );
    for (filters, cost) in &series.points {
        let (x, y) = (x(*filters), y(*cost, top));
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

/// Text, none of which is from outside.
fn text(x: f64, y: f64, anchor: &str, size: u32, words: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" \
         fill=\"#24292f\">{words}</text>\n"
    )
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
    fn the_grid_has_round_numbers() {
        for (most, expected) in [
            (10.0, 2.0),
            (16.0, 2.0),
            (20.0, 5.0),
            (39.0, 5.0),
            (61.0, 10.0),
        ] {
            assert_eq!(step(most), expected, "{most}");
        }
        assert!(draw(&[]).ends_with("</svg>\n"));
    }
}
