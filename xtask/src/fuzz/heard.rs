//! What libFuzzer says of a run, on its standard error.

/// The last that was said of each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) seconds: u64,
    /// Inputs that were tried.
    pub(super) executions: u64,
    /// Edges of the control flow that some input has reached.
    pub(super) reached: u64,
    /// Edges that there are, dependencies' included.
    pub(super) edges: u64,
    /// Inputs that are kept, since each reaches something that no other does.
    pub(super) inputs: u64,
    /// How long the longest took, in whole seconds.
    pub(super) slowest: u64,
}

impl Heard {
    /// Takes notice of a line.
    pub(super) fn line(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        // `#4096 NEW cov: 12 ft: 15 corp: 3/9b lim: 4096 exec/s: 0 rss: 30Mb`
        if line.starts_with('#') {
            take(&mut self.reached, after(&words, "cov:"));
            take(&mut self.inputs, after(&words, "corp:"));
        }
        match words[..] {
            // `INFO: Loaded 1 modules   (5125 inline 8-bit counters): 5125 [0x5, 0x6),`
            ["INFO:", "Loaded", _, "modules", count, "inline", ..] => {
                take(&mut self.edges, number(count.trim_start_matches('(')));
            }
            // `Done 4096 runs in 61 second(s)`
            ["Done", runs, "runs", "in", seconds, ..] => {
                take(&mut self.executions, number(runs));
                take(&mut self.seconds, number(seconds));
            }
            ["stat::slowest_unit_time_sec:", seconds] => {
                take(&mut self.slowest, number(seconds));
            }
            _ => {}
        }
    }
}

fn take(place: &mut u64, said: Option<u64>) {
    *place = said.unwrap_or(*place);
}

/// The number that the word behind this one begins with.
fn after(words: &[&str], name: &str) -> Option<u64> {
    let at = words.iter().position(|word| *word == name)?;
    let digits = words
        .get(at + 1)?
        .split(|letter: char| !letter.is_ascii_digit());
    number(digits.into_iter().next()?)
}

fn number(word: &str) -> Option<u64> {
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        let mut heard = Heard::default();
        for line in [
            "INFO: Running with entropic power schedule (0xFF, 100).",
            "INFO: Loaded 1 modules   (5125 inline 8-bit counters): 5125 [0x55, 0x56), ",
            "#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 30Mb",
            "#4096\tNEW    cov: 123 ft: 456 corp: 78/9000b lim: 4096 exec/s: 0 rss: 40Mb",
            "#9000\tDONE   cov: 124 ft: 457 corp: 79/9001b lim: 4096 exec/s: 300 rss: 40Mb",
            "Done 9000 runs in 61 second(s)",
            "stat::number_of_executed_units: 9000",
            "stat::slowest_unit_time_sec:    2",
        ] {
            heard.line(line);
        }
        let expected = Heard {
            seconds: 61,
            executions: 9_000,
            reached: 124,
            edges: 5_125,
            inputs: 79,
            slowest: 2,
        };
        assert_eq!(heard, expected);
    }
}
