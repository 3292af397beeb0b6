//! Pictures with a grid, as SVG: a scale upwards, lines, text. Used by the plots
//! of `bench load` and `soak reload`, which know what they show.

/// Where the grid is in a picture; the rest is for what is written around it.
pub(crate) const LEFT: f64 = 64.0;
pub(crate) const RIGHT: f64 = 696.0;
pub(crate) const BOTTOM: f64 = 384.0;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
const TOP: f64 = 88.0;

/// A scale upwards from 0, with a grid of round numbers.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    step: f64,
    top: f64,
}

impl Scale {
    /// One that reaches to a value, which must be above 0.
    pub(crate) fn up_to(most: f64) -> Self {
        let step = step(most);
        Self {
            step,
            top: (most / step).ceil() * step,
        }
    }

    /// The place of a value.
    pub(crate) fn y(self, value: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * value / self.top
    }

    /// Lines across, each with its number.
    pub(crate) fn grid(self) -> String {
        let mut grid = String::new();
        for number in 0..=(self.top / self.step).round() as u32 {
            let value = f64::from(number) * self.step;
            let y = self.y(value);
            grid += &format!(
                "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"#d8dee4\" stroke-width=\"1\"/>\n"
            );
            let digits = usize::from(self.step < 1.0);
            grid += &text(
                LEFT - 10.0,
                y + 4.0,
                "end",
                13,
                &format!("{value:.digits$}"),
            );
        }
        grid
    }
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

/// The whole picture. The label says what it shows to who cannot see it.
pub(crate) fn picture(label: &str, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" role=\"img\" \
         aria-label=\"{label}\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

/// A line through places. `dashes` is an attribute more, or nothing.
pub(crate) fn line(places: &[(f64, f64)], colour: &str, dashes: &str) -> String {
    let places: Vec<_> = places
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"{dashes}/>\n",
        places.join(" ")
    )
}

/// Text, none of which is from outside.
pub(crate) fn text(x: f64, y: f64, anchor: &str, size: u32, words: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" \
         fill=\"#24292f\">{words}</text>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(Scale::up_to(61.0).y(70.0), TOP);
        assert_eq!(Scale::up_to(61.0).y(0.0), BOTTOM);
    }
}
