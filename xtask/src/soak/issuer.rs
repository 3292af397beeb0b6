//! An identity provider that publishes one key and can be down, and clients that
//! show tokens of it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The key set, and what follows the header of a token of its one key, which is
/// good until the year 2100.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"demo","use":"sig","alg":"ES256","x":"Q8DIkLlIrh40B5PwoE3jhlx7KzysPv8Kbec6M2WyU9w","y":"DLVi_IaYsWdsi8l31110u2bW8H7M8GrfXFD3VIODZm4"}]}"#;
const GOOD: &str = "eyJpc3MiOiJodHRwOi8vMTI3LjAuMC4xOjkwMTAiLCJzdWIiOiJhbm4iLCJleHAiOjQxMDI0NDQ4MDB9.fas3iIVhQtBFArFChpaJVfhzi85C5LZ50J1U5xqsh2tAZAC3Qi2Oppw1E7gEq91So3lLt0dUHBH76mksueZ1aQ";

const PATIENCE: Duration = Duration::from_secs(20);

/// The provider. It serves until the process ends.
pub(crate) struct Issuer {
    pub(crate) port: u16,
    /// Whether it hangs up on whoever asks.
    pub(crate) down: Arc<AtomicBool>,
    /// How often it was asked.
    asked: Arc<AtomicU64>,
}

impl Issuer {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let issuer = Self {
            port: listener.local_addr()?.port(),
            down: Arc::default(),
            asked: Arc::default(),
        };
        let (down, asked) = (Arc::clone(&issuer.down), Arc::clone(&issuer.asked));
        thread::Builder::new().spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                asked.fetch_add(1, SeqCst);
                if !down.load(SeqCst) {
                    // Who does not read has asked all the same.
                    thread::spawn(move || drop(publish(stream)));
                }
            }
        })?;
        Ok(issuer)
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(SeqCst)
    }
}

fn publish(stream: TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let length = KEYS.len();
    let fields = "content-type: application/json\r\nconnection: close";
    let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\ncontent-length: {length}\r\n\r\n{KEYS}");
    Ok(reader.into_inner().write_all(answer.as_bytes())?)
}

/// A token of the key of this name. Only of `demo` there is one.
pub(crate) fn token(key: &str) -> String {
    let header = format!(r#"{{"alg":"ES256","typ":"JWT","kid":"{key}"}}"#);
    format!("{}.{GOOD}", URL_SAFE_NO_PAD.encode(header))
}

/// One client, with a connection that is kept alive.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Shows a token, and returns the status of what comes.
    pub(crate) fn show(&mut self, token: &str) -> Result<u16> {
        let request =
            format!("GET /guarded HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {token}\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("answered with {line:?}"))?;
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_answers_counts_and_hangs_up() {
        let issuer = Issuer::start().unwrap();
        let mut client = Client::connect(issuer.port).unwrap();
        assert_eq!(client.show(&token("demo")).unwrap(), 200);
        issuer.down.store(true, SeqCst);
        let mut client = Client::connect(issuer.port).unwrap();
        assert!(client.show(&token("demo")).is_err());
        assert_eq!(issuer.asked(), 2);
    }
}
