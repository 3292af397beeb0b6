//! A body of any length, sent and looked at: lines of JSON, each with an address
//! and a field that nobody shall see.
//!
//! It is one block again and again, so that making and comparing it costs little
//! beside what is measured. Blocks and chunks have no common measure, so that a
//! line is cut at every place.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

/// How long either end waits for the other.
const PATIENCE: Duration = Duration::from_secs(60);
const CHUNK: usize = 16 * 1024;
const LINES_OF_A_BLOCK: usize = 1_021;

/// What a filter is to make of each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Mask,
    Transform,
}

impl Change {
    /// Some lines, before or after the change.
    fn block(line: impl Fn(usize) -> String) -> Vec<u8> {
        (0..LINES_OF_A_BLOCK).map(line).collect::<String>().into()
    }

    fn plain() -> Vec<u8> {
        Self::block(|number| {
            format!(
                "{{\"id\":{number},\"mail\":\"ann{number}@example.com\",\"secret\":\"x\",\"text\":\"{}\"}}\n",
                ".".repeat(number % 97)
            )
        })
    }

    fn changed(self) -> Vec<u8> {
        Self::block(|number| {
            let text = ".".repeat(number % 97);
            match self {
                Self::Mask => format!(
                    "{{\"id\":{number},\"mail\":\"[email]\",\"secret\":\"x\",\"text\":\"{text}\"}}\n"
                ),
                Self::Transform => format!(
                    "{{\"id\":{number},\"address\":\"ann{number}@example.com\",\"text\":\"{text}\"}}\n"
                ),
            }
        })
    }

    fn of(path: &str) -> Self {
        match path.contains("mask") {
            true => Self::Mask,
            false => Self::Transform,
        }
    }
}

/// A service that sends such a body to who asks with `GET /CHANGE/BYTES`, and
/// looks at what comes with `POST`, until the process ends.
pub(crate) fn serve() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::Builder::new().spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            // What goes wrong here, the client is told or misses.
            thread::spawn(move || drop(answer(stream)));
        }
    })?;
    Ok(address)
}

fn answer(stream: TcpStream) -> Result<()> {
    let (mut reader, mut stream) = both_ways(stream)?;
    let head = head(&mut reader)?;
    let mut words = head.split([' ', '/']).filter(|word| !word.is_empty());
    let (method, change, bytes) = (words.next(), words.next(), words.next());
    let bytes: u64 = bytes.context("a path of two parts")?.parse()?;
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
    if method == Some("GET") {
        let fields = "content-type: application/x-ndjson\r\ntransfer-encoding: chunked";
        write!(stream, "{head}{fields}\r\n\r\n")?;
        return Ok(send(&mut stream, bytes)?);
    }
    let change = Change::of(change.unwrap_or_default());
    let found = match compare(&mut reader, change, bytes) {
        Ok(()) => "as it should be".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    write!(
        stream,
        "{head}content-length: {}\r\n\r\n{found}",
        found.len()
    )?;
    Ok(())
}

/// Asks for a body of so many bytes, and looks at what comes of it.
pub(crate) fn download(port: u16, path: &str, bytes: u64) -> Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let (mut reader, mut stream) = both_ways(stream)?;
    let asked = format!("GET /{path}/{bytes} HTTP/1.1\r\nhost: soak\r\n\r\n");
    stream.write_all(asked.as_bytes())?;
    let head = head(&mut reader)?;
    ensure!(head.starts_with("HTTP/1.1 200"), "answered with {head:?}");
    compare(&mut reader, Change::of(path), bytes)
}

/// Sends a body of so many bytes; an error unless what came was right.
pub(crate) fn upload(port: u16, path: &str, bytes: u64) -> Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let (mut reader, mut stream) = both_ways(stream)?;
    write!(
        stream,
        "POST /{path}/{bytes} HTTP/1.1\r\nhost: soak\r\nconnection: close\r\n\
         content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
    )?;
    send(&mut stream, bytes)?;
    let mut answer = String::new();
    reader.read_to_string(&mut answer)?;
    ensure!(
        answer.contains("as it should be"),
        "the service says: {answer}"
    );
    Ok(())
}

fn both_ways(stream: TcpStream) -> io::Result<(BufReader<TcpStream>, TcpStream)> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok((
        BufReader::with_capacity(1 << 20, stream.try_clone()?),
        stream,
    ))
}

/// The lines up to the empty one.
fn head(reader: &mut impl BufRead) -> Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(reader.read_line(&mut head)? > 0, "no head: {head:?}");
    }
    Ok(head)
}

/// Whole blocks in chunks, until there are as many bytes as asked for.
fn send(stream: &mut impl Write, bytes: u64) -> io::Result<()> {
    let block = Change::plain();
    for _ in 0..blocks(&block, bytes) {
        for chunk in block.chunks(CHUNK) {
            write!(stream, "{:x}\r\n", chunk.len())?;
            stream.write_all(chunk)?;
            stream.write_all(b"\r\n")?;
        }
    }
    stream.write_all(b"0\r\n\r\n")
}

fn blocks(block: &[u8], bytes: u64) -> u64 {
    bytes.div_ceil(block.len() as u64)
}

/// Reads a chunked body to its end; an error unless it is what was sent, changed.
fn compare(reader: &mut impl BufRead, change: Change, bytes: u64) -> Result<()> {
    let expected = change.changed();
    let whole = expected.len() as u64 * blocks(&Change::plain(), bytes);
    let (mut line, mut piece, mut seen) = (String::new(), Vec::new(), 0_u64);
    let mut wrong = None;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim_end(), 16);
        let size = size.with_context(|| format!("{line:?} is no size of a chunk"))?;
        if size == 0 {
            if let Some(wrong) = wrong {
                bail!("it is wrong {wrong}");
            }
            ensure!(
                seen == whole,
                "it has {seen} bytes, and should have {whole}"
            );
            return Ok(());
        }
        piece.resize(size + 2, 0);
        reader.read_exact(&mut piece)?;
        let mut rest = &piece[..size];
        while !rest.is_empty() {
            let here = &expected[usize::try_from(seen % expected.len() as u64)?..];
            let length = here.len().min(rest.len());
            if wrong.is_none() && rest[..length] != here[..length] {
                let found = String::from_utf8_lossy(&rest[..length.min(200)]);
                wrong = Some(format!("in the {length} bytes after byte {seen}: {found}"));
            }
            seen += length as u64;
            rest = &rest[length..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(change: Change, edit: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut block = change.changed();
        edit(&mut block);
        let chunks = block.chunks(777).flat_map(|chunk| {
            [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()
        });
        chunks.chain(*b"0\r\n\r\n").collect()
    }

    #[test]
    fn a_body_that_is_short_or_wrong_is_seen() {
        for change in [Change::Mask, Change::Transform] {
            let look = |bytes: Vec<u8>| compare(&mut &*bytes, change, 1).is_ok();
            assert!(look(sent(change, |_| {})));
            assert!(!look(sent(change, |block| block.truncate(block.len() - 1))));
            assert!(!look(sent(change, |block| block[20_000] ^= 1)));
            assert!(!look(sent(change, |block| block.push(b'x'))));
        }
        assert!(compare(&mut &*sent(Change::Mask, |_| {}), Change::Transform, 1).is_err());
    }

    #[test]
    fn a_service_that_changes_nothing_is_found_out() {
        let port = serve().unwrap().port();
        for what in [download(port, "mask", 1), upload(port, "lines", 1)] {
            let error = format!("{:#}", what.unwrap_err());
            assert!(error.contains("it is wrong in the"), "{error}");
        }
    }
}
