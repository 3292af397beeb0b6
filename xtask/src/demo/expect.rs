//! What a line of the demo must answer, how that is said to people, and how it
//! is compared. Used by `lines` and `check`.

use std::fmt;

/// What a command must print.
pub(crate) enum Expect {
    /// Anything: it only has to succeed.
    Success,
    /// An HTTP response as `curl -i` prints it.
    Response {
        /// The status.
        status: u16,
        /// Header fields that must be there.
        headers: &'static [(&'static str, Value)],
        /// What the body (and whatever else is printed after it) must hold.
        holds: &'static [&'static str],
    },
    /// Exactly these lines; blanks around and runs of blanks do not count.
    Lines(&'static [&'static str]),
    /// Lines of `uniq -c` in which one has so many percent of all, give or take.
    Share {
        /// What the line holds.
        of: &'static str,
        /// How many percent of all.
        percent: u32,
        /// How many percentage points it may be off.
        within: u32,
    },
}

/// What a header's value must be.
pub(crate) enum Value {
    /// Something.
    Any,
    /// Something that holds this.
    Holds(&'static str),
    /// A number from the first to the second.
    Between(u32, u32),
}

impl Expect {
    /// Compares. The error says what was missing.
    pub(crate) fn compare(&self, output: &str) -> Result<(), String> {
        match self {
            Self::Success => Ok(()),
            Self::Response {
                status,
                headers,
                holds,
            } => response(output, *status, headers, holds),
            Self::Lines(expected) => lines(output, expected),
            Self::Share {
                of,
                percent,
                within,
            } => share(output, of, *percent, *within),
        }
    }
}

fn response(
    output: &str,
    status: u16,
    headers: &[(&str, Value)],
    holds: &[&str],
) -> Result<(), String> {
    let output = output.replace("\r\n", "\n");
    let (head, body) = output.split_once("\n\n").unwrap_or((&output, ""));
    let got = head.split_whitespace().nth(1).unwrap_or("nothing");
    if got != status.to_string() {
        return Err(format!("the status is {got}"));
    }
    for (name, value) in headers {
        let found: Vec<_> = head.lines().filter_map(|line| field(line, name)).collect();
        if !found.iter().any(|found| value.fits(found)) {
            return Err(format!("{name} is {found:?}"));
        }
    }
    match holds.iter().find(|part| !body.contains(**part)) {
        Some(part) => Err(format!("`{part}` is not in the body `{}`", body.trim())),
        None => Ok(()),
    }
}

/// The value of a header line if it has this name.
fn field<'line>(line: &'line str, name: &str) -> Option<&'line str> {
    let (found, value) = line.split_once(':')?;
    found.eq_ignore_ascii_case(name).then(|| value.trim())
}

fn lines(output: &str, expected: &[&str]) -> Result<(), String> {
    let got: Vec<_> = output.lines().map(collapse).collect();
    if got == expected {
        Ok(())
    } else {
        Err(format!("the lines are {got:?}"))
    }
}

fn share(output: &str, of: &str, percent: u32, within: u32) -> Result<(), String> {
    let mut all = 0;
    let mut chosen = 0;
    for line in output.lines().map(collapse) {
        let (count, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let count: u32 = count
            .parse()
            .map_err(|_| format!("the line `{line}` is no count"))?;
        all += count;
        chosen += if rest.contains(of) { count } else { 0 };
    }
    // In whole counts, so that the bounds themselves still pass.
    let bounds = all * percent.saturating_sub(within)..=all * (percent + within);
    if all > 0 && bounds.contains(&(chosen * 100)) {
        return Ok(());
    }
    Err(format!("it is {chosen} of {all}"))
}

fn collapse(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Value {
    fn fits(&self, found: &str) -> bool {
        match self {
            Self::Any => !found.is_empty(),
            Self::Holds(part) => found.contains(part),
            Self::Between(low, high) => found
                .parse()
                .is_ok_and(|n: u32| (*low..=*high).contains(&n)),
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => write!(out, "no error"),
            Self::Response {
                status,
                headers,
                holds,
            } => {
                write!(out, "{status}")?;
                headers
                    .iter()
                    .try_for_each(|(name, value)| write!(out, "; {name}: {value}"))?;
                holds.iter().try_for_each(|part| write!(out, "; {part}"))
            }
            Self::Lines(lines) => write!(out, "{}", lines.join(" | ")),
            Self::Share {
                of,
                percent,
                within,
            } => {
                write!(out, "{of} has {percent} %, give or take {within}")
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => write!(out, "…"),
            Self::Holds(part) => write!(out, "… {part} …"),
            Self::Between(low, high) => write!(out, "{low} to {high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITED: &str = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nallow: GET\r\nallow: POST\r\n\r\n{\"status\":429}";

    #[test]
    fn a_response_is_compared_by_status_headers_and_body() {
        let good = |expect: Expect| expect.compare(LIMITED).unwrap();
        let bad = |expect: Expect| expect.compare(LIMITED).unwrap_err();
        let with = |status, headers, holds| Expect::Response {
            status,
            headers,
            holds,
        };
        good(with(
            429,
            &[("retry-after", Value::Between(1, 2))],
            &["429"],
        ));
        good(with(429, &[("allow", Value::Holds("POST"))], &[]));
        bad(with(200, &[], &[]));
        bad(with(429, &[("retry-after", Value::Between(3, 4))], &[]));
        bad(with(429, &[("ratelimit", Value::Any)], &[]));
        bad(with(429, &[], &["Retry-After"]));
    }

    #[test]
    fn lines_are_compared_without_regard_to_blanks() {
        let expect = Expect::Lines(&["20 200", "5 429"]);
        expect.compare("     20 200\n      5 429\n").unwrap();
        expect.compare("     19 200\n      6 429\n").unwrap_err();
        expect.compare("     20 200\n").unwrap_err();
    }

    #[test]
    fn a_share_may_be_off_by_so_many_points() {
        let expect = Expect::Share {
            of: "v2",
            percent: 20,
            within: 2,
        };
        for (v1, v2, good) in [
            (80, 20, true),
            (78, 22, true),
            (82, 18, true),
            (77, 23, false),
            (0, 0, false),
        ] {
            let output = format!("{v1} \"version\":\"v1\"\n{v2} \"version\":\"v2\"");
            assert_eq!(expect.compare(&output).is_ok(), good, "{output}");
        }
        expect.compare("curl: no").unwrap_err();
    }
}
